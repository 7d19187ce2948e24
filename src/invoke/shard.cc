// Steps of a call: admit -> acquire -> call -> record -> release (by scope).
#include "invoke/shard.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "http/client.h"
#include "invoke/failure_payload.h"

#include <spdlog/spdlog.h>

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

Shard::PoolPtr Shard::pool_of(const function::VersionPtr& version) {
  auto& pool = pools_[pool_key(*version)];
  if (!pool) {
    auto start = [this](function::VersionPtr wanted) { return starter_.start(std::move(wanted)); };
    auto room = [this] { make_room(); };
    pool = std::make_shared<pool::InstancePool>(loop_.get_executor(), version, limits_, budget_,
                                                start, room, clock_);
  }
  return pool;
}

void Shard::make_room() {
  PoolPtr longest;
  for (const auto& [key, pool] : pools_) {
    if (pool->oldest_idle() && (!longest || *pool->oldest_idle() < *longest->oldest_idle()))
      longest = pool;
  }
  if (longest) longest->end_one_idle();
}

// --- calls

Task<Result<Outcome>> Shard::invoke(Call call) {
  const auto begin = std::chrono::steady_clock::now();
  const bool http = call.target.version->configuration.kind == function::Kind::http;
  if (!http && call.payload.size() > kMaxEventBytes) {
    co_return fail(
        ErrorCode::too_large,
        "{} byte payload is too large for the RequestResponse invocation type (limit {} bytes)",
        call.payload.size(), kMaxEventBytes);
  }
  auto admitted = admit(call.target);
  if (!admitted) co_return fail(std::move(admitted.error()));
  if (http) co_return co_await call_http(std::move(call), begin);
  co_return co_await call_handler(std::move(call), begin);
}

Task<Result<Outcome>> Shard::call_handler(Call call, SteadyTime begin) {
  const auto version = call.target.version;
  Outcome outcome;
  outcome.executed_version = version->label();
  outcome.trace_id = call.trace_id;
  std::optional<pool::InstancePool::InitFailure> init_failure;
  const auto pool = pool_of(version);
  auto lease = co_await pool->acquire(init_failure);
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

namespace {

// A slot and a socket, for as long as the proxy needs them. Destroyed on any loop: the slot goes
// home by a message.
class ShardHttpLease final : public HttpLease {
 public:
  ShardHttpLease(Loop& home, pool::Lease lease, UniqueFd socket, Timing timing)
      : home_(home), lease_(std::move(lease)), socket_(std::move(socket)), timing_(timing) {}
  ~ShardHttpLease() override {
    auto give_back = [lease = std::make_shared<pool::Lease>(std::move(lease_)),
                      discard = discard_] {
      if (discard && *lease) lease->instance().ended().set();
      lease->give_back();
    };
    asio::post(home_, std::move(give_back));
  }
  ShardHttpLease(const ShardHttpLease&) = delete;
  ShardHttpLease& operator=(const ShardHttpLease&) = delete;

  UniqueFd take_socket() override { return std::move(socket_); }
  [[nodiscard]] const Timing& timing() const override { return timing_; }
  void discard_instance() override { discard_ = true; }

 private:
  Loop& home_;
  pool::Lease lease_;
  UniqueFd socket_;
  Timing timing_;
  bool discard_ = false;
};

std::string tail_of_log(std::string log) {
  constexpr std::size_t kShown = 2000;
  if (log.size() > kShown) log.erase(0, log.size() - kShown);
  return log;
}

}  // namespace

Task<Result<std::unique_ptr<HttpLease>>> Shard::open_http(function::Resolved target, std::string) {
  const auto begin = std::chrono::steady_clock::now();
  auto admitted = admit(target);
  if (!admitted) co_return fail(std::move(admitted.error()));
  const auto pool = pool_of(target.version);
  while (true) {
    std::optional<pool::InstancePool::InitFailure> init_failure;
    auto lease = co_await pool->acquire(init_failure);
    if (!lease) co_return fail(std::move(lease.error()));
    if (init_failure) {
      co_return fail(ErrorCode::function_failed, "{} ({}). Its last output: {}",
                     init_failure->failure.reason, init_failure->failure.type,
                     tail_of_log(std::move(init_failure->log)));
    }
    auto& instance = lease->instance();
    const bool served = instance.served;
    instance.served = true;
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
      std::unique_ptr<HttpLease> open =
          std::make_unique<ShardHttpLease>(loop_, std::move(*lease), std::move(*socket), timing);
      co_return open;
    }
    auto log = tail_of_log(instance.recent_log());
    instance.ended().set();
    // A server that ended a moment ago is not known to be gone yet. Nothing was sent to it, so
    // another instance takes the call; one that never served has no such excuse.
    if (served) continue;
    co_return fail(ErrorCode::function_failed,
                   "it stopped listening on its port: {}. Its last output: {}",
                   socket.error().message(), log);
  }
}

// POST / with the event as JSON body; a status of 400 or more is the function's error.
Task<Result<Outcome>> Shard::call_http(Call call, SteadyTime begin) {
  const auto version = call.target.version;
  Outcome outcome;
  outcome.executed_version = version->label();
  outcome.trace_id = call.trace_id;
  auto lease = co_await open_http(call.target, call.request_id);
  if (!lease) {
    if (lease.error().code() != ErrorCode::function_failed)
      co_return fail(std::move(lease.error()));
    pool::Failure failure;
    failure.type = "Runtime.ExitError";
    failure.reason = lease.error().message();
    describe(outcome, payload_of(failure, call.request_id));
    outcome.timing.total = since(begin);
    co_return outcome;
  }
  outcome.timing = (*lease)->timing();
  const auto sent = std::chrono::steady_clock::now();
  const auto deadline = sent + std::chrono::seconds(version->configuration.timeout_seconds);
  auto connection = co_await http::ClientConnection::adopt((*lease)->take_socket());
  if (!connection) co_return fail(std::move(connection.error()));
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.headers.add("Host", "localhost");
  request.headers.add("Content-Type", "application/json");
  request.headers.add("X-Amzn-Trace-Id", call.trace_id);
  request.headers.add("X-Amzn-RequestId", call.request_id);
  http::BufferedBody body(std::move(call.payload));
  auto head = co_await (*connection)->exchange(std::move(request), body, deadline);
  Result<std::string> payload = std::string();
  if (head) {
    payload =
        co_await http::read_all((*connection)->body(deadline - std::chrono::steady_clock::now()),
                                sandbox::kMaxResponseBytes);
  }
  outcome.timing.handler = since(sent);
  outcome.timing.total = since(begin);
  if (head && payload) {
    outcome.content_type = head->headers.get("Content-Type", "application/octet-stream");
    outcome.payload = std::move(*payload);
    if (head->status >= 400) {
      outcome.error = FunctionError::handled;
      outcome.error_type = fmt::format("Http.{}", head->status);
    }
    co_return outcome;
  }
  const Error& error = head ? payload.error() : head.error();
  pool::Failure failure;
  if (error.code() == ErrorCode::timeout) {
    (*lease)->discard_instance();
    failure.kind = pool::Failure::Kind::timeout;
    failure.type = "Sandbox.Timedout";
    failure.reason = fmt::format("Task timed out after {:.2f} seconds",
                                 static_cast<double>(version->configuration.timeout_seconds));
  } else if (error.code() == ErrorCode::too_large) {
    describe(outcome, response_too_large(call.request_id));
    co_return outcome;
  } else {
    failure.type = "Runtime.ExitError";
    failure.reason = "the HTTP server ended the connection: " + error.message();
  }
  describe(outcome, payload_of(failure, call.request_id));
  co_return outcome;
}

// --- deploys

Task<Result<Timing>> Shard::prepare(function::VersionPtr version, Invoker::InitFailure& failure) {
  const auto pool = pool_of(version);
  auto started = co_await pool->start_ahead();
  if (!started) {
    pools_.erase(pool_key(*version));
    co_return fail(std::move(started.error()));
  }
  if (*started) {
    pools_.erase(pool_key(*version));
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
  auto node = pools_.extract(pool_key(*prepared));
  if (node.empty()) return;
  // The sandbox was told its version's number at its start.
  if (prepared->number != published->number) {
    node.mapped()->retire();
    return;
  }
  // A call that came right after the commit may have begun a pool of its own.
  if (pools_.contains(pool_key(*published))) {
    node.mapped()->retire();
    return;
  }
  node.mapped()->rename(published);
  node.key() = pool_key(*published);
  pools_.insert(std::move(node));
}

void Shard::retire(const function::VersionPtr& version) {
  auto node = pools_.extract(pool_key(*version));
  if (!node.empty()) node.mapped()->retire();
}

Task<Result<std::string>> Shard::run_builtin(function::VersionPtr version,
                                             std::vector<std::string> argv,
                                             std::chrono::seconds limit) {
  if (!budget_.take()) {
    co_return fail(ErrorCode::overloaded, "this server runs {} instances already, its limit",
                   budget_.limit());
  }
  auto instance = co_await starter_.start_program(std::move(version), std::move(argv));
  if (!instance) {
    budget_.give_back();
    co_return fail(std::move(instance.error()));
  }
  Result<std::string> answer = std::string();
  if (const auto& failure = (*instance)->init_failure()) {
    answer = fail(ErrorCode::sandbox_failed, "{} {}: {}", failure->type, failure->reason,
                  (*instance)->init_log());
  } else {
    sandbox::RuntimeEvent event;
    event.request_id = random_uuid();
    event.payload = "{}";
    auto result = co_await (*instance)->call(std::move(event), limit);
    if (result.reply && result.reply->kind == sandbox::RuntimeReply::Kind::response) {
      answer = std::move(result.reply->body);
    } else if (result.failure) {
      answer = fail(ErrorCode::sandbox_failed, "{}: {}", result.failure->reason, result.log_tail);
    } else {
      answer = fail(ErrorCode::sandbox_failed, "{}", result.log_tail);
    }
  }
  co_await (*instance)->end();
  budget_.give_back();
  co_return answer;
}

// --- housekeeping

Task<void> Shard::reap() {
  while (!stopping_) {
    co_await sleep_for(std::chrono::seconds(1));
    const auto now = clock_.steady_now();
    for (auto at = pools_.begin(); at != pools_.end();) {
      at =
          at->second->end_idle(now) == 0 && at->second->unused() ? pools_.erase(at) : std::next(at);
    }
  }
}

Task<void> Shard::stop(SteadyTime deadline) {
  stopping_ = true;
  std::vector<PoolPtr> all;
  for (const auto& [key, pool] : pools_) all.push_back(pool);
  pools_.clear();
  for (const auto& pool : all) pool->retire();
  for (const auto& pool : all) co_await pool->wait_empty(deadline);
  for (const auto& pool : all) pool->end_all();
  for (const auto& pool : all) co_await pool->wait_empty(deadline + std::chrono::seconds(5));
}

}  // namespace lambda::invoke
