#include "observe/log_memory.h"

#include <algorithm>
#include <utility>

namespace lambda::observe {

LogMemory::Ring& LogMemory::ring_of(const std::string& function, std::uint64_t gone) {
  if (const auto found = by_function_.find(function); found != by_function_.end()) {
    rings_.splice(rings_.begin(), rings_, found->second);
    return rings_.front();
  }
  rings_.emplace_front();
  auto& ring = rings_.front();
  ring.function = function;
  ring.gone = gone;
  by_function_.emplace(function, rings_.begin());
  return ring;
}

const LogMemory::Ring* LogMemory::find(std::string_view function) const {
  const auto found = by_function_.find(function);
  return found == by_function_.end() ? nullptr : &*found->second;
}

void LogMemory::drop_oldest(Ring& ring) {
  const std::size_t cost = ring.lines.front()->cost();
  ring.gone = ring.lines.front()->id;
  ring.lines.pop_front();
  ring.bytes -= cost;
  bytes_ -= cost;
}

void LogMemory::keep(const std::string& function, LinePtr line, std::uint64_t gone) {
  auto& ring = ring_of(function, gone);
  const std::size_t cost = line->cost();
  ring.lines.push_back(std::move(line));
  ring.bytes += cost;
  bytes_ += cost;
  while (ring.bytes > function_bytes_ && ring.lines.size() > 1) drop_oldest(ring);
  // Functions that have been silent the longest give way.
  while (bytes_ > all_bytes_ && rings_.size() > 1) {
    auto& coldest = rings_.back();
    bytes_ -= coldest.bytes;
    by_function_.erase(coldest.function);
    rings_.pop_back();
  }
}

void LogMemory::forget(std::string_view function) {
  const auto found = by_function_.find(function);
  if (found == by_function_.end()) return;
  bytes_ -= found->second->bytes;
  rings_.erase(found->second);
  by_function_.erase(found);
}

std::optional<std::uint64_t> LogMemory::gone(std::string_view function) const {
  const auto* ring = find(function);
  if (ring == nullptr) return std::nullopt;
  return ring->gone;
}

std::vector<LinePtr> LogMemory::all(std::string_view function) const {
  const auto* ring = find(function);
  if (ring == nullptr) return {};
  return {ring->lines.begin(), ring->lines.end()};
}

std::vector<LinePtr> LogMemory::after(std::string_view function, std::uint64_t id,
                                      std::size_t most) const {
  const auto* ring = find(function);
  if (ring == nullptr) return {};
  const auto begin = std::ranges::upper_bound(ring->lines, id, std::less<>(),
                                              [](const LinePtr& line) { return line->id; });
  const auto left = static_cast<std::size_t>(ring->lines.end() - begin);
  return {begin, begin + static_cast<std::ptrdiff_t>(std::min(most, left))};
}

}  // namespace lambda::observe
