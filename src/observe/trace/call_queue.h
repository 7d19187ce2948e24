// CallQueue: calls on their way from the loops to one thread that does something slow with them.
// Giving takes no lock and never waits: what there is no room for is counted instead.
//
// Threads: give() on any, take() and wait() on one.
#pragma once

#include "observe/trace/kept_call.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace lambda::observe {

class CallQueue {
 public:
  explicit CallQueue(std::size_t limit) : limit_(limit) {}
  ~CallQueue() { take(); }
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // False where it is full.
  bool give(const CallRecord& call, bool slow) {
    if (size_.load(std::memory_order_relaxed) >= limit_) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    auto owned = std::make_unique<Node>(KeptCall(call, slow));
    size_.fetch_add(1, std::memory_order_relaxed);
    auto* const node = owned.release();
    node->next = head_.load(std::memory_order_relaxed);
    while (!head_.compare_exchange_weak(node->next, node, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
    return true;
  }
  // All that there are, oldest first.
  std::vector<KeptCall> take() {
    std::vector<KeptCall> calls;
    auto* node = head_.exchange(nullptr, std::memory_order_acquire);
    while (node != nullptr) {
      const std::unique_ptr<Node> owned(node);
      calls.push_back(std::move(owned->call));
      node = owned->next;
    }
    size_.fetch_sub(calls.size(), std::memory_order_relaxed);
    std::reverse(calls.begin(), calls.end());
    return calls;
  }
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct Node {
    explicit Node(KeptCall kept) : call(std::move(kept)) {}
    KeptCall call;
    Node* next = nullptr;
  };
  const std::size_t limit_;
  std::atomic<Node*> head_ = nullptr;
  std::atomic<std::size_t> size_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace lambda::observe
