// Steps of a call: admit -> acquire -> call -> release (by scope) -> record.
#include "invoke/shard.h"

#include "base/crypto.h"
#include "invoke/failure_payload.h"
#include "invoke/shard_admission.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace lambda::invoke {
namespace {

// By then every other loop was asked too, and instances that are kept are all that is left.
constexpr std::size_t kInVain = 8;
constexpr std::chrono::seconds kInARow{1};
// A deploy waits so long for the instances that its version keeps; the others come later.
constexpr std::chrono::seconds kPrepareLimit{30};

std::string pool_key(const function::Version& version) {
  return fmt::format("{}:{}:{}", version.function, version.label(), version.revision_id);
}

void describe(Outcome& outcome, sandbox::RuntimeReply reply, std::string_view request_id) {
  using Kind = sandbox::RuntimeReply::Kind;
  switch (reply.kind) {
    case Kind::response:
      outcome.payload = std::move(reply.body);
      break;
    case Kind::error:
      outcome.error = FunctionError::handled;
      outcome.error_type = error_type_in(reply.body);
      if (outcome.error_type.empty()) outcome.error_type = std::move(reply.error_type);
      outcome.payload = std::move(reply.body);
      break;
    case Kind::response_too_large:
      describe(outcome, response_too_large(request_id));
      break;
    case Kind::invalid_mode:
      describe(outcome, invalid_response_mode(request_id));
      break;
  }
}

}  // namespace

Shard::Shard(Loop& loop, const InstanceStarter& starter, pool::PoolLimits limits,
             pool::InstanceBudget& budget, const Clock& clock)
    : loop_(loop), starter_(starter), limits_(limits), budget_(budget), clock_(clock) {}

Result<std::unique_ptr<Shard::Admission>> Shard::admit(const function::Resolved& target) {
  if (stopping_) return fail(ErrorCode::unavailable, "the server is shutting down");
  const auto& function = *target.function;
  if (function.reserved_concurrency) {
    const auto found = in_flight_.find(function.name);
    const int running = found == in_flight_.end() ? 0 : found->second;
    if (running >= *function.reserved_concurrency) {
      return fail(Error(ErrorCode::overloaded, "Rate Exceeded.")
                      .with_aws_type("ReservedFunctionConcurrentInvocationLimitExceeded"));
    }
  }
  return std::make_unique<Admission>(*this, function.name);
}

Shard::Home Shard::make_home(const function::VersionPtr& version) {
  Home home;
  home.log = starter_.log_of(version->function);
  auto start = [this, log = home.log](function::VersionPtr wanted) {
    return starter_.start(std::move(wanted), log);
  };
  home.pool = std::make_shared<pool::InstancePool>(loop_.get_executor(), version, limits_, budget_,
                                                   start, room_maker(), clock_);
  return home;
}

Result<Shard::PoolPtr> Shard::pool_of(const function::Resolved& target) {
  auto key = pool_key(*target.version);
  if (const auto found = homes_.find(key); found != homes_.end()) return found->second.pool;
  // Its log first: one that is deleted after this look is deleted with it.
  auto home = make_home(target.version);
  const auto standing = standing_ ? standing_(target) : function::Standing::current;
  if (standing == function::Standing::deleted)
    return fail(ErrorCode::not_found, "Function not found: {}: it was deleted just now",
                target.function->name);
  // A call that was a long time on its way (a slow upload): an instance for it alone.
  if (standing == function::Standing::replaced) {
    let_go(home.pool);
    return home.pool;
  }
  auto pool = home.pool;
  homes_.emplace(std::move(key), std::move(home));
  return pool;
}

void Shard::let_go(const PoolPtr& pool) {
  pool->retire();
  std::erase_if(retired_, [](const auto& gone) { return gone.expired(); });
  retired_.push_back(pool);
}

bool Shard::make_room(Which which) {
  PoolPtr longest;
  std::optional<SteadyTime> since;
  for (const auto& [key, home] : homes_) {
    const auto& pool = home.pool;
    if (pool->room_is_coming()) return true;
    const auto oldest = pool->oldest_idle(which);
    if (!oldest || (since && *since <= *oldest)) continue;
    longest = pool;
    since = oldest;
  }
  return longest && longest->end_one_idle(which);
}

pool::MakeRoom Shard::room_maker() {
  return [this](pool::RoomFor who) {
    if (make_room(Which::spare)) {
      asked_in_vain_ = 0;
      return;
    }
    auto which = Which::spare;
    if (who == pool::RoomFor::call) {
      const auto now = std::chrono::steady_clock::now();
      if (now - last_in_vain_ > kInARow) asked_in_vain_ = 0;
      last_in_vain_ = now;
      if (++asked_in_vain_ >= kInVain) which = Which::kept_too;
    }
    if (which == Which::kept_too && make_room(which)) return;
    if (room_elsewhere_) room_elsewhere_(which);
  };
}

std::vector<pool::InstancePool::Idle> Shard::list_idle() const {
  std::vector<pool::InstancePool::Idle> all;
  for (const auto& [key, home] : homes_) home.pool->list_idle(all);
  return all;
}

void Shard::end_idle_since(SteadyTime since, Which which) {
  for (const auto& [key, home] : homes_) home.pool->end_idle_since(since, which);
}

// --- instances that are kept ready

void Shard::keep(const std::vector<function::Resolved>& wanted) {
  if (stopping_) return;
  auto before = std::exchange(kept_, {});
  const auto wanted_before = std::exchange(wanted_, std::set<std::string>());
  for (const auto& target : wanted) {
    if (standing_ && standing_(target) != function::Standing::current) continue;
    auto key = pool_key(*target.version);
    wanted_->insert(key);
    // What has become live just now may be about to get those that its deploy has prepared.
    if (!homes_.contains(key) && wanted_before && !wanted_before->contains(key)) continue;
    const auto pool = pool_of(target);
    if (!pool) continue;
    (*pool)->set_kept(target.version->configuration.min_instances);
    (*pool)->keep_up();
    before.erase(key);
    kept_.insert(std::move(key));
  }
  for (const auto& key : before) {
    const auto home = homes_.find(key);
    if (home != homes_.end()) home->second.pool->set_kept(0);
  }
}

// --- calls

Task<Result<Outcome>> Shard::invoke(Call call) {
  CallCourse course(clock_, call.payload.size(), call.target.version->label());
  Result<Outcome> outcome = Outcome();
  std::exception_ptr thrown;
  try {
    outcome = co_await carry_out(call, course);
  } catch (const std::exception& error) {
    thrown = std::current_exception();
    outcome = fail(ErrorCode::internal, "it was given up: {}", error.what());
  }
  if (sink_ != nullptr) sink_->record(course.record(call, outcome));
  if (thrown) std::rethrow_exception(thrown);
  co_return outcome;
}

Task<Result<Outcome>> Shard::carry_out(Call& call, CallCourse& course) {
  const bool http = call.target.version->configuration.kind == function::Kind::http;
  if (!http && call.payload.size() > kMaxPayloadBytes) {
    co_return fail(
        ErrorCode::too_large,
        "{} byte payload is too large for the RequestResponse invocation type (limit {} bytes)",
        call.payload.size(), kMaxPayloadBytes);
  }
  auto admitted = admit(call.target);
  if (!admitted) co_return fail(std::move(admitted.error()));
  if (http) co_return co_await call_http(call, std::move(*admitted), course);
  co_return co_await call_handler(call, course);
}

Task<Result<Outcome>> Shard::call_handler(Call& call, CallCourse& course) {
  const auto version = call.target.version;
  Outcome outcome;
  outcome.executed_version = version->label();
  outcome.trace_id = call.trace_id;
  std::optional<pool::InstancePool::InitFailure> init_failure;
  const auto pool = pool_of(call.target);
  if (!pool) co_return fail(Error(pool.error()));
  course.get_in_line();
  auto lease = co_await (*pool)->acquire(init_failure);
  if (!lease) co_return fail(std::move(lease.error()));
  if (init_failure) {
    outcome.timing.cold = true;
    outcome.timing.init = init_failure->start.init;
    outcome.timing.total = elapsed_since(course.begin());
    course.take(*init_failure);
    outcome.log_tail = std::move(init_failure->log);
    describe(outcome, payload_of(init_failure->failure, call.request_id));
    co_return outcome;
  }
  course.take(*lease);
  auto& instance = lease->instance();
  outcome.timing.cold = lease->cold();
  outcome.timing.waiting = lease->waited();
  if (lease->cold()) {
    outcome.timing.start = instance.start_times().sandbox;
    outcome.timing.init = instance.start_times().init;
  }
  sandbox::RuntimeEvent event;
  event.request_id = call.request_id;
  event.payload = std::move(call.payload);
  event.invoked_arn = std::move(call.invoked_arn);
  event.trace_id = std::move(call.trace_id);  // the outcome has it too
  event.client_context = std::move(call.client_context);
  auto result = co_await instance.call(
      std::move(event), std::chrono::seconds(version->configuration.timeout_seconds));
  outcome.timing.handler = result.handler;
  outcome.timing.total = elapsed_since(course.begin());
  outcome.log_tail = std::move(result.log_tail);
  course.hand_over(result.begin);
  course.answer(result.begin + result.handler);
  course.set_memory_peak(result.memory_peak_bytes);
  if (result.failure) {
    describe(outcome, payload_of(*result.failure, call.request_id));
  } else {
    describe(outcome, std::move(*result.reply), call.request_id);
  }
  co_return outcome;
}

// --- deploys

Task<Result<Timing>> Shard::prepare(function::VersionPtr version, Invoker::InitFailure& failure) {
  if (stopping_) co_return fail(ErrorCode::unavailable, "the server is shutting down");
  const auto [home, fresh] = homes_.try_emplace(pool_key(*version));
  if (fresh) home->second = make_home(version);
  const auto pool = home->second.pool;
  const auto kept = version->configuration.min_instances;
  const auto deadline = std::chrono::steady_clock::now() + kPrepareLimit;
  pool->set_kept(kept);
  auto started = co_await pool->start_ahead();
  for (unsigned more = 1; more < kept && started && !*started; ++more) {
    if (std::chrono::steady_clock::now() >= deadline) break;
    auto next = co_await pool->start_ahead(pool::RoomFor::ahead);
    if (!next) {
      spdlog::warn("function {} keeps {} instances, and has {} yet: {}", version->function, kept,
                   more, next.error().message());
      break;
    }
    started = std::move(next);
  }
  if (!started) {
    retire(version);
    co_return fail(std::move(started.error()));
  }
  if (*started) {
    retire(version);
    const std::string id = random_uuid();
    auto made = payload_of((*started)->failure, id);
    failure.payload = std::move(made.payload);
    failure.log = std::move((*started)->log);
    co_return fail(ErrorCode::function_failed, "the new code failed to initialise: {}",
                   summary_of((*started)->failure));
  }
  Timing timing;
  timing.cold = true;
  if (const auto instance = pool->newest()) {
    timing.start = instance->start_times().sandbox;
    timing.init = instance->start_times().init;
  }
  timing.total = timing.start + timing.init;
  co_return timing;
}

void Shard::adopt(const function::VersionPtr& prepared, const function::VersionPtr& published) {
  auto node = homes_.extract(pool_key(*prepared));
  if (node.empty()) return;
  const auto& home = node.mapped();
  // The sandbox was told its version's number at its start; a call that came right after the commit
  // may have begun a pool of its own; and another function of that name may have come and gone
  // meanwhile, with its log.
  if (prepared->number != published->number || homes_.contains(pool_key(*published)) ||
      home.log->forgotten())
    return let_go(home.pool);
  home.pool->rename(published);
  node.key() = pool_key(*published);
  if (home.pool->kept() > 0) kept_.insert(node.key());
  homes_.insert(std::move(node));
}

void Shard::retire(const function::VersionPtr& version) {
  auto node = homes_.extract(pool_key(*version));
  if (!node.empty()) let_go(node.mapped().pool);
}

bool Shard::runs(const function::Version& version) const {
  const auto key = pool_key(version);
  if (const auto home = homes_.find(key); home != homes_.end() && !home->second.pool->unused())
    return true;
  return std::ranges::any_of(retired_, [&key](const auto& retired) {
    const auto pool = retired.lock();
    return pool && pool_key(*pool->version()) == key && !pool->unused();
  });
}

// --- housekeeping

Task<void> Shard::reap() {
  while (!stopping_) {
    co_await sleep_for(std::chrono::seconds(1));
    const auto now = clock_.steady_now();
    for (auto at = homes_.begin(); at != homes_.end();) {
      auto& pool = *at->second.pool;
      at = pool.end_idle(now) == 0 && pool.unused() ? homes_.erase(at) : std::next(at);
    }
  }
}

std::vector<Shard::PoolPtr> Shard::pools() const {
  std::vector<PoolPtr> all;
  for (const auto& [key, home] : homes_) all.push_back(home.pool);
  for (const auto& retired : retired_) {
    if (auto pool = retired.lock()) all.push_back(std::move(pool));
  }
  return all;
}

// A look costs some 10 us.
Task<void> Shard::sample_memory() {
  constexpr std::size_t kAtOnce = 16;
  constexpr std::chrono::seconds kPause{3};
  constexpr std::chrono::milliseconds kShortPause{1};
  while (!stopping_) {
    std::vector<std::weak_ptr<pool::Instance>> all;
    for (const auto& pool : pools())
      all.insert(all.end(), pool->instances().begin(), pool->instances().end());
    for (std::size_t i = 0; i < all.size() && !stopping_; ++i) {
      if (const auto instance = all[i].lock()) instance->sample_memory();
      if (i % kAtOnce == kAtOnce - 1) co_await sleep_for(kShortPause);
    }
    co_await sleep_for(kPause);
  }
}

observe::LoopGauges Shard::gauges() const {
  observe::LoopGauges gauges;
  for (const auto& pool : pools()) {
    if (pool->unused()) continue;
    const auto& version = *pool->version();
    gauges.instances[{version.function, version.label()}].add(pool->counts());
  }
  for (const auto& [function, count] : in_flight_)
    gauges.in_flight[function] = static_cast<std::uint64_t>(count);
  return gauges;
}

Task<void> Shard::stop(SteadyTime deadline) {
  stopping_ = true;
  const auto all = pools();
  homes_.clear();
  for (const auto& pool : all) pool->retire();
  for (const auto& pool : all) co_await pool->wait_empty(deadline);
  for (const auto& pool : all) pool->end_all("the server is shutting down");
  const auto builtin = std::exchange(builtin_, {});
  for (const auto& one : builtin) {
    if (auto instance = one.lock()) co_await instance->end();
  }
  co_await end_tools(deadline + std::chrono::seconds(5));
  for (const auto& pool : all) co_await pool->wait_empty(deadline + std::chrono::seconds(5));
}

}  // namespace lambda::invoke
