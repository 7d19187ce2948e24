// What becomes of instances between calls: frozen soon, given up after a while or where others need
// the room.
#include "base/background.h"
#include "pool/instance_pool.h"

#include <algorithm>

namespace lambda::pool {
namespace {

using std::chrono::milliseconds;

// So many instances of a pool are being frozen at the same time, and after so long there may be
// room for more: what comes to their driver meanwhile has to wait for no more than that.
constexpr std::size_t kMotionsAtOnce = 8;
constexpr milliseconds kMotionPause{5};

}  // namespace

void InstancePool::freeze_later() {
  if (limits_.freeze_after.count() == 0 || free_.empty() || watching_idle_) return;
  watching_idle_ = true;
  asio::co_spawn(executor_, watch_idle(weak_from_this(), limits_.freeze_after),
                 in_background("the watch over idle instances"));
}

// Does not keep the pool. While calls come it looks round about once in `freeze_after`, and not at
// all once everything is frozen.
Task<void> InstancePool::watch_idle(std::weak_ptr<InstancePool> pool, milliseconds pause) {
  while (true) {
    const bool slept = co_await sleep_for(pause);
    const auto self = pool.lock();
    if (!slept || !self) co_return;
    const auto next = self->freeze_idle(self->clock_.steady_now());
    if (!next) {
      self->watching_idle_ = false;
      co_return;
    }
    pause = *next;
  }
}

std::optional<milliseconds> InstancePool::freeze_idle(SteadyTime now) {
  auto moving = static_cast<std::size_t>(std::ranges::count_if(
      instances_, [](const auto& one) { return one->moving() && !one->ended().is_set(); }));
  std::optional<milliseconds> next;
  for (const auto& instance : free_) {
    if (instance->slots_used > 0 || !instance->runs() || !instance->can_freeze()) continue;
    const auto due = instance->idle_since + limits_.freeze_after;
    if (due <= now && moving < kMotionsAtOnce) {
      instance->freeze();
      ++moving;
      continue;
    }
    const auto left =
        std::max(kMotionPause, std::chrono::ceil<milliseconds>(std::max(due, now) - now));
    next = next ? std::min(*next, left) : left;
  }
  return next;
}

std::size_t InstancePool::end_idle(SteadyTime now) {
  std::chrono::milliseconds limit = limits_.idle_time;
  if (const auto own = version_->configuration.idle_seconds) limit = std::chrono::seconds(*own);
  end_idle_since(now - limit, Which::spare);
  return size();
}

// The one that is idle longest first.
std::vector<std::shared_ptr<Instance>> InstancePool::idle_ones(Which which) const {
  std::vector<std::shared_ptr<Instance>> idle;
  for (const auto& instance : free_) {
    const bool gone = instance->retired || instance->ended().is_set();
    if (instance->slots_used == 0 && !gone) idle.push_back(instance);
  }
  std::ranges::sort(idle, {}, [](const auto& one) { return one->idle_since; });
  if (which == Which::kept_too) return idle;
  const auto all = alive();
  const auto spare = all > kept_ ? all - kept_ : 0;
  if (idle.size() > spare) idle.resize(spare);
  return idle;
}

void InstancePool::list_idle(std::vector<Idle>& all) const {
  const auto spare = idle_ones(Which::spare).size();
  std::size_t count = 0;
  for (const auto& instance : idle_ones(Which::kept_too))
    all.push_back({instance->idle_since, instance->memory_bytes(), ++count > spare});
}

std::size_t InstancePool::end_idle_since(SteadyTime since, Which which) {
  std::size_t ended = 0;
  for (const auto& instance : idle_ones(which)) {
    if (instance->idle_since > since) break;
    end_soon(instance);
    ++ended;
  }
  return ended;
}

std::optional<SteadyTime> InstancePool::oldest_idle(Which which) const {
  const auto idle = idle_ones(which);
  if (idle.empty()) return std::nullopt;
  return idle.front()->idle_since;
}

observe::InstanceCounts InstancePool::counts() const {
  observe::InstanceCounts counts;
  counts.starting = starting_;
  counts.waiting_calls = line_.size();
  for (const auto& instance : instances_) {
    counts.memory_bytes += instance->memory_bytes();
    if (instance->ending || instance->ended().is_set()) {
      ++counts.ending;
    } else if (instance->slots_used > 0) {
      ++counts.busy;
    } else if (!instance->runs()) {
      ++counts.frozen;
    } else {
      ++counts.idle;
    }
  }
  return counts;
}

bool InstancePool::end_one_idle(Which which) {
  const auto idle = idle_ones(which);
  if (idle.empty()) return false;
  end_soon(idle.front());
  return true;
}

bool InstancePool::room_is_coming() const {
  return std::ranges::any_of(instances_, [](const auto& instance) { return instance->ending; });
}

}  // namespace lambda::pool
