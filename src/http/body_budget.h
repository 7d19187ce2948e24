// BodyBudget: how much of bodies the server holds in memory at once, for all loops and connections
// together. Whoever may connect may send a body; without it, enough of them are all the memory.
//
// Bytes count as they come, until their request is answered. Large bodies leave an eighth to small
// ones, so that a server full of uploads still answers small calls. Any thread; a Share belongs to
// one connection.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace lambda::http {

// A body of no more is not counted: its connection's own buffers cost as much.
inline constexpr std::size_t kUncountedBody = 4 * 1024;
// A body of no more may have what is kept from larger ones.
inline constexpr std::size_t kSmallBody = 64 * 1024;

class BodyBudget {
 public:
  explicit BodyBudget(std::size_t limit) : limit_(limit) {}
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  // What one connection holds; given back when it is destroyed.
  class Share {
   public:
    // Without a budget everything fits. The budget outlives it.
    explicit Share(BodyBudget* budget) : budget_(budget) {}
    ~Share() { release(); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Holds `bytes` altogether. False, and nothing changes, where there is no room for `expected`
    // or for so many: a body that cannot fit is refused while it is short.
    [[nodiscard]] bool grow_to(std::size_t bytes, std::size_t expected) {
      expected = std::max(bytes, expected);
      if (budget_ == nullptr || expected <= std::max(kUncountedBody, taken_)) return true;
      if (!budget_->take(bytes > taken_ ? bytes - taken_ : 0, expected, taken_)) return false;
      taken_ = std::max(taken_, bytes);
      return true;
    }
    void release() {
      if (taken_ > 0) budget_->used_ -= taken_;
      taken_ = 0;
    }

   private:
    BodyBudget* budget_;
    std::size_t taken_ = 0;
  };

  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t limit() const { return limit_; }

 private:
  bool take(std::size_t more, std::size_t expected, std::size_t taken) {
    const std::size_t ceiling = expected > kSmallBody ? limit_ - limit_ / 8 : limit_;
    auto used = used_.load();
    while (used - std::min(used, taken) + expected <= ceiling) {
      if (used_.compare_exchange_weak(used, used + more)) return true;
    }
    return false;
  }

  std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

}  // namespace lambda::http
