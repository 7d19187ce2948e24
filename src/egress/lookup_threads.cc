#include "egress/lookup_threads.h"

#include "base/clock.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <utility>

namespace lambda::egress {

struct LookupThreads::Shared {
  struct Asked {
    std::string name;
    Tell tell;
  };

  LookUp look_up;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Asked> asked;
  bool left = false;
};

LookupThreads::LookupThreads(unsigned threads, LookUp look_up)
    : shared_(std::make_shared<Shared>()) {
  shared_->look_up = std::move(look_up);
  for (unsigned i = 0; i < threads; ++i) std::thread([shared = shared_] { run(shared); }).detach();
}

LookupThreads::~LookupThreads() {
  leave();
}

void LookupThreads::ask(std::string name, Tell tell) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->left) return;
    shared_->asked.push_back({std::move(name), std::move(tell)});
  }
  shared_->wake.notify_one();
}

void LookupThreads::leave() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->left = true;
    shared_->asked.clear();
  }
  shared_->wake.notify_all();
}

void LookupThreads::run(const std::shared_ptr<Shared>& shared) {
  ::pthread_setname_np(::pthread_self(), "names");
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->wake.wait(lock, [&shared] { return shared->left || !shared->asked.empty(); });
    if (shared->left) return;
    const auto asked = std::move(shared->asked.front());
    shared->asked.pop_front();
    lock.unlock();
    const auto began = std::chrono::steady_clock::now();
    auto found = shared->look_up(asked.name);
    const auto took = elapsed_since(began);
    lock.lock();
    // With the lock: whoever leaves knows that nobody tells anything.
    if (shared->left) return;
    asked.tell(std::move(found), took);
  }
}

}  // namespace lambda::egress
