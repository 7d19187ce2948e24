// How lines go out. The newest: memory, and where that does not hold enough the segments before it.
// What came after a line: memory where it holds all of that, else a page of the segments.
#include "observe/file_log_store.h"
#include "observe/log_follower.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lambda::observe {
namespace {

constexpr std::size_t kPageLines = 512;
// Bytes of text that are looked through on a loop, and where an expression is searched for: the
// slowest takes 2 ms for so much.
constexpr std::size_t kReadOnLoop = 64u << 10;
constexpr std::size_t kSearchedOnLoop = 2u << 10;
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
constexpr std::uint64_t kNoId = std::numeric_limits<std::uint64_t>::max();

}  // namespace

// Files go as a whole, later than their oldest lines are too old.
LogFilter FileLogStore::with_age(std::string_view function, const LogFilter& filter) {
  LogFilter all = filter;
  if (const auto age = limits_of(function).age; age.count() > 0) {
    const WallTime oldest = clock_.now() - age;
    all.since = std::max(all.since.value_or(oldest), oldest);
  }
  return all;
}

LogStore::Reading FileLogStore::read(const Query& query) {
  if (query.after) return oldest_after(query);
  const auto filter = with_age(query.function, query);
  std::vector<LinePtr> in_memory;
  bool older_on_disk = false;
  {
    const std::lock_guard lock(mutex_);
    in_memory = memory_.all(query.function);
    older_on_disk =
        memory_.gone(query.function).value_or(on_disk_.contains(query.function) ? 1 : 0) > 0;
  }
  Reading reading;
  auto& lines = reading.lines;  // the newest first
  for (auto line = in_memory.rbegin(); line != in_memory.rend(); ++line) {
    if (lines.size() == query.limit || reading.rest) break;
    if ((*line)->id > query.up_to.value_or(kNoId)) continue;
    if (filter.matches(**line)) lines.push_back(line_of(**line, query.function));
    if (is_over(query.deadline)) reading.rest = (*line)->id;
  }
  if (older_on_disk && lines.size() < query.limit && !reading.rest) {
    writer_.flush();
    auto before = in_memory.empty() ? kNoId : in_memory.front()->id;
    if (query.up_to && *query.up_to < before) before = *query.up_to + 1;
    auto older = segments_.read_before(query.function, before, filter, query.limit - lines.size(),
                                       query.deadline);
    std::ranges::move(older.lines, std::back_inserter(lines));
    reading.rest = older.rest;
  }
  std::ranges::reverse(lines);
  return reading;
}

LogStore::Reading FileLogStore::oldest_after(const Query& query) {
  Reading reading;
  std::uint64_t position = *query.after;
  std::size_t bytes = 0;
  while (true) {
    auto page = newer(query.function, position, query);
    for (auto& line : page.lines) {
      if (line.id > query.up_to.value_or(kNoId)) return reading;
      bytes += line.text.size();
      reading.lines.push_back(std::move(line));
      if (reading.lines.size() < query.limit && bytes <= kMostAnswerBytes) continue;
      reading.rest = reading.lines.back().id;
      return reading;
    }
    if (!page.more) return reading;
    const bool moved = page.position != std::exchange(position, page.position);
    if (moved && !is_over(query.deadline)) continue;
    reading.rest = position;
    return reading;
  }
}

// Under the lock: the pointers; what they match is looked at without it.
std::optional<LogPage> FileLogStore::from_memory(const std::string& function, std::uint64_t after,
                                                 std::vector<LinePtr>& found) {
  LogPage page;
  const auto last = last_of(function);
  // A position of another server's, or of a log that is gone.
  page.position = std::min(after, last);
  if (page.position == last) return page;
  if (memory_.gone(function).value_or(kNoId) > page.position) return std::nullopt;
  found = memory_.after(function, page.position, kPageLines);
  if (!found.empty()) page.position = found.back()->id;
  page.more = page.position < last;
  return page;
}

std::optional<LogPage> FileLogStore::newer_in_memory(const std::string& function,
                                                     std::uint64_t after, const LogFilter& filter) {
  return memory_page(function, after, filter, filter.search ? kSearchedOnLoop : kReadOnLoop);
}

std::optional<LogPage> FileLogStore::memory_page(const std::string& function, std::uint64_t after,
                                                 const LogFilter& filter, std::size_t most) {
  std::vector<LinePtr> found;
  std::optional<LogPage> page;
  {
    const std::lock_guard lock(mutex_);
    page = from_memory(function, after, found);
  }
  if (!page) return page;
  std::size_t bytes = 0;
  for (const auto& line : found) bytes += line->text.size();
  if (bytes > most) return std::nullopt;
  for (const auto& line : found) {
    if (filter.matches(*line)) page->lines.push_back(line_of(*line, function));
  }
  return page;
}

LogPage FileLogStore::newer(const std::string& function, std::uint64_t after,
                            const LogFilter& wanted) {
  const auto filter = with_age(function, wanted);
  if (auto page = memory_page(function, after, filter, kAll)) return std::move(*page);
  std::uint64_t gone = 0;
  {
    const std::lock_guard lock(mutex_);
    gone = memory_.gone(function).value_or(last_of(function));
  }
  const bool written = writer_.flush();
  auto read = segments_.read_after(function, after, filter);
  LogPage page;
  page.lines = std::move(read.lines);
  page.position = read.last;
  page.more = true;
  std::uint64_t next = read.first;
  if (read.last == 0 && !written) {
    // A slow disk has not come to it yet.
    page.position = after;
    return page;
  }
  if (read.last == 0) {
    // The disk has none of it (it takes none, or they were removed): memory's oldest are next.
    page.position = gone;
    if (next == 0) next = gone + 1;
  }
  // Ids of one run follow each other.
  if (after >= ids_.base() && next > after + 1) page.missed = next - after - 1;
  return page;
}

std::unique_ptr<LogFollower> FileLogStore::follow(std::string_view function,
                                                  std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  auto& state = state_of(function);
  auto follower =
      std::make_unique<Follower>(*this, std::string(function), state.last, std::move(wake));
  state.followers.insert(follower.get());
  if (stopping_) follower->finish(LogFollower::End::stopped);
  return follower;
}

void FileLogStore::wake(State& state) {
  for (auto* follower : state.followers) follower->wake();
}

void FileLogStore::end_all(State& state, LogFollower::End how) {
  for (auto* follower : state.followers) follower->finish(how);
  state.followers.clear();
}

void FileLogStore::remove(Follower& follower) {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(follower.function());
  if (found != states_.end()) found->second.followers.erase(&follower);
}

void FileLogStore::end_followers() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& [function, state] : states_) end_all(state, LogFollower::End::stopped);
}

}  // namespace lambda::observe
