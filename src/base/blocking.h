// BlockingPool: named worker threads for work that blocks (SQLite, archives, builds), so that no
// event loop does.
//
//   auto job = [&catalog, name] { return catalog.find(name); };     // name it: see CONTRIBUTING.md
//   auto found = co_await run_blocking(store_thread, std::move(job));
//
// The job runs on one of the pool's threads; the coroutine resumes on its own loop. The job must
// return a value (Result<Done> where there is nothing to say). An exception out of the job is
// rethrown in the coroutine. A cancellation waits for the job's end. A pool with one thread runs
// its jobs in the order in which they were given. The destructor finish()es.
#pragma once

#include "base/async.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace lambda {

// What a Result holds when success has nothing to say.
struct Done {};

class BlockingPool {
 public:
  BlockingPool(std::string name, unsigned threads);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Any thread. The job must not throw. After finish() it is destroyed instead of run.
  void post(std::function<void()> job);
  // Returns when everything that was given is done, and the threads have ended.
  void finish();

 private:
  void run(const std::string& name);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

template <class Job>
Task<std::invoke_result_t<Job>> run_blocking(BlockingPool& pool, Job job) {
  using Value = std::invoke_result_t<Job>;
  // Shared with the worker thread; lives until both sides are done with it.
  struct State {
    explicit State(Job work) : job(std::move(work)) {}
    Job job;
    std::optional<Value> value;
    std::exception_ptr error;
    AsyncEvent done;
  };
  auto executor = co_await asio::this_coro::executor;
  auto state = std::make_shared<State>(std::move(job));
  auto on_worker = [state, executor] {
    try {
      state->value.emplace(state->job());
    } catch (...) {
      state->error = std::current_exception();
    }
    auto wake = [state] { state->done.set(); };
    asio::post(executor, std::move(wake));
  };
  pool.post(std::move(on_worker));
  // A blocking job cannot be cancelled half-way: its result is awaited whatever happens to the
  // caller.
  co_await state->done.wait_through();
  if (state->error) std::rethrow_exception(state->error);
  co_return std::move(*state->value);
}

// What works through no more than this on a loop does not hold up the loop's others.
inline constexpr std::size_t kBytesOnLoop = 256 * 1024;

// Runs a job that works through so many bytes, such as a digest of them: here where they are few,
// on the pool where they are many.
template <class Job>
Task<std::invoke_result_t<Job>> run_sized(BlockingPool& pool, std::size_t bytes, Job job) {
  if (bytes <= kBytesOnLoop) co_return job();
  co_return co_await run_blocking(pool, std::move(job));
}

}  // namespace lambda
