// Steps of acquire(): a free slot -> else get in line, and start an instance when that is cheaper
// than waiting -> be given an instance, or the failure of a start.
#include "pool/instance_pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace lambda::pool {
namespace {

using std::chrono::microseconds;

// Each new value counts for a quarter.
microseconds blend(microseconds average, microseconds value) {
  return (average * 3 + value) / 4;
}

microseconds since(SteadyTime start) {
  return std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - start);
}

}  // namespace

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back();
    pool_ = std::move(other.pool_);
    instance_ = std::move(other.instance_);
    cold_ = other.cold_;
    waited_ = other.waited_;
    taken_ = other.taken_;
  }
  return *this;
}

void Lease::give_back() {
  if (instance_) pool_->release(std::move(instance_), since(taken_));
  instance_.reset();
  pool_.reset();
}

InstancePool::InstancePool(LoopExecutor executor, function::VersionPtr version, PoolLimits limits,
                           InstanceBudget& budget, StartInstance start,
                           std::function<void()> make_room, const Clock& clock)
    : executor_(executor),
      version_(std::move(version)),
      limits_(limits),
      budget_(budget),
      start_(std::move(start)),
      make_room_(std::move(make_room)),
      clock_(clock) {}

// --- taking and giving back

std::shared_ptr<Instance> InstancePool::take_free() {
  while (!free_.empty()) {
    auto instance = free_.back();
    if (instance->ended().is_set() || instance->retired) {
      free_.pop_back();
      continue;
    }
    if (++instance->slots_used >= instance->slots) free_.pop_back();
    return instance;
  }
  return nullptr;
}

Task<Result<Lease>> InstancePool::acquire(std::optional<InitFailure>& init_failure) {
  const auto self = shared_from_this();
  const auto begin = std::chrono::steady_clock::now();
  if (retired_)
    co_return fail(ErrorCode::unavailable, "version {} of {} was replaced", version_->label(),
                   version_->function);
  if (auto instance = take_free()) {
    const bool cold = !instance->served;
    co_return Lease(self, std::move(instance), cold, microseconds(0));
  }
  if (line_.size() >= limits_.waiting_calls) {
    co_return fail(ErrorCode::overloaded, "{} calls wait for function {} already", line_.size(),
                   version_->function);
  }
  auto waiter = std::make_shared<Waiter>();
  line_.push_back(waiter);
  const auto deadline = begin + limits_.longest_wait;
  while (!waiter->given.is_set() && std::chrono::steady_clock::now() < deadline) {
    if (may_start() && std::max(expected_wait(), since(begin)) > start_cost_)
      begin_start_for_line();
    // Look again after the time of a start: the calls ahead may take longer than they used to.
    const auto look_again = std::min(
        deadline, std::chrono::steady_clock::now() + std::max(start_cost_, microseconds(5000)));
    co_await waiter->given.wait_until(look_again);
  }
  if (!waiter->given.is_set()) {
    std::erase(line_, waiter);
    co_return fail(ErrorCode::overloaded, "no instance of function {} became free within {} s",
                   version_->function,
                   std::chrono::duration_cast<std::chrono::seconds>(limits_.longest_wait).count());
  }
  if (waiter->error) co_return fail(std::move(*waiter->error));
  init_failure = std::move(waiter->init_failure);
  if (!waiter->instance) co_return Lease();
  const bool cold = !waiter->instance->served;
  co_return Lease(self, std::move(waiter->instance), cold, since(begin));
}

void InstancePool::release(std::shared_ptr<Instance> instance, microseconds held) {
  call_time_ = blend(call_time_, held);
  --instance->slots_used;
  instance->idle_since = clock_.steady_now();
  if (instance->ended().is_set()) return;  // watch() forgets it
  if (instance->retired && instance->slots_used == 0) {
    asio::co_spawn(executor_, end_instance(shared_from_this(), instance), asio::detached);
    return;
  }
  asio::co_spawn(executor_, make_ready(shared_from_this(), std::move(instance)), asio::detached);
}

// A handler's instance is free again when its runtime asks for the next event, which is a moment
// after its response.
Task<void> InstancePool::make_ready(std::shared_ptr<InstancePool> self,
                                    std::shared_ptr<Instance> instance) {
  if (co_await instance->wait_until_ready_again()) {
    offer(instance);
  } else {
    co_await end_instance(self, instance);
  }
}

void InstancePool::offer(const std::shared_ptr<Instance>& instance) {
  if (instance->ended().is_set() || instance->retired) return;
  while (!line_.empty() && instance->slots_used < instance->slots) {
    auto waiter = std::move(line_.front());
    line_.pop_front();
    ++instance->slots_used;
    waiter->instance = instance;
    waiter->given.set();
  }
  const bool listed = std::ranges::find(free_, instance) != free_.end();
  if (instance->slots_used < instance->slots && !listed) free_.push_back(instance);
}

// --- starting

bool InstancePool::may_start() const {
  return !retired_ && starting_ < line_.size() && size() < limits_.instances_per_version;
}

microseconds InstancePool::expected_wait() const {
  std::size_t slots = 0;
  for (const auto& instance : instances_) {
    if (!instance->ended().is_set()) slots += instance->slots;
  }
  if (slots == 0) return microseconds::max();
  const auto ahead = line_.size() - std::min(line_.size(), starting_);
  return call_time_ * static_cast<std::int64_t>(ahead) / static_cast<std::int64_t>(slots);
}

Task<Result<std::shared_ptr<Instance>>> InstancePool::start_one() {
  const auto begin = std::chrono::steady_clock::now();
  auto instance = co_await start_(version_);
  --starting_;
  if (!instance) {
    budget_.give_back();
    co_return instance;
  }
  start_cost_ = blend(start_cost_, since(begin));
  const bool http = version_->configuration.kind == function::Kind::http;
  (*instance)->slots = http ? limits_.http_slots : 1;
  (*instance)->retired = retired_;
  instances_.push_back(*instance);
  asio::co_spawn(executor_, watch(shared_from_this(), *instance), asio::detached);
  co_return instance;
}

void InstancePool::begin_start_for_line() {
  if (budget_.take()) {
    ++starting_;
    asio::co_spawn(executor_, start_for_line(shared_from_this()), asio::detached);
  } else {
    make_room_();  // the call waits on and looks again
  }
}

Task<void> InstancePool::start_for_line(std::shared_ptr<InstancePool> self) {
  auto started = co_await start_one();
  if (!started) {
    fail_first(std::move(started.error()), std::nullopt);
    co_return;
  }
  auto& instance = **started;
  if (const auto& failure = instance.init_failure()) {
    InitFailure told{*failure, instance.init_log(), instance.init_time()};
    fail_first(std::nullopt, std::move(told));
    asio::co_spawn(executor_, end_instance(self, *started), asio::detached);
    co_return;
  }
  if (retired_) {
    asio::co_spawn(executor_, end_instance(self, *started), asio::detached);
    co_return;
  }
  instance.idle_since = clock_.steady_now();
  offer(*started);
}

Task<Result<std::optional<InstancePool::InitFailure>>> InstancePool::start_ahead() {
  const auto self = shared_from_this();
  if (!budget_.take()) {
    co_return fail(ErrorCode::overloaded, "this server runs {} instances already, its limit",
                   budget_.limit());
  }
  ++starting_;
  auto started = co_await start_one();
  if (!started) co_return fail(std::move(started.error()));
  if (const auto& failure = (*started)->init_failure()) {
    InitFailure told{*failure, (*started)->init_log(), (*started)->init_time()};
    asio::co_spawn(executor_, end_instance(self, *started), asio::detached);
    co_return std::optional<InitFailure>(std::move(told));
  }
  (*started)->idle_since = clock_.steady_now();
  offer(*started);
  co_return std::optional<InitFailure>();
}

void InstancePool::fail_first(std::optional<Error> error, std::optional<InitFailure> init_failure) {
  if (line_.empty()) {
    if (error) spdlog::warn("{}", error->message());
    return;
  }
  auto waiter = std::move(line_.front());
  line_.pop_front();
  waiter->error = std::move(error);
  waiter->init_failure = std::move(init_failure);
  waiter->given.set();
}

// --- ending

Task<void> InstancePool::watch(std::shared_ptr<InstancePool> self,
                               std::shared_ptr<Instance> instance) {
  co_await instance->ended().wait();
  std::erase(free_, instance);
  co_await end_instance(self, instance);
}

Task<void> InstancePool::end_instance(std::shared_ptr<InstancePool> self,
                                      std::shared_ptr<Instance> instance) {
  instance->retired = true;
  std::erase(free_, instance);
  co_await instance->end();
  forget(instance);
}

void InstancePool::forget(const std::shared_ptr<Instance>& instance) {
  if (std::erase(instances_, instance) == 0) return;
  budget_.give_back();
  if (size() == 0) emptied_.set();
}

void InstancePool::retire() {
  retired_ = true;
  const auto all = instances_;
  for (const auto& instance : all) {
    instance->retired = true;
    if (instance->slots_used == 0)
      asio::co_spawn(executor_, end_instance(shared_from_this(), instance), asio::detached);
  }
}

std::size_t InstancePool::end_idle(SteadyTime now) {
  const auto all = instances_;
  for (const auto& instance : all) {
    if (instance->slots_used == 0 && !instance->retired &&
        now - instance->idle_since >= limits_.idle_time) {
      instance->retired = true;
      asio::co_spawn(executor_, end_instance(shared_from_this(), instance), asio::detached);
    }
  }
  return size();
}

std::optional<SteadyTime> InstancePool::oldest_idle() const {
  std::optional<SteadyTime> oldest;
  for (const auto& instance : free_) {
    if (instance->slots_used == 0 && (!oldest || instance->idle_since < *oldest))
      oldest = instance->idle_since;
  }
  return oldest;
}

bool InstancePool::end_one_idle() {
  for (const auto& instance : free_) {
    if (instance->slots_used != 0) continue;
    auto chosen = instance;
    chosen->retired = true;
    asio::co_spawn(executor_, end_instance(shared_from_this(), std::move(chosen)), asio::detached);
    return true;
  }
  return false;
}

void InstancePool::end_all() {
  const auto all = instances_;
  for (const auto& instance : all) instance->ended().set();
}

Task<void> InstancePool::wait_empty(SteadyTime deadline) {
  const auto self = shared_from_this();
  while (size() != 0 && std::chrono::steady_clock::now() < deadline) {
    emptied_.reset();
    co_await emptied_.wait_until(deadline);
  }
}

}  // namespace lambda::pool
