// Steps of a call: admit -> acquire -> call -> record -> release (by scope).
#include "invoke/shard.h"

#include "base/background.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "http/client.h"
#include "invoke/failure_payload.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace lambda::invoke {
namespace {

using std::chrono::microseconds;

microseconds since(SteadyTime start) {
  return std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - start);
}

std::string pool_key(const function::Version& version) {
  return fmt::format("{}:{}:{}", version.function, version.label(), version.revision_id);
}

void describe(Outcome& outcome, FailurePayload failure) {
  outcome.payload = std::move(failure.payload);
  outcome.error = failure.error;
  outcome.error_type = std::move(failure.type);
}

void describe(Outcome& outcome, sandbox::RuntimeReply reply, std::string_view request_id) {
  using Kind = sandbox::RuntimeReply::Kind;
  switch (reply.kind) {
    case Kind::response:
      outcome.payload = std::move(reply.body);
      outcome.content_type = std::move(reply.content_type);
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

class Shard::Admission {
 public:
  Admission(Shard& shard, std::string name) : shard_(shard), name_(std::move(name)) {
    ++shard_.in_flight_[name_];
  }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission() {
    const auto found = shard_.in_flight_.find(name_);
    if (--found->second == 0) shard_.in_flight_.erase(found);
  }

 private:
  Shard& shard_;
  std::string name_;
};

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

bool Shard::make_room() {
  PoolPtr longest;
  for (const auto& [key, home] : homes_) {
    const auto& pool = home.pool;
    if (pool->room_is_coming()) return true;
    if (pool->oldest_idle() && (!longest || *pool->oldest_idle() < *longest->oldest_idle()))
      longest = pool;
  }
  return longest && longest->end_one_idle();
}

std::function<void()> Shard::room_maker() {
  return [this] {
    if (!make_room() && room_elsewhere_) room_elsewhere_();
  };
}

// --- calls

Task<Result<Outcome>> Shard::invoke(Call call) {
  const auto begin = std::chrono::steady_clock::now();
  const bool http = call.target.version->configuration.kind == function::Kind::http;
  if (!http && call.payload.size() > kMaxPayloadBytes) {
    co_return fail(
        ErrorCode::too_large,
        "{} byte payload is too large for the RequestResponse invocation type (limit {} bytes)",
        call.payload.size(), kMaxPayloadBytes);
  }
  auto admitted = admit(call.target);
  if (!admitted) co_return fail(std::move(admitted.error()));
  if (http) co_return co_await call_http(std::move(call), std::move(*admitted), begin);
  co_return co_await call_handler(std::move(call), begin);
}

Task<Result<Outcome>> Shard::call_handler(Call call, SteadyTime begin) {
  const auto version = call.target.version;
  Outcome outcome;
  outcome.executed_version = version->label();
  outcome.trace_id = call.trace_id;
  std::optional<pool::InstancePool::InitFailure> init_failure;
  const auto pool = pool_of(call.target);
  if (!pool) co_return fail(Error(pool.error()));
  auto lease = co_await (*pool)->acquire(init_failure);
  if (!lease) co_return fail(std::move(lease.error()));
  if (init_failure) {
    outcome.timing.cold = true;
    outcome.timing.init = init_failure->init;
    outcome.timing.total = since(begin);
    outcome.log_tail = std::move(init_failure->log);
    describe(outcome, payload_of(init_failure->failure, call.request_id));
    co_return outcome;
  }
  auto& instance = lease->instance();
  outcome.timing.cold = lease->cold();
  outcome.timing.waiting = lease->waited();
  if (lease->cold()) {
    outcome.timing.start = instance.start_time();
    outcome.timing.init = instance.init_time();
  }
  sandbox::RuntimeEvent event;
  event.request_id = call.request_id;
  event.payload = std::move(call.payload);
  event.invoked_arn = std::move(call.invoked_arn);
  event.trace_id = std::move(call.trace_id);
  event.client_context = std::move(call.client_context);
  auto result = co_await instance.call(
      std::move(event), std::chrono::seconds(version->configuration.timeout_seconds));
  outcome.timing.handler = result.handler;
  outcome.timing.total = since(begin);
  outcome.log_tail = std::move(result.log_tail);
  if (result.failure) {
    describe(outcome, payload_of(*result.failure, call.request_id));
  } else {
    describe(outcome, std::move(*result.reply), call.request_id);
  }
  co_return outcome;
}

// A slot and a socket, for as long as the proxy needs them; the call counts as running so long.
// Destroyed on any loop: what belongs to the shard goes home by a message.
class Shard::HttpSlot final : public HttpLease {
 public:
  HttpSlot(Loop& home, std::unique_ptr<Admission> admission, pool::Lease lease, UniqueFd socket,
           Timing timing)
      : home_(home),
        held_(std::make_shared<Held>(std::move(admission), std::move(lease))),
        socket_(std::move(socket)),
        timing_(timing) {}
  ~HttpSlot() override {
    auto give_back = [held = std::move(held_), discard = discard_]() mutable {
      if (discard) held->lease.discard();
      held.reset();
    };
    asio::post(home_, std::move(give_back));
  }
  HttpSlot(const HttpSlot&) = delete;
  HttpSlot& operator=(const HttpSlot&) = delete;

  UniqueFd take_socket() override { return std::move(socket_); }
  [[nodiscard]] const Timing& timing() const override { return timing_; }
  void discard_instance() override { discard_ = true; }
  Task<bool> ended_soon() override {
    auto wait = wait_for_end(held_);
    co_return co_await cross_to(home_, std::move(wait));
  }

 private:
  struct Held {
    Held(std::unique_ptr<Admission> counted, pool::Lease slot)
        : admission(std::move(counted)), lease(std::move(slot)) {}
    std::unique_ptr<Admission> admission;
    pool::Lease lease;
  };
  static Task<bool> wait_for_end(std::shared_ptr<Held> held) {
    co_return co_await held->lease.instance().ended().wait_until(std::chrono::steady_clock::now() +
                                                                 pool::kExitGrace);
  }
  Loop& home_;
  std::shared_ptr<Held> held_;
  UniqueFd socket_;
  Timing timing_;
  bool discard_ = false;
};

namespace {

std::string tail_of_log(std::string_view log) {
  constexpr std::size_t kShown = 2000;
  return std::string(last_of_utf8(log, kShown));
}

}  // namespace

Task<Result<std::unique_ptr<HttpLease>>> Shard::open_http(function::Resolved target, std::string) {
  auto admitted = admit(target);
  if (!admitted) co_return fail(std::move(admitted.error()));
  // What it wrote is in its log; lambdad's log, where this error goes, is no place for it.
  std::string last_output;
  co_return co_await open_admitted(std::move(target), std::move(*admitted), last_output);
}

Task<Result<std::unique_ptr<HttpLease>>> Shard::open_admitted(function::Resolved target,
                                                              std::unique_ptr<Admission> admission,
                                                              std::string& last_output) {
  const auto begin = std::chrono::steady_clock::now();
  const auto pool = pool_of(target);
  if (!pool) co_return fail(Error(pool.error()));
  while (true) {
    std::optional<pool::InstancePool::InitFailure> init_failure;
    auto lease = co_await (*pool)->acquire(init_failure);
    if (!lease) co_return fail(std::move(lease.error()));
    if (init_failure) {
      last_output = tail_of_log(init_failure->log);
      co_return fail(ErrorCode::function_failed, "{} ({})", init_failure->failure.reason,
                     init_failure->failure.type);
    }
    auto& instance = lease->instance();
    auto socket = co_await instance.connect();
    if (socket) {
      Timing timing;
      timing.cold = lease->cold();
      timing.waiting = lease->waited();
      if (timing.cold) {
        timing.start = instance.start_time();
        timing.init = instance.init_time();
      }
      timing.total = since(begin);
      std::unique_ptr<HttpLease> open = std::make_unique<HttpSlot>(
          loop_, std::move(admission), std::move(*lease), std::move(*socket), timing);
      co_return open;
    }
    last_output = tail_of_log(co_await instance.recent_log());
    lease->discard();
    // A server that ended a moment ago is not known to be gone yet. Nothing was sent to it, so
    // another instance takes the call; one that never served has no such excuse.
    if (!lease->cold()) continue;
    co_return fail(ErrorCode::function_failed, "it stopped listening on its port: {}",
                   socket.error().message());
  }
}

namespace {

http::Request event_request(const Call& call) {
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.headers.add("Host", "localhost");
  request.headers.add("Content-Type", "application/json");
  request.headers.add("X-Amzn-Trace-Id", call.trace_id);
  request.headers.add("X-Amzn-RequestId", call.request_id);
  return request;
}

// What came back for it, with the whole of its body.
Task<Result<http::Response>> exchange_event(http::ClientConnection& connection,
                                            http::Request request, std::string payload,
                                            std::chrono::seconds timeout) {
  http::BufferedBody body(std::move(payload));
  auto head = co_await connection.exchange(std::move(request), body,
                                           std::chrono::steady_clock::now() + timeout);
  if (head) {
    auto bytes = co_await http::read_all(connection.body(timeout), sandbox::kMaxResponseBytes);
    if (bytes) {
      head->body = std::move(*bytes);
    } else {
      head = fail(std::move(bytes.error()));
    }
  }
  co_await connection.stop_sending();  // it may still send `body`
  co_return head;
}

FailurePayload failed_exchange(const Error& error, std::chrono::seconds timeout,
                               std::string_view request_id) {
  if (error.code() == ErrorCode::too_large) return response_too_large(request_id);
  pool::Failure failure;
  if (error.code() == ErrorCode::timeout) {
    failure.kind = pool::Failure::Kind::timeout;
    failure.type = "Sandbox.Timedout";
    failure.reason = fmt::format("Task timed out after {:.2f} seconds",
                                 std::chrono::duration<double>(timeout).count());
  } else {
    failure.type = "Runtime.ExitError";
    failure.reason = "the HTTP server ended the connection: " + error.message();
  }
  return payload_of(failure, request_id);
}

}  // namespace

// POST / with the event as JSON body; a status of 400 or more is the function's error.
Task<Result<Outcome>> Shard::call_http(Call call, std::unique_ptr<Admission> admission,
                                       SteadyTime begin) {
  const auto version = call.target.version;
  Outcome outcome;
  outcome.executed_version = version->label();
  outcome.trace_id = call.trace_id;
  std::string last_output;
  auto lease = co_await open_admitted(call.target, std::move(admission), last_output);
  if (!lease) {
    if (lease.error().code() != ErrorCode::function_failed)
      co_return fail(std::move(lease.error()));
    pool::Failure failure;
    failure.type = "Runtime.ExitError";
    failure.reason = fmt::format("{}. Its last output: {}", lease.error().message(), last_output);
    describe(outcome, payload_of(failure, call.request_id));
    outcome.timing.total = since(begin);
    co_return outcome;
  }
  outcome.timing = (*lease)->timing();
  const auto sent = std::chrono::steady_clock::now();
  auto connection = co_await http::ClientConnection::adopt((*lease)->take_socket());
  if (!connection) co_return fail(std::move(connection.error()));
  const std::chrono::seconds timeout(version->configuration.timeout_seconds);
  auto request = event_request(call);
  auto answer =
      co_await exchange_event(**connection, std::move(request), std::move(call.payload), timeout);
  outcome.timing.handler = since(sent);
  outcome.timing.total = since(begin);
  if (!answer) {
    if (answer.error().code() == ErrorCode::timeout) {
      (*lease)->discard_instance();
    } else if (answer.error().code() != ErrorCode::too_large) {
      co_await (*lease)->ended_soon();
    }
    describe(outcome, failed_exchange(answer.error(), timeout, call.request_id));
    co_return outcome;
  }
  outcome.content_type = answer->headers.get("Content-Type", "application/octet-stream");
  outcome.payload = std::move(answer->body);
  if (answer->status >= 400) {
    outcome.error = FunctionError::handled;
    outcome.error_type = fmt::format("Http.{}", answer->status);
  }
  co_return outcome;
}

// --- deploys

Task<Result<Timing>> Shard::prepare(function::VersionPtr version, Invoker::InitFailure& failure) {
  if (stopping_) co_return fail(ErrorCode::unavailable, "the server is shutting down");
  const auto [home, fresh] = homes_.try_emplace(pool_key(*version));
  if (fresh) home->second = make_home(version);
  const auto pool = home->second.pool;
  auto started = co_await pool->start_ahead();
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
    const auto& reason = (*started)->failure.reason;
    co_return fail(ErrorCode::function_failed, "the new code failed to initialise: {}",
                   reason.empty() ? (*started)->failure.type : reason);
  }
  Timing timing;
  timing.cold = true;
  if (const auto instance = pool->newest()) {
    timing.start = instance->start_time();
    timing.init = instance->init_time();
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

namespace {

// Gives the room of one instance back, however the work in it ends.
class RoomTaken {
 public:
  explicit RoomTaken(pool::InstanceBudget& budget) : budget_(budget) {}
  ~RoomTaken() { budget_.give_back(); }
  RoomTaken(const RoomTaken&) = delete;
  RoomTaken& operator=(const RoomTaken&) = delete;

 private:
  pool::InstanceBudget& budget_;
};

// The answer of a built-in program, or what it came to instead.
Result<std::string> builtin_answer(pool::CallResult result) {
  const auto log = result.log_tail.empty() ? std::string() : ": " + result.log_tail;
  if (result.failure) return fail(ErrorCode::sandbox_failed, "{}{}", result.failure->reason, log);
  auto& reply = *result.reply;
  switch (reply.kind) {
    case sandbox::RuntimeReply::Kind::response:
      return std::move(reply.body);
    case sandbox::RuntimeReply::Kind::error:
      return fail(ErrorCode::sandbox_failed, "{} {}{}", reply.error_type, reply.body, log);
    case sandbox::RuntimeReply::Kind::response_too_large:
      return fail(ErrorCode::sandbox_failed,
                  "its answer was larger than {} bytes (response_too_large){}",
                  sandbox::kMaxResponseBytes, log);
    case sandbox::RuntimeReply::Kind::invalid_mode:
      break;
  }
  return fail(ErrorCode::sandbox_failed, "it asked for a way to answer that there is not{}", log);
}

// Gives the program events until `take` has had enough.
Task<Result<Done>> converse(std::shared_ptr<pool::Instance> instance, std::chrono::seconds limit,
                            Invoker::TakeAnswer take) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) co_return fail(ErrorCode::timeout, "not done after {} s", limit.count());
    sandbox::RuntimeEvent event;
    event.request_id = random_uuid();
    event.payload = "{}";
    auto result = co_await instance->call(std::move(event), left);
    auto answer = builtin_answer(std::move(result));
    if (!answer) co_return fail(std::move(answer.error()));
    auto more = co_await take(std::move(*answer));
    if (!more) co_return fail(std::move(more.error()));
    if (!*more) co_return Done{};
  }
}

}  // namespace

Task<Result<Done>> Shard::run_builtin(function::VersionPtr version, std::vector<std::string> argv,
                                      std::chrono::seconds limit, Invoker::TakeAnswer take) {
  if (stopping_) co_return fail(ErrorCode::unavailable, "the server is shutting down");
  if (!co_await pool::take_room(budget_, room_maker(),
                                std::chrono::steady_clock::now() + limits_.longest_wait)) {
    co_return fail(ErrorCode::overloaded, "this server runs {} instances already, its limit",
                   budget_.limit());
  }
  const RoomTaken room(budget_);
  auto instance = co_await starter_.start_program(std::move(version), std::move(argv));
  if (!instance) co_return fail(std::move(instance.error()));
  if (stopping_) {
    co_await (*instance)->end();
    co_return fail(ErrorCode::unavailable, "the server is shutting down");
  }
  std::erase_if(builtin_, [](const auto& gone) { return gone.expired(); });
  builtin_.push_back(*instance);
  Result<Done> done = Done{};
  if (const auto& failure = (*instance)->init_failure()) {
    done = fail(ErrorCode::sandbox_failed, "{} {}: {}", failure->type, failure->reason,
                (*instance)->init_log());
  } else {
    done = co_await converse(*instance, limit, std::move(take));
  }
  co_await (*instance)->end();
  co_return done;
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

Task<void> Shard::stop(SteadyTime deadline) {
  stopping_ = true;
  std::vector<PoolPtr> all;
  for (const auto& [key, home] : homes_) all.push_back(home.pool);
  for (const auto& retired : retired_) {
    if (auto pool = retired.lock()) all.push_back(std::move(pool));
  }
  homes_.clear();
  for (const auto& pool : all) pool->retire();
  for (const auto& pool : all) co_await pool->wait_empty(deadline);
  for (const auto& pool : all) pool->end_all("the server is shutting down");
  const auto builtin = std::exchange(builtin_, {});
  for (const auto& one : builtin) {
    if (auto instance = one.lock()) co_await instance->end();
  }
  for (const auto& pool : all) co_await pool->wait_empty(deadline + std::chrono::seconds(5));
}

}  // namespace lambda::invoke
