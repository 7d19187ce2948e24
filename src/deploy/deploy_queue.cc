#include "deploy/deploy_queue.h"

#include <utility>

namespace lambda::deploy {

Task<DeployQueue::Turn> DeployQueue::wait_turn(std::string name) {
  const auto executor = co_await asio::this_coro::executor;
  std::shared_ptr<Waiter> waiter;
  {
    const std::lock_guard lock(mutex_);
    const auto [line, first] = lines_.try_emplace(name);
    if (!first) {
      waiter = std::make_shared<Waiter>(executor);
      line->second.push_back(waiter);
    }
  }
  if (waiter) {
    // The turn comes to whoever is in line, so it must be taken even when the caller has gone away.
    co_await waiter->called.wait_through();
  }
  co_return Turn(*this, std::move(name));
}

void DeployQueue::pass_on(const std::string& name) {
  std::shared_ptr<Waiter> next;
  {
    const std::lock_guard lock(mutex_);
    const auto line = lines_.find(name);
    if (line->second.empty()) {
      lines_.erase(line);
      return;
    }
    next = std::move(line->second.front());
    line->second.pop_front();
  }
  auto call = [next] { next->called.set(); };
  asio::post(next->executor, std::move(call));
}

}  // namespace lambda::deploy
