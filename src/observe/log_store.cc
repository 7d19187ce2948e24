// How lines come in: rate -> id -> memory -> the writer's queue -> who follows is woken.
#include "observe/log_store.h"

#include "base/encoding.h"
#include "base/time_text.h"
#include "observe/file_log_store.h"
#include "observe/log_source.h"

#include <utility>

namespace lambda::observe {

FileLogStore::FileLogStore(LogSegments segments, std::set<std::string, std::less<>> on_disk,
                           const std::filesystem::path& ids, const Clock& clock,
                           const LogLimits& limits)
    : clock_(clock),
      limits_(limits),
      segments_(std::move(segments)),
      ids_(ids, clock.now()),
      memory_(limits.function_bytes, limits.memory_bytes),
      floor_(ids_.base()),
      on_disk_(std::move(on_disk)),
      writer_(
          segments_, ids_, limits, clock,
          [this](const std::string& function, const LogTrouble& trouble) {
            const std::lock_guard lock(mutex_);
            say(function, state_of(function), clock_.now(), {},
                fmt::format("[lambda] {} lines after {}Z were not kept: {}", trouble.lines,
                            format_iso(trouble.since), trouble.reason));
            writer_.wake();
          },
          [this] { say_what_was_left_out(); }) {
  // A read-only disk: the time keeps ids apart, and the writer complains with the first line.
  (void)ids_.extend(ids_.base());
}

FileLogStore::State& FileLogStore::state_of(std::string_view function) {
  if (const auto found = states_.find(function); found != states_.end()) return found->second;
  State state;
  state.last = floor_;
  return states_.emplace(std::string(function), std::move(state)).first->second;
}

std::uint64_t FileLogStore::last_of(std::string_view function) const {
  const auto found = states_.find(function);
  return found == states_.end() ? floor_ : found->second.last;
}

LogSourcePtr FileLogStore::source(std::string_view function) {
  const std::lock_guard lock(mutex_);
  if (const auto found = sources_.find(function); found != sources_.end()) {
    if (auto source = found->second.lock()) return source;
  }
  std::erase_if(sources_, [](const auto& source) { return source.second.expired(); });
  auto source = std::make_shared<Source>(*this, std::string(function));
  sources_[source->function()] = source;
  return source;
}

void FileLogStore::bound(LogBatch::Text& line) const {
  if (line.text.size() > limits_.line_bytes) {
    line.text.resize(limits_.line_bytes);
    line.text += " ... (the rest of this line was cut)";
  }
  if (!is_valid_utf8(line.text)) line.text = repair_utf8(line.text);
}

void FileLogStore::keep(const std::string& function, State& state, KeptLine line) {
  const bool first = !memory_.gone(function);
  const std::uint64_t gone = first && on_disk_.contains(function) ? state.last : 0;
  line.id = ++state.last;
  auto kept = std::make_shared<const KeptLine>(std::move(line));
  memory_.keep(function, kept, gone);
  if (writer_.write(function, std::move(kept))) {
    on_disk_.insert(function);
  } else {
    ++state.lost;
  }
}

void FileLogStore::say(const std::string& function, State& state, WallTime time,
                       const std::string& version, std::string text) {
  LogOrigin origin;
  origin.version = version;
  KeptLine line;
  line.time = time;
  line.origin = std::make_shared<const LogOrigin>(std::move(origin));
  line.text = std::move(text);
  line.platform = true;
  keep(function, state, std::move(line));
  wake(state);
}

void FileLogStore::say_what_was_left_out(const std::string& function, State& state, WallTime time,
                                         const std::string& version) {
  if (state.rate.has_left_out()) {
    const auto left_out = state.rate.take_left_out();
    say(function, state, time, version,
        fmt::format("[lambda] {} lines before this one ({} bytes) were not kept: the function "
                    "writes more than {} KB a second (function_log_rate)",
                    left_out.lines, left_out.bytes, limits_.rate_bytes >> 10));
  }
  if (state.lost > 0 && writer_.has_calmed(function)) {
    say(function, state, time, version,
        fmt::format("[lambda] {} lines before this one came faster than the disk takes them and "
                    "were not kept",
                    std::exchange(state.lost, 0)));
  }
}

void FileLogStore::say_what_was_left_out() {
  {
    const std::lock_guard lock(mutex_);
    for (auto& [function, state] : states_)
      say_what_was_left_out(function, state, clock_.now(), {});
  }
  writer_.wake();
}

void FileLogStore::append(const Source& source, LogBatch batch) {
  if (batch.lines.empty()) return;
  const auto& function = source.function();
  const auto now = clock_.steady_now();
  bool left_out = false;
  for (auto& text : batch.lines) bound(text);
  {
    const std::lock_guard lock(mutex_);
    if (source.forgotten()) return;
    auto& state = state_of(function);
    for (auto& text : batch.lines) {
      // What the platform says of a call is little, and counts.
      const bool kept = text.platform || state.rate.admits(text.text.size(), limits_.rate_bytes,
                                                           limits_.burst_bytes, now);
      if (!kept) continue;
      say_what_was_left_out(function, state, text.time, batch.origin->version);
      KeptLine line;
      line.time = text.time;
      line.origin = batch.origin;
      line.text = std::move(text.text);
      line.platform = text.platform;
      keep(function, state, std::move(line));
    }
    left_out = state.rate.has_left_out() || state.lost > 0;
    wake(state);
  }
  // Nothing may follow that would say it.
  if (left_out) writer_.remind();
  writer_.wake();
}

std::optional<LogTrouble> FileLogStore::trouble(std::string_view function) {
  writer_.flush();
  return writer_.trouble(function);
}

void FileLogStore::tidy() {
  say_what_was_left_out();
  writer_.tidy();
}

void FileLogStore::set_own_limits(OwnLogLimitsByFunction own) {
  {
    const std::lock_guard lock(mutex_);
    if (own_limits_ == own) return;
    own_limits_ = own;
  }
  writer_.set_own_limits(std::move(own));
}

LogLimits FileLogStore::limits_of(std::string_view function) {
  const std::lock_guard lock(mutex_);
  const auto own = own_limits_.find(function);
  return own == own_limits_.end() ? limits_ : limits_.with(own->second);
}

void FileLogStore::keep_only(const std::set<std::string, std::less<>>& functions) {
  std::set<std::string, std::less<>> found;
  {
    const std::lock_guard lock(mutex_);
    found = on_disk_;
  }
  for (const auto& function : found) {
    if (!functions.contains(function)) forget(function);
  }
}

void FileLogStore::forget(std::string_view function) {
  const std::string name(function);
  {
    const std::lock_guard lock(mutex_);
    memory_.forget(name);
    on_disk_.erase(name);
    if (const auto found = sources_.find(name); found != sources_.end()) {
      if (const auto source = found->second.lock()) source->forget();
      sources_.erase(found);
    }
    if (const auto found = states_.find(name); found != states_.end()) {
      // Whoever has the name next begins after it.
      floor_ = std::max(floor_, found->second.last);
      end_all(found->second, LogFollower::End::deleted);
      states_.erase(found);
    }
  }
  writer_.forget(name);
}

void LogSource::append(LogLine line) {
  LogOrigin origin;
  origin.version = std::move(line.version);
  origin.instance = std::move(line.instance);
  origin.request_id = std::move(line.request_id);
  LogBatch batch;
  batch.origin = std::make_shared<const LogOrigin>(std::move(origin));
  batch.lines.push_back(LogBatch::Text{line.time, std::move(line.text), line.platform});
  append(std::move(batch));
}

Result<std::unique_ptr<LogStore>> LogStore::open(std::filesystem::path directory,
                                                 const Clock& clock, const LogLimits& limits) {
  const auto ids = directory / ".ids";
  LogSegments segments(std::move(directory), limits);
  auto on_disk = segments.open();
  if (!on_disk) return fail(std::move(on_disk.error()));
  return std::make_unique<FileLogStore>(std::move(segments), std::move(*on_disk), ids, clock,
                                        limits);
}

}  // namespace lambda::observe
