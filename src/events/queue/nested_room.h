// Room in which a part may be taken by some only, and a part of that by fewer: all, those that have
// not proved to work, those that fail. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

namespace lambda::events {

class NestedRoom {
 public:
  static constexpr auto kNone = std::numeric_limits<std::size_t>::max();  // no limit
  static constexpr std::size_t kDepths = 3;

  NestedRoom() { left_.fill(kNone); }
  // What each part has at the most, from the outermost on.
  explicit NestedRoom(const std::array<std::size_t, kDepths>& most) : left_(most) {}

  // What one of that depth finds.
  [[nodiscard]] std::size_t of(std::size_t depth) const {
    return *std::min_element(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(depth) + 1);
  }
  // The last one may take more than there is.
  void take(std::size_t depth, std::size_t amount) {
    for (std::size_t i = 0; i <= depth; ++i) {
      if (left_[i] != kNone) left_[i] -= std::min(left_[i], amount);
    }
  }

 private:
  std::array<std::size_t, kDepths> left_{};
};

}  // namespace lambda::events
