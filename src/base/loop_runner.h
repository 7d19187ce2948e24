// For tests alone: runs coroutines, and what they wait for, on a loop of the test's own thread. An
// exception of a coroutine comes out of whatever runs the loop.
#pragma once

#include "base/async.h"

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace lambda {

// Runs the loop until it holds; false when it does not within that time.
template <class Condition>
[[nodiscard]] bool run_until(Loop& loop, Condition holds,
                             std::chrono::seconds time = std::chrono::seconds(20)) {
  const auto limit = std::chrono::steady_clock::now() + time;
  // What other threads work at keeps no loop busy.
  const auto guard = asio::make_work_guard(loop);
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= limit) return false;
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(10));
  }
  return true;
}

// A coroutine that was begun, and what it came to.
template <class T>
struct Begun {
  std::optional<T> value;
  [[nodiscard]] bool done() const { return value.has_value(); }
};

template <class T>
std::shared_ptr<Begun<T>> begin_on(Loop& loop, Task<T> task) {
  auto begun = std::make_shared<Begun<T>>();
  auto store = [begun](const std::exception_ptr& thrown, T value) {
    if (thrown) std::rethrow_exception(thrown);
    begun->value.emplace(std::move(value));
  };
  asio::co_spawn(loop, std::move(task), std::move(store));
  return begun;
}

// Runs it to its end. What it waits for has a deadline of its own; the limit here is for what
// hangs.
template <class T>
T run_on(Loop& loop, Task<T> task) {
  const auto begun = begin_on(loop, std::move(task));
  const auto ended = [&begun] { return begun->done(); };
  if (!run_until(loop, ended, std::chrono::seconds(100)))
    throw std::runtime_error("a coroutine did not end");
  return std::move(*begun->value);
}

inline void run_on(Loop& loop, Task<void> task) {
  auto counted = [](Task<void> inner) -> Task<bool> {
    co_await std::move(inner);
    co_return true;
  };
  run_on(loop, counted(std::move(task)));
}

}  // namespace lambda
