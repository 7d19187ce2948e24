#include "base/blocking.h"

#include <pthread.h>

namespace lambda {

BlockingPool::BlockingPool(std::string name, unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this, name] { run(name); });
}

BlockingPool::~BlockingPool() {
  finish();
}

void BlockingPool::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void BlockingPool::post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void BlockingPool::run(const std::string& name) {
  // The kernel keeps 15 characters of a thread's name.
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace lambda
