// One event loop a thread, from start() to stop(), each watched for stalls. The object graph is
// built before start() and torn down after stop() and abandon().
#pragma once

#include "base/async.h"
#include "server/loop_watch.h"

#include <memory>
#include <thread>
#include <vector>

namespace lambda::server {

class LoopThreads {
 public:
  explicit LoopThreads(unsigned count);
  ~LoopThreads();
  LoopThreads(const LoopThreads&) = delete;
  LoopThreads& operator=(const LoopThreads&) = delete;

  [[nodiscard]] std::vector<Loop*> loops() const;
  // One a loop. Any thread.
  [[nodiscard]] const std::vector<std::unique_ptr<LoopWatch>>& watches() const { return watches_; }
  void start();
  // Ends the loops, whatever they still have to do, and joins their threads.
  void stop();
  // Then: ends the coroutines that still wait somewhere, and what these begin while they go.
  void abandon();

 private:
  using Guard = asio::executor_work_guard<LoopExecutor>;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<LoopWatch>> watches_;
  std::vector<Guard> guards_;
  std::vector<std::thread> threads_;
};

}  // namespace lambda::server
