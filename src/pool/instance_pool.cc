// Steps of acquire(): a free slot, of an instance that is thawed first where it was frozen -> else
// get in line, and start an instance when that is cheaper than waiting -> be given an instance, or
// the failure of a start.
#include "pool/instance_pool.h"

#include "base/background.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace lambda::pool {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Each new value counts for a quarter.
microseconds blend(microseconds average, microseconds value) {
  return (average * 3 + value) / 4;
}

// What a runtime reported of itself is in the function's log alone.
std::string words_of(const Failure& failure) {
  if (!failure.reason.empty()) return failure.reason;
  return fmt::format("its initialisation failed with {} (see its log)", failure.type);
}

microseconds between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<microseconds>(to - from);
}

constexpr milliseconds kRoomPause{10};
// As AWS calls what comes nearest.
constexpr const char* kLineIsFull = "FunctionInvocationRateLimitExceeded";
constexpr const char* kNothingFree = "ConcurrentInvocationLimitExceeded";
// Between starts of instances that are kept, where one failed.
constexpr std::chrono::seconds kLongestKeptPause{60};
// A call that is over its timeout ends of itself, and says so; whoever ends its instance from
// outside comes so much later.
constexpr std::chrono::seconds kAfterTimeout{1};

}  // namespace

Task<bool> take_room(InstanceBudget& budget, MakeRoom make_room, SteadyTime deadline, RoomFor who) {
  while (!budget.take()) {
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    make_room(who);
    co_await sleep_for(kRoomPause);
  }
  co_return true;
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back();
    pool_ = std::move(other.pool_);
    instance_ = std::move(other.instance_);
    cold_ = other.cold_;
    waited_ = other.waited_;
    taken_ = other.taken_;
    thaw_ = other.thaw_;
  }
  return *this;
}

void Lease::give_back() {
  if (instance_) pool_->release(std::move(instance_), taken_);
  instance_.reset();
  pool_.reset();
}

void Lease::discard() {
  if (!instance_) return;
  instance_->retired = true;
  std::erase(pool_->free_, instance_);
}

// One call in line.
struct InstancePool::Waiter {
  SteadyTime begin;
  AsyncEvent given;
  std::shared_ptr<Instance> instance;
  std::optional<Error> error;
  std::optional<InitFailure> init_failure;
};

// A place in line, left in whatever way the wait ends: a caller that goes away half-way gives back
// the slot that it was handed meanwhile.
class InstancePool::Place {
 public:
  explicit Place(InstancePool& pool) : pool_(pool) {
    waiter->begin = pool.clock_.steady_now();
    pool_.line_.push_back(waiter);
  }
  ~Place() {
    std::erase(pool_.line_, waiter);
    if (!waiter->instance) return;
    --waiter->instance->slots_used;
    pool_.offer(waiter->instance);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  // What it was given has ended before it could be used.
  void queue_again() {
    --waiter->instance->slots_used;
    waiter->instance.reset();
    waiter->given.reset();
    pool_.line_.push_front(waiter);
  }

  const std::shared_ptr<Waiter> waiter = std::make_shared<Waiter>();

 private:
  InstancePool& pool_;
};

// A start, counted from the moment that it is decided, and the room in the budget for it; given
// back unless an instance came of it.
class InstancePool::Starting {
 public:
  enum class Room { taken, awaited };
  Starting(std::shared_ptr<InstancePool> pool, Room room)
      : pool_(std::move(pool)), has_room_(room == Room::taken) {
    ++pool_->starting_;
  }
  ~Starting() {
    --pool_->starting_;
    if (has_room_) pool_->budget_.give_back();
    if (pool_->size() == 0) pool_->emptied_.set();
  }
  Starting(const Starting&) = delete;
  Starting& operator=(const Starting&) = delete;
  void room_is_taken() { has_room_ = true; }
  // The instance has the room now.
  void done() { has_room_ = false; }

 private:
  std::shared_ptr<InstancePool> pool_;
  bool has_room_;
};

InstancePool::InstancePool(LoopExecutor executor, function::VersionPtr version, PoolLimits limits,
                           InstanceBudget& budget, StartInstance start, MakeRoom make_room,
                           const Clock& clock)
    : executor_(executor),
      version_(std::move(version)),
      limits_(limits),
      budget_(budget),
      start_(std::move(start)),
      make_room_(std::move(make_room)),
      clock_(clock) {}

std::size_t InstancePool::slots_of_one() const {
  const auto& configuration = version_->configuration;
  if (configuration.kind != function::Kind::http) return 1;
  return configuration.concurrency.value_or(limits_.http_slots);
}

// --- taking and giving back

std::shared_ptr<Instance> InstancePool::take_free() {
  const auto usable = [](const auto& one) { return !one->ended().is_set() && !one->retired; };
  while (!free_.empty() && !usable(free_.back())) free_.pop_back();
  if (free_.empty()) return nullptr;
  auto chosen = std::prev(free_.end());
  if (!(*chosen)->runs()) {
    const auto awake = std::find_if(free_.rbegin(), free_.rend(), [&usable](const auto& one) {
      return one->runs() && usable(one);
    });
    if (awake != free_.rend()) chosen = std::prev(awake.base());
  }
  auto instance = *chosen;
  if (++instance->slots_used >= instance->slots) free_.erase(chosen);
  return instance;
}

Lease InstancePool::lend(std::shared_ptr<Instance> instance, SteadyTime asked) {
  const auto now = clock_.steady_now();
  const bool cold = !std::exchange(instance->served, true);
  return Lease(shared_from_this(), std::move(instance), cold, between(asked, now), now);
}

Task<Result<Lease>> InstancePool::acquire(std::optional<InitFailure>& init_failure) {
  const auto self = shared_from_this();
  const auto asked = clock_.steady_now();
  if (closed_)
    co_return fail(ErrorCode::unavailable, "version {} of {} is no more", version_->label(),
                   version_->function);
  while (auto instance = take_free()) {
    auto lease = lend(std::move(instance), asked);
    if (lease.instance().runs()) co_return lease;
    const auto begin = std::chrono::steady_clock::now();
    if (co_await lease.instance().wake()) {
      const Lease::Thaw thaw{begin, elapsed_since(begin)};
      lease.thawed(thaw);
      co_return lease;
    }
    lease.discard();
  }
  if (line_.size() >= limits_.waiting_calls) {
    auto error = Error(ErrorCode::overloaded, fmt::format("{} calls wait for function {} already",
                                                          line_.size(), version_->function))
                     .with_aws_type(kLineIsFull);
    co_return fail(std::move(error));
  }
  Place place(*this);
  auto& waiter = *place.waiter;
  const auto deadline = std::chrono::steady_clock::now() + limits_.longest_wait;
  look_at_line();
  bool given = co_await waiter.given.wait_until(deadline);
  while (given && waiter.instance && waiter.instance->ended().is_set()) {
    place.queue_again();
    look_at_line();
    given = co_await waiter.given.wait_until(deadline);
  }
  if (!given) {
    const std::chrono::duration<double> limit = limits_.longest_wait;
    auto error = Error(ErrorCode::overloaded,
                       fmt::format("no instance of function {} became free within {:.0f} s",
                                   version_->function, limit.count()))
                     .with_aws_type(kNothingFree);
    co_return fail(std::move(error));
  }
  if (waiter.error) co_return fail(std::move(*waiter.error));
  init_failure = std::move(waiter.init_failure);
  if (!waiter.instance) co_return Lease();
  co_return lend(std::move(waiter.instance), asked);
}

void InstancePool::release(std::shared_ptr<Instance> instance, SteadyTime taken) {
  --instance->slots_used;
  instance->idle_since = clock_.steady_now();
  if (instance->ended().is_set()) return;  // watch() forgets it
  if (instance->slots_used == 0 && (instance->retired || (retired_ && line_.empty())))
    return end_soon(instance);
  asio::co_spawn(executor_, make_ready(shared_from_this(), std::move(instance), taken),
                 in_background("making an instance ready"));
}

// A handler's instance is free again when its runtime asks for the next event, which is a moment
// after its response.
Task<void> InstancePool::make_ready(std::shared_ptr<InstancePool> self,
                                    std::shared_ptr<Instance> instance, SteadyTime taken) {
  if (!co_await instance->wait_until_ready_again()) {
    co_await end_instance(self, instance);
    co_return;
  }
  const auto held = between(taken, clock_.steady_now());
  call_time_ = call_time_ ? blend(*call_time_, held) : held;
  offer(instance);
}

// Where an instance with a free slot goes: to the calls in line, to the free ones, or away.
void InstancePool::offer(const std::shared_ptr<Instance>& instance) {
  if (instance->ended().is_set()) return;
  while (!instance->retired && !line_.empty() && instance->slots_used < instance->slots) {
    auto waiter = std::move(line_.front());
    line_.pop_front();
    ++instance->slots_used;
    last_given_ = clock_.steady_now();
    waiter->instance = instance;
    waiter->given.set();
  }
  if (instance->retired || retired_) {
    if (instance->slots_used == 0) end_soon(instance);
    return;
  }
  const bool listed = std::ranges::find(free_, instance) != free_.end();
  if (instance->slots_used < instance->slots && !listed) free_.push_back(instance);
  look_at_line();
  freeze_later();
}

// --- starting

bool InstancePool::wants_another() const {
  const auto coming = starting_ * slots_of_one();
  if (closed_ || line_.size() <= coming || size() >= limits_.instances_per_version) return false;
  return expected_wait(line_.size() - coming, coming) > start_cost_;
}

// Of the last in line, when `uncovered` calls have no slot of an instance that starts already.
microseconds InstancePool::expected_wait(std::size_t uncovered, std::size_t coming) const {
  std::size_t slots = 0;
  for (const auto& instance : instances_) {
    if (!instance->ended().is_set() && !instance->retired) slots += instance->slots;
  }
  if (slots + coming == 0) return microseconds::max();
  // Until one was seen, a call is taken to cost as much as a start.
  const auto calls = static_cast<std::int64_t>(uncovered);
  const auto by_average =
      call_time_.value_or(start_cost_) * calls / static_cast<std::int64_t>(slots + coming);
  if (slots == 0) return by_average;
  // The calls that run now may take longer than they used to: what the line has seen of it.
  const auto stalled =
      between(std::max(last_given_, line_.front()->begin), clock_.steady_now()) * calls;
  return std::max(by_average, stalled);
}

void InstancePool::look_at_line() {
  while (wants_another()) {
    if (budget_.is_used_up()) {
      make_room_(RoomFor::call);  // watch_line() looks again
      break;
    }
    auto starting = std::make_unique<Starting>(shared_from_this(), Starting::Room::awaited);
    asio::co_spawn(executor_, start_for_line(shared_from_this(), std::move(starting)),
                   in_background("a start for the line"));
  }
  if (line_.empty() || watching_line_) return;
  watching_line_ = true;
  asio::co_spawn(executor_, watch_line(shared_from_this()),
                 in_background("the watch over the line"));
}

// One for the whole line: looks again a few times within the time of a start.
Task<void> InstancePool::watch_line(std::shared_ptr<InstancePool> self) {
  while (!line_.empty()) {
    const auto pause = std::clamp<microseconds>(start_cost_ / 4, milliseconds(5), milliseconds(50));
    co_await sleep_for(pause);
    look_at_line();
  }
  self->watching_line_ = false;
}

Task<Result<std::shared_ptr<Instance>>> InstancePool::start_one(
    std::unique_ptr<Starting> starting) {
  const auto begin = clock_.steady_now();
  auto instance = co_await start_(version_);
  if (instance) {
    starting->done();
    (*instance)->slots = static_cast<unsigned>(slots_of_one());
    (*instance)->idle_since = clock_.steady_now();
    instances_.push_back(*instance);
    asio::co_spawn(executor_, watch(shared_from_this(), *instance),
                   in_background("the watch over an instance"));
  }
  if (instance && !(*instance)->init_failure()) {
    start_cost_ = blend(start_cost_, between(begin, clock_.steady_now()));
  } else {
    call_time_.reset();  // of code that does not start, nothing is known
  }
  starting.reset();
  co_return instance;
}

Task<void> InstancePool::start_for_line(std::shared_ptr<InstancePool> self,
                                        std::unique_ptr<Starting> starting) {
  auto entering =
      budget_.starts().enter(this, std::chrono::steady_clock::now() + limits_.longest_wait);
  auto place = co_await std::move(entering);
  if (!place) {
    starting.reset();
    refuse_last(std::move(place.error()).with_aws_type(kNothingFree));
    self->look_at_line();
    co_return;
  }
  // Others have served the line meanwhile.
  if (line_.empty()) co_return;
  if (!budget_.take()) {
    make_room_(RoomFor::call);  // watch_line() looks again
    co_return;
  }
  starting->room_is_taken();
  if (budget_.short_of_memory()) make_room_(RoomFor::call);
  auto started = co_await start_one(std::move(starting));
  *place = {};
  if (!started) {
    fail_first(std::move(started.error()), std::nullopt);
  } else if (const auto& failure = (*started)->init_failure()) {
    InitFailure told{*failure, (*started)->init_log(), (*started)->start_times()};
    end_soon(*started);
    fail_first(std::nullopt, std::move(told));
  } else if (closed_) {
    end_soon(*started);
  } else {
    offer(*started);
  }
  self->look_at_line();
}

Task<Result<std::optional<InstancePool::InitFailure>>> InstancePool::start_ahead(RoomFor who) {
  const auto self = shared_from_this();
  const auto wait = who == RoomFor::call ? limits_.longest_wait : kRoomPause * 2;
  const auto deadline = std::chrono::steady_clock::now() + wait;
  auto starting = std::make_unique<Starting>(self, Starting::Room::awaited);
  auto taking = take_room(budget_, make_room_, deadline, who);
  const bool taken = co_await std::move(taking);
  if (!taken) {
    co_return fail(ErrorCode::overloaded, "this server runs {} instances already, its limit",
                   budget_.limit());
  }
  starting->room_is_taken();
  if (retired_) co_return fail(ErrorCode::unavailable, "the version was given up before its start");
  co_return co_await start_idle(std::move(starting));
}

Task<Result<std::optional<InstancePool::InitFailure>>> InstancePool::start_idle(
    std::unique_ptr<Starting> starting) {
  auto entering =
      budget_.starts().enter(this, std::chrono::steady_clock::now() + limits_.longest_wait);
  auto place = co_await std::move(entering);
  if (!place) co_return fail(std::move(place.error()));
  auto started = co_await start_one(std::move(starting));
  *place = {};
  if (!started) co_return fail(std::move(started.error()));
  if (const auto& failure = (*started)->init_failure()) {
    InitFailure told{*failure, (*started)->init_log(), (*started)->start_times()};
    end_soon(*started);
    co_return std::optional<InitFailure>(std::move(told));
  }
  if (kept_ > 0 && line_.empty()) (*started)->make_provisioned();
  offer(*started);
  co_return std::optional<InitFailure>();
}

std::size_t InstancePool::alive() const {
  return static_cast<std::size_t>(std::ranges::count_if(instances_, [](const auto& one) {
    return !one->ending && !one->retired && !one->ended().is_set();
  }));
}

bool InstancePool::lacks_kept() const {
  const auto wanted = std::min(kept_, limits_.instances_per_version);
  return !retired_ && !closed_ && alive() + starting_ < wanted;
}

void InstancePool::keep_up() {
  if (starts_kept_ || !lacks_kept() || clock_.steady_now() < kept_again_) return;
  starts_kept_ = true;
  asio::co_spawn(executor_, start_kept(shared_from_this()),
                 in_background("starting the instances that are kept"));
}

Task<void> InstancePool::start_kept(std::shared_ptr<InstancePool> self) {
  while (lacks_kept() && !budget_.short_of_memory()) {
    if (!budget_.take()) {
      make_room_(RoomFor::ahead);
      break;
    }
    auto starting = std::make_unique<Starting>(self, Starting::Room::taken);
    auto started = co_await start_idle(std::move(starting));
    if (!started || *started) {
      note_failed_start(started ? words_of((*started)->failure) : started.error().message());
      break;
    }
    kept_pause_ = std::chrono::seconds(0);
  }
  self->starts_kept_ = false;
}

void InstancePool::note_failed_start(std::string_view reason) {
  kept_pause_ = std::clamp(kept_pause_ * 2, std::chrono::seconds(1), kLongestKeptPause);
  kept_again_ = clock_.steady_now() + kept_pause_;
  spdlog::warn("start one of the {} instances of {} (version {}) that are kept, again in {} s: {}",
               kept_, version_->function, version_->label(), kept_pause_.count(), reason);
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

// The gate refuses who came last.
void InstancePool::refuse_last(Error error) {
  if (line_.empty()) return;
  auto waiter = std::move(line_.back());
  line_.pop_back();
  waiter->error = std::move(error);
  waiter->given.set();
}

// --- ending

Task<void> InstancePool::watch(std::shared_ptr<InstancePool> self,
                               std::shared_ptr<Instance> instance) {
  co_await instance->ended().wait();
  co_await end_instance(self, instance);
}

// No new calls from now on, and the end of it in the background.
void InstancePool::end_soon(const std::shared_ptr<Instance>& instance) {
  if (std::exchange(instance->ending, true)) return;
  instance->retired = true;
  std::erase(free_, instance);
  asio::co_spawn(executor_, end_instance(shared_from_this(), instance),
                 in_background("the end of an instance"));
}

Task<void> InstancePool::end_instance(std::shared_ptr<InstancePool> self,
                                      std::shared_ptr<Instance> instance) {
  instance->ending = true;
  instance->retired = true;
  std::erase(free_, instance);
  co_await instance->end();
  self->forget(instance);
}

void InstancePool::forget(const std::shared_ptr<Instance>& instance) {
  if (std::erase(instances_, instance) == 0) return;
  budget_.give_back();
  if (size() == 0) emptied_.set();
  look_at_line();
}

void InstancePool::retire() {
  if (std::exchange(retired_, true)) return;
  kept_ = 0;
  auto deadline = std::chrono::steady_clock::now() + kAfterTimeout +
                  std::chrono::seconds(version_->configuration.timeout_seconds);
  if (!line_.empty() || instances_.empty()) deadline += limits_.longest_wait;
  asio::co_spawn(executor_, end_late(weak_from_this(), deadline),
                 in_background("the end of a version"));
  if (!line_.empty()) return;  // each ends when the line is empty and its own calls are done
  const auto all = instances_;
  for (const auto& instance : all) {
    if (instance->slots_used == 0) end_soon(instance);
  }
}

// Does not keep the pool: it goes with its last instance.
Task<void> InstancePool::end_late(std::weak_ptr<InstancePool> pool, SteadyTime deadline) {
  const auto executor = co_await asio::this_coro::executor;
  Timer timer(executor, deadline);
  auto [error] = co_await timer.async_wait(kAsTuple);
  if (error) co_return;
  if (const auto self = pool.lock()) {
    self->end_all(fmt::format("version {} of {} is no more", self->version_->label(),
                              self->version_->function));
  }
}

void InstancePool::end_all(std::string_view reason) {
  closed_ = true;
  retired_ = true;
  kept_ = 0;
  while (!line_.empty()) {
    fail_first(Error(ErrorCode::unavailable, std::string(reason)), std::nullopt);
  }
  const auto all = instances_;
  for (const auto& instance : all) end_soon(instance);
}

Task<void> InstancePool::wait_empty(SteadyTime deadline) {
  const auto self = shared_from_this();
  while (size() != 0 && std::chrono::steady_clock::now() < deadline) {
    emptied_.reset();
    co_await emptied_.wait_until(deadline);
  }
}

}  // namespace lambda::pool
