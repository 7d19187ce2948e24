// One who follows, as the store sees it. Included by .cc files of observe/ alone.
#pragma once

#include "observe/file_log_store.h"

#include <atomic>
#include <string>
#include <utility>

namespace lambda::observe {

class FileLogStore::Follower final : public LogFollower {
 public:
  Follower(FileLogStore& store, std::string function, std::uint64_t start,
           std::function<void()> wake)
      : store_(store), function_(std::move(function)), start_(start), wake_(std::move(wake)) {}
  ~Follower() override { store_.remove(*this); }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  [[nodiscard]] std::uint64_t start() const override { return start_; }
  void rearm() override { woken_ = false; }
  [[nodiscard]] End end() const override { return end_; }
  [[nodiscard]] const std::string& function() const { return function_; }

  // Under the store's lock.
  void wake() {
    if (!woken_.exchange(true)) wake_();
  }
  void finish(End how) {
    end_ = how;
    woken_ = true;
    wake_();
  }

 private:
  FileLogStore& store_;
  const std::string function_;
  const std::uint64_t start_;
  const std::function<void()> wake_;
  std::atomic<bool> woken_{false};
  std::atomic<End> end_{End::none};
};

}  // namespace lambda::observe
