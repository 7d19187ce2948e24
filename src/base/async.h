// Task<T>: a coroutine on one event loop, and the tokens that make Asio operations return errors as
// values.
//
// A Task runs on the loop (io_context, one thread) it was spawned on and never changes it. Rules
// that the compiler does not check are in CONTRIBUTING.md ("Coroutines"): name every closure and
// aggregate before a co_await.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace lambda {

namespace asio = boost::asio;

// An event loop; one thread runs it.
class Loop : public asio::io_context {  // Asio derives from it to see whether it is an executor
 public:
  using asio::io_context::io_context;
  // Destroys every coroutine that waits on it, while what they work with is still there. After
  // run() has returned for good.
  void abandon() { shutdown(); }
};
using LoopExecutor = Loop::executor_type;

template <class T>
using Task = asio::awaitable<T, LoopExecutor>;

// co_await timer.async_wait(kAsTuple) -> std::tuple<error_code>
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable_t<LoopExecutor>());
inline constexpr asio::use_awaitable_t<LoopExecutor> kUseAwaitable{};

using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;

// Waits on the current loop. Returns false when it was cancelled first.
inline Task<bool> sleep_for(std::chrono::steady_clock::duration duration) {
  auto executor = co_await asio::this_coro::executor;
  Timer timer(executor, duration);
  auto [error] = co_await timer.async_wait(kAsTuple);
  co_return !error;
}

// Runs `task` on `loop`; at once, without a hop, when the caller is there already. The answer comes
// on the caller's loop.
template <class T>
Task<T> cross_to(Loop& loop, Task<T> task) {
  const auto here = co_await asio::this_coro::executor;
  if (here == loop.get_executor()) co_return co_await std::move(task);
  co_return co_await asio::co_spawn(loop.get_executor(), std::move(task), kUseAwaitable);
}

// A level-triggered flag that coroutines of one loop wait for: set() wakes every waiter and stays
// set until reset(). One loop only. Must outlive its waiters.
class AsyncEvent {
 public:
  [[nodiscard]] bool is_set() const { return set_; }
  void set() {
    set_ = true;
    for (Timer* waiter : waiters_) waiter->cancel();
  }
  void reset() { set_ = false; }

  // True when set before the deadline; false at the deadline or when the coroutine was cancelled.
  Task<bool> wait_until(std::chrono::steady_clock::time_point deadline) {
    auto executor = co_await asio::this_coro::executor;
    while (!set_) {
      Timer timer(executor, deadline);
      waiters_.push_back(&timer);
      auto [error] = co_await timer.async_wait(kAsTuple);
      std::erase(waiters_, &timer);
      auto state = co_await asio::this_coro::cancellation_state;
      const bool cancelled = state.cancelled() != asio::cancellation_type::none;
      if (!set_ && (!error || cancelled)) co_return false;
    }
    co_return true;
  }
  Task<bool> wait() { return wait_until(std::chrono::steady_clock::time_point::max()); }
  // For what must be waited for whatever happens to the caller: a cancellation does not end it, and
  // is seen by the caller's next wait. (this_coro::reset_cancellation_state would change what all
  // the callers above asked for, and forget one that has come.)
  Task<void> wait_through() {
    if (set_) co_return;
    Timer timer(co_await asio::this_coro::executor, std::chrono::steady_clock::time_point::max());
    waiters_.push_back(&timer);
    auto without_slot = asio::bind_cancellation_slot(asio::cancellation_slot(), kAsTuple);
    co_await timer.async_wait(without_slot);
    std::erase(waiters_, &timer);
  }

 private:
  std::vector<Timer*> waiters_;
  bool set_ = false;
};

}  // namespace lambda
