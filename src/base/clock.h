// Clock: the time of day and the steady clock behind one interface, so that tests move time
// themselves. now() and steady_now() may be called from any thread.
#pragma once

#include <atomic>
#include <chrono>

namespace lambda {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

// For timings, which the real clock alone tells.
[[nodiscard]] inline std::chrono::microseconds elapsed_since(SteadyTime start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               start);
}

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
  [[nodiscard]] virtual SteadyTime steady_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }
};

// Starts at 2026-01-02T03:04:05Z and moves only by advance() and set().
class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    return WallTime(std::chrono::milliseconds(1767323045000 + offset_ms_.load() + set_ms_.load()));
  }
  [[nodiscard]] SteadyTime steady_now() const override {
    return SteadyTime(std::chrono::milliseconds(1'000'000 + offset_ms_.load()));
  }
  void advance(std::chrono::milliseconds step) { offset_ms_ += step.count(); }
  // As somebody sets the time of day: the steady clock goes on.
  void set(std::chrono::milliseconds step) { set_ms_ += step.count(); }

 private:
  std::atomic<std::chrono::milliseconds::rep> offset_ms_{0};
  std::atomic<std::chrono::milliseconds::rep> set_ms_{0};
};

}  // namespace lambda
