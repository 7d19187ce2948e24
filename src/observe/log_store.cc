// Lines that are appended go to two places under one short lock: the ring of its function in
// memory, and the queue of the writer thread, which takes the whole queue at a time and writes it
// to segments. A query is answered from the ring when that holds enough, else from the segments.
#include "observe/log_store.h"

#include "base/encoding.h"
#include "observe/log_segments.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <pthread.h>
#include <set>
#include <thread>

namespace lambda::observe {
namespace {

// A line as it is kept, by its ring and by the queue.
struct KeptLine {
  WallTime time{};
  std::shared_ptr<const LogOrigin> origin;
  std::string text;
};
using LinePtr = std::shared_ptr<const KeptLine>;

constexpr std::size_t kLineOverhead = 128;
constexpr auto kFlushLimit = std::chrono::seconds(2);
constexpr auto kComplaintInterval = std::chrono::minutes(1);

std::size_t cost_of(const KeptLine& line) {
  return line.text.size() + line.origin->instance.size() + line.origin->request_id.size() +
         kLineOverhead;
}

LogLine line_of(const KeptLine& kept, const std::string& function) {
  LogLine line;
  line.time = kept.time;
  line.function = function;
  line.version = kept.origin->version;
  line.instance = kept.origin->instance;
  line.request_id = kept.origin->request_id;
  line.text = kept.text;
  return line;
}

bool matches(const LogOrigin& origin, const LogStore::Query& query) {
  return (!query.request_id || origin.request_id == *query.request_id) &&
         (!query.version || origin.version == *query.version);
}

class FileLogStore final : public LogStore {
 public:
  FileLogStore(LogSegments segments, std::set<std::string, std::less<>> on_disk,
               const LogLimits& limits)
      : segments_(std::move(segments)),
        limits_(limits),
        on_disk_(std::move(on_disk)),
        writer_([this] { write_until_stopped(); }) {}
  ~FileLogStore() override;
  FileLogStore(const FileLogStore&) = delete;
  FileLogStore& operator=(const FileLogStore&) = delete;

  LogSourcePtr source(std::string_view function) override;
  std::vector<LogLine> recent(const Query& query) override;
  void forget(std::string_view function) override;

 private:
  class Source;
  // The newest lines of one function.
  struct Ring {
    std::string function;
    std::deque<LinePtr> lines;
    std::size_t bytes = 0;
    std::size_t lost = 0;   // lines that the queue had no room for, not said yet
    bool complete = false;  // nothing older is on disk
  };
  using Rings = std::list<Ring>;  // the function that wrote last stands first
  // A line to write, or (null) a function to forget.
  struct Job {
    std::string function;
    LinePtr line;
  };

  void append(const Source& source, LogBatch batch);
  Ring& ring_of(const std::string& function);
  [[nodiscard]] LinePtr kept(const std::shared_ptr<const LogOrigin>& origin,
                             LogBatch::Text line) const;
  void say_what_was_lost(Ring& ring, const KeptLine& next);
  void keep(Ring& ring, const LinePtr& line);
  void enqueue(Ring& ring, LinePtr line);
  void drop_oldest(Ring& ring);
  void flush();
  void write_until_stopped();
  void write(const std::deque<Job>& jobs);
  void write_lines(const std::string& function, const std::string& lines);

  LogSegments segments_;
  const LogLimits limits_;

  std::mutex mutex_;  // held for moving pointers, never for I/O
  std::condition_variable work_;
  std::condition_variable written_;
  Rings rings_;
  std::map<std::string, Rings::iterator, std::less<>> ring_by_function_;
  std::set<std::string, std::less<>> on_disk_;
  std::map<std::string, std::weak_ptr<Source>, std::less<>> sources_;
  std::size_t memory_bytes_ = 0;
  std::deque<Job> queue_;
  std::size_t queue_bytes_ = 0;
  std::uint64_t queued_ = 0;  // jobs ever given and done
  std::uint64_t done_ = 0;
  bool stopping_ = false;

  // The writer's own.
  std::chrono::steady_clock::time_point last_complaint_{};
  std::thread writer_;
};

class FileLogStore::Source final : public LogSource {
 public:
  Source(FileLogStore& store, std::string function)
      : store_(store), function_(std::move(function)) {}
  using LogSource::append;
  void append(LogBatch batch) override { store_.append(*this, std::move(batch)); }
  [[nodiscard]] bool forgotten() const override { return forgotten_; }
  [[nodiscard]] const std::string& function() const { return function_; }
  void forget() { forgotten_ = true; }  // under the store's lock

 private:
  FileLogStore& store_;
  const std::string function_;
  std::atomic<bool> forgotten_{false};
};

FileLogStore::~FileLogStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  writer_.join();
}

FileLogStore::Ring& FileLogStore::ring_of(const std::string& function) {
  const auto found = ring_by_function_.find(function);
  if (found != ring_by_function_.end()) {
    rings_.splice(rings_.begin(), rings_, found->second);
    return rings_.front();
  }
  rings_.emplace_front();
  auto& ring = rings_.front();
  ring.function = function;
  ring.complete = !on_disk_.contains(function);
  ring_by_function_.emplace(function, rings_.begin());
  return ring;
}

void FileLogStore::drop_oldest(Ring& ring) {
  const std::size_t cost = cost_of(*ring.lines.front());
  ring.lines.pop_front();
  ring.bytes -= cost;
  ring.complete = false;
  memory_bytes_ -= cost;
}

void FileLogStore::keep(Ring& ring, const LinePtr& line) {
  const std::size_t cost = cost_of(*line);
  ring.lines.push_back(line);
  ring.bytes += cost;
  memory_bytes_ += cost;
  while (ring.bytes > limits_.function_bytes && ring.lines.size() > 1) drop_oldest(ring);
  // Functions that have been silent the longest give way.
  while (memory_bytes_ > limits_.memory_bytes && rings_.size() > 1) {
    auto& coldest = rings_.back();
    memory_bytes_ -= coldest.bytes;
    ring_by_function_.erase(coldest.function);
    rings_.pop_back();
  }
}

void FileLogStore::enqueue(Ring& ring, LinePtr line) {
  const std::size_t cost = cost_of(*line);
  if (queue_bytes_ + cost > limits_.queue_bytes) {
    ++ring.lost;
    return;
  }
  queue_bytes_ += cost;
  on_disk_.insert(ring.function);
  queue_.push_back(Job{ring.function, std::move(line)});
  ++queued_;
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

LinePtr FileLogStore::kept(const std::shared_ptr<const LogOrigin>& origin,
                           LogBatch::Text line) const {
  if (line.text.size() > limits_.line_bytes) {
    line.text.resize(limits_.line_bytes);
    line.text += " ... (the rest of this line was cut)";
  }
  if (!is_valid_utf8(line.text)) line.text = repair_utf8(line.text);
  return std::make_shared<const KeptLine>(KeptLine{line.time, origin, std::move(line.text)});
}

void FileLogStore::say_what_was_lost(Ring& ring, const KeptLine& next) {
  LogOrigin origin;
  origin.version = next.origin->version;
  KeptLine notice;
  notice.time = next.time;
  notice.origin = std::make_shared<const LogOrigin>(std::move(origin));
  notice.text = fmt::format(
      "[lambda] {} lines before this one came faster than the disk takes them and were not kept",
      ring.lost);
  ring.lost = 0;
  const auto said = std::make_shared<const KeptLine>(std::move(notice));
  keep(ring, said);
  enqueue(ring, said);
}

void FileLogStore::append(const Source& source, LogBatch batch) {
  if (batch.lines.empty()) return;
  std::vector<LinePtr> lines;
  lines.reserve(batch.lines.size());
  for (auto& line : batch.lines) lines.push_back(kept(batch.origin, std::move(line)));
  {
    const std::lock_guard lock(mutex_);
    if (source.forgotten()) return;
    auto& ring = ring_of(source.function());
    for (auto& line : lines) {
      if (ring.lost > 0 && queue_bytes_ * 2 < limits_.queue_bytes) say_what_was_lost(ring, *line);
      keep(ring, line);
      enqueue(ring, std::move(line));
    }
  }
  work_.notify_one();
}

std::vector<LogLine> FileLogStore::recent(const Query& query) {
  std::vector<LinePtr> found;
  bool enough = false;
  {
    const std::lock_guard lock(mutex_);
    const auto ring = ring_by_function_.find(query.function);
    if (ring == ring_by_function_.end()) {
      enough = !on_disk_.contains(query.function);
    } else {
      const auto& lines = ring->second->lines;
      for (auto line = lines.rbegin(); line != lines.rend() && found.size() < query.limit; ++line) {
        if (matches(*(*line)->origin, query)) found.push_back(*line);
      }
      enough = ring->second->complete || found.size() == query.limit;
    }
  }
  if (!enough) {
    flush();
    auto lines = segments_.read(query);
    // A disk that is full or slow may hold less than memory does.
    if (lines.size() >= found.size()) return lines;
  }
  std::vector<LogLine> lines;
  for (auto line = found.rbegin(); line != found.rend(); ++line) {
    lines.push_back(line_of(**line, query.function));
  }
  return lines;
}

void FileLogStore::forget(std::string_view function) {
  const std::string name(function);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = ring_by_function_.find(name); found != ring_by_function_.end()) {
      memory_bytes_ -= found->second->bytes;
      rings_.erase(found->second);
      ring_by_function_.erase(found);
    }
    on_disk_.erase(name);
    if (const auto found = sources_.find(name); found != sources_.end()) {
      if (const auto source = found->second.lock()) source->forget();
      sources_.erase(found);
    }
    queue_.push_back(Job{name, nullptr});
    ++queued_;
  }
  work_.notify_one();
}

void FileLogStore::flush() {
  std::unique_lock lock(mutex_);
  const auto target = queued_;
  written_.wait_for(lock, kFlushLimit, [&] { return done_ >= target; });
}

void FileLogStore::write_until_stopped() {
  ::pthread_setname_np(::pthread_self(), "logs");
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::deque<Job> jobs;
    jobs.swap(queue_);
    queue_bytes_ = 0;
    lock.unlock();
    write(jobs);
    const auto count = jobs.size();
    jobs.clear();  // many lines: not under the lock
    lock.lock();
    done_ += count;
    written_.notify_all();
  }
}

void FileLogStore::write(const std::deque<Job>& jobs) {
  // Lines of one function together: one write for many of them.
  std::map<std::string, std::string> pending;
  for (const auto& job : jobs) {
    auto& lines = pending[job.function];
    if (job.line) {
      lines += to_json_line(line_of(*job.line, job.function));
      lines += '\n';
      if (lines.size() < limits_.segment_bytes / 4) continue;
      write_lines(job.function, lines);
    } else {
      segments_.remove(job.function);
    }
    lines.clear();
  }
  for (const auto& [function, lines] : pending) write_lines(function, lines);
}

void FileLogStore::write_lines(const std::string& function, const std::string& lines) {
  if (lines.empty()) return;
  auto written = segments_.write(function, lines);
  if (written) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_complaint_ < kComplaintInterval) return;
  last_complaint_ = now;
  spdlog::warn("log lines of {} are not kept: {} (said at most once a minute)", function,
               written.error().message());
}

}  // namespace

void LogSource::append(LogLine line) {
  LogOrigin origin;
  origin.version = std::move(line.version);
  origin.instance = std::move(line.instance);
  origin.request_id = std::move(line.request_id);
  LogBatch batch;
  batch.origin = std::make_shared<const LogOrigin>(std::move(origin));
  batch.lines.push_back(LogBatch::Text{line.time, std::move(line.text)});
  append(std::move(batch));
}

Result<std::unique_ptr<LogStore>> LogStore::open(std::filesystem::path directory,
                                                 const LogLimits& limits) {
  LogSegments segments(std::move(directory), limits);
  auto on_disk = segments.open();
  if (!on_disk) return fail(std::move(on_disk.error()));
  return std::make_unique<FileLogStore>(std::move(segments), std::move(*on_disk), limits);
}

}  // namespace lambda::observe
