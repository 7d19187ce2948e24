// Steps: start (driver, Runtime API, log) -> initialise (first `next`, or a listening $PORT) ->
// call, any number, frozen in between -> end (stop the sandbox, close what served it).
#include "pool/instance.h"

#include "base/background.h"
#include "base/time_text.h"
#include "pool/sandbox_spec.h"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <cctype>
#include <cmath>
#include <cstring>
#include <sys/socket.h>

namespace lambda::pool {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

double to_ms(microseconds duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

// How a program of one's own ended; AWS's words are about runtimes.
std::string ending_of(const Failure& failure, const std::optional<sandbox::ExitStatus>& exit) {
  constexpr std::string_view before = "Runtime exited with error: ";
  if (failure.reason.starts_with(before)) return failure.reason.substr(before.size());
  if (exit && exit->code) return fmt::format("exit status {}", *exit->code);
  return failure.reason;
}

// On top of its timeout, for a runtime to ask for its next event after a response.
constexpr std::chrono::seconds kAfterResponse{30};
// The end of an instance waits so long for a freeze or a thaw that is under way.
constexpr std::chrono::seconds kMotionLimit{2};

}  // namespace

Instance::Instance(LoopExecutor executor, function::VersionPtr version, std::string id,
                   Services services)
    : executor_(executor), version_(std::move(version)), id_(std::move(id)), services_(services) {}

Instance::~Instance() = default;

Task<Result<Done>> Instance::start(sandbox::Driver& driver, sandbox::SandboxSpec spec) {
  const auto self = shared_from_this();
  const auto begin = std::chrono::steady_clock::now();
  command_ = fmt::format("{}", fmt::join(spec.argv, " "));
  auto started = co_await driver.start(std::move(spec), begin + kInitLimit);
  if (!started) {
    ended_.set();
    gone_.set();
    co_return fail(std::move(started.error()), "start {} sandbox for function {}", driver.name(),
                   version_->function);
  }
  sandbox_ = std::move(*started);
  start_times_.begin = begin;
  start_times_.sandbox = elapsed_since(begin);
  start_times_.sandbox_steps = sandbox_->start_steps();
  const InstanceLog::Owner owner{version_->label(), id_};
  auto log =
      InstanceLog::open(executor_, sandbox_->take_log(), owner, services_.log, services_.clock);
  auto api = sandbox::RuntimeApi::open(executor_, sandbox_->take_runtime_listener());
  if (!log || !api) {
    auto error = log ? std::move(api.error()) : std::move(log.error());
    [[maybe_unused]] const auto stopped = co_await sandbox_->stop();
    sandbox_.reset();
    ended_.set();
    gone_.set();
    co_return fail(std::move(error), "serve a sandbox of function {}", version_->function);
  }
  log_ = std::move(*log);
  api_ = std::move(*api);
  asio::co_spawn(executor_, watch_exit(self), in_background("the watch for an instance's exit"));

  const auto init_begin = std::chrono::steady_clock::now();
  const bool http = version_->configuration.kind == function::Kind::http;
  Result<Done> initialised = Done{};
  if (http) {
    initialised = co_await initialise_http();
  } else {
    initialised = co_await initialise_handler();
  }
  start_times_.init = elapsed_since(init_begin);
  if (!initialised) co_return fail(std::move(initialised.error()));
  initialised_ = !init_failure_;
  if (init_failure_) co_await note_failed_init();
  co_return co_await limit_cpu();
}

// Only now: with less CPU the initialisation would take as many times longer.
Task<Result<Done>> Instance::limit_cpu() {
  const auto thousandths = version_->configuration.cpu_thousandths;
  if (thousandths == 0 || init_failure_) co_return Done{};
  auto limited = co_await sandbox_->limit_cpu(thousandths);
  // Without the limit it is not what was asked for.
  if (!limited && !ended_.is_set()) {
    co_return fail(std::move(limited.error()), "limit function {} to {} CPUs", version_->function,
                   thousandths / 1000.0);
  }
  co_return Done{};
}

Task<void> Instance::note_failed_init() {
  init_log_ = co_await log_->drain_outside_call();
  // Where that is all, it is said already.
  const bool said = exit_ && exit_->detail == init_failure_->reason;
  if (!said && !init_failure_->reason.empty()) {
    auto why = fmt::format("[lambda] the initialisation failed: {}", init_failure_->reason);
    co_await log_->platform_line(std::move(why));
  }
  const bool late = init_failure_->kind == Failure::Kind::timeout;
  auto last = fmt::format("INIT_REPORT Init Duration: {:.2f} ms\tPhase: init\tStatus: {}",
                          to_ms(start_times_.init), late ? "timeout" : "error");
  if (!late) last += "\tError Type: " + init_failure_->type;
  co_await log_->platform_line(std::move(last));
}

void Instance::refuse_start(Failure failure) {
  init_log_ = failure.reason + "\n";
  if (services_.log) {
    observe::LogLine line;
    line.time = services_.clock.now();
    line.function = version_->function;
    line.version = version_->label();
    line.instance = id_;
    line.text = fmt::format("[lambda] the initialisation failed: {}", failure.reason);
    line.platform = true;
    services_.log->append(std::move(line));
  }
  init_failure_ = std::move(failure);
  ended_.set();
}

// `self` keeps the instance for as long as its sandbox lives.
Task<void> Instance::watch_exit([[maybe_unused]] std::shared_ptr<Instance> self) {
  exit_ = co_await sandbox_->wait_exit();
  // Why it could not even be executed is for the log; the error's words are AWS's.
  if (!exit_->detail.empty() && !ending_) co_await log_->platform_line(exit_->detail);
  if (initialised_ && !ending_ && !calls_) {
    const auto failure = exit_failure();
    auto why =
        fmt::format("[lambda] the instance ended by itself: {} ({})", failure.reason, failure.type);
    co_await log_->platform_line(std::move(why));
  }
  api_->abandon();
  ended_.set();
  watch_done_.set();
}

Task<Result<Done>> Instance::initialise_handler() {
  auto init = co_await api_->wait_init(std::chrono::steady_clock::now() + kInitLimit);
  if (init && init->ready) co_return Done{};
  if (init) {
    Failure failure;
    failure.kind = Failure::Kind::init;
    failure.type = init->error_type;
    failure.payload = std::move(init->body);
    // The runtime exits after it reported; its last words belong to the log.
    co_await ended_.wait_until(std::chrono::steady_clock::now() + kExitGrace);
    init_failure_ = std::move(failure);
  } else if (ended_.is_set()) {
    init_failure_ = exit_failure();
  } else {
    init_failure_ = timed_out(kInitLimit);
  }
  co_return Done{};
}

Task<Result<Done>> Instance::initialise_http() {
  const auto deadline = std::chrono::steady_clock::now() + kInitLimit;
  auto pause = milliseconds(1);
  while (!ended_.is_set() && std::chrono::steady_clock::now() < deadline) {
    auto socket = co_await connect();
    if (socket) co_return Done{};
    // Not listening yet. It looks again after 1, 2, 4 ... 16 ms, or at once when the process ended.
    co_await ended_.wait_until(std::chrono::steady_clock::now() + pause);
    pause = std::min(pause * 2, milliseconds(16));
  }
  if (ended_.is_set()) {
    init_failure_ = exit_failure();
    init_failure_->reason = fmt::format(
        "the command `{}` ended before it listened on port {} ($PORT): {}. It must be an HTTP "
        "server; a handler needs --kind handler",
        command_, http_port(*version_), ending_of(*init_failure_, exit_));
    co_return Done{};
  }
  Failure failure;
  failure.kind = Failure::Kind::timeout;
  failure.type = "Sandbox.Timedout";
  failure.reason = fmt::format("`{}` did not listen on port {} ($PORT) within {} seconds", command_,
                               http_port(*version_), kInitLimit.count());
  init_failure_ = std::move(failure);
  co_return Done{};
}

Failure timed_out(std::chrono::duration<double> limit) {
  Failure failure;
  failure.kind = Failure::Kind::timeout;
  failure.type = "Sandbox.Timedout";
  failure.reason = timed_out_text(limit);
  return failure;
}

Failure Instance::exit_failure() const {
  Failure failure;
  failure.type = "Runtime.ExitError";
  if (!exit_) {
    failure.reason = "Runtime exited without providing a reason";
    return failure;
  }
  failure.detail = exit_->detail;
  if (exit_->out_of_memory) {
    failure.kind = Failure::Kind::out_of_memory;
    failure.type = "Runtime.OutOfMemory";
    failure.reason = "Runtime exited with error: signal: killed";
  } else if (exit_->detail.starts_with("Couldn't find valid bootstrap")) {
    failure.type = "Runtime.InvalidEntrypoint";
    failure.reason = exit_->detail;
  } else if (exit_->signal) {
    const char* name = ::sigdescr_np(*exit_->signal);
    std::string text = name != nullptr ? name : std::to_string(*exit_->signal);
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    failure.reason = "Runtime exited with error: signal: " + text;
  } else if (exit_->code.value_or(0) != 0) {
    failure.reason = fmt::format("Runtime exited with error: exit status {}", *exit_->code);
  } else {
    failure.reason = "Runtime exited without providing a reason";
  }
  return failure;
}

Task<std::optional<Failure>> Instance::settle(std::optional<sandbox::RuntimeReply>& reply,
                                              milliseconds limit) {
  if (reply) co_return std::nullopt;
  if (ended_.is_set()) co_return exit_failure();
  co_return timed_out(limit);
}

Task<CallResult> Instance::call(sandbox::RuntimeEvent event, milliseconds limit) {
  const auto self = shared_from_this();
  const std::string request_id = event.request_id;
  served = true;
  calls_ = true;
  co_await log_->begin_call(request_id);
  const auto begin = std::chrono::steady_clock::now();
  event.deadline = services_.clock.now() + limit;
  CallResult result;
  result.begin = begin;
  result.reply = co_await api_->run(std::move(event), begin + limit);
  result.handler = elapsed_since(begin);
  result.failure = co_await settle(result.reply, limit);
  if (result.failure) {
    auto line = failure_line(request_id, *result.failure);
    co_await log_->platform_line(std::move(line));
  }
  if (const auto usage = sandbox_->usage()) result.memory_peak_bytes = usage->memory_peak_bytes;
  auto last = report(request_id, result.handler, result.failure, result.memory_peak_bytes);
  result.log_tail = co_await log_->end_call(std::move(last));
  calls_ = false;
  if (result.failure)
    asio::co_spawn(executor_, end_one(self), in_background("the end of an instance"));
  co_return result;
}

std::string Instance::failure_line(std::string_view request_id, std::string_view reason) const {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(services_.clock.now());
  return fmt::format("{}Z {} {}", format_iso(now), request_id, reason);
}

// As AWS says it of a timeout, and of a runtime that exited.
std::string Instance::failure_line(std::string_view request_id, const Failure& failure) const {
  if (failure.kind == Failure::Kind::timeout) return failure_line(request_id, failure.reason);
  return fmt::format("RequestId: {} Error: {} ({})", request_id, failure.reason, failure.type);
}

std::string Instance::report(std::string_view request_id, microseconds duration,
                             const std::optional<Failure>& failure,
                             std::uint64_t memory_peak_bytes) {
  const auto billed = static_cast<std::int64_t>(std::ceil(to_ms(duration)));
  const std::uint64_t used = (memory_peak_bytes + (1u << 20) - 1) >> 20;
  std::string text = fmt::format(
      "REPORT RequestId: {}\tDuration: {:.2f} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax "
      "Memory Used: {} MB\t",
      request_id, to_ms(duration), billed, version_->configuration.memory_mb, used);
  if (!init_reported_) text += fmt::format("Init Duration: {:.2f} ms\t", to_ms(start_times_.init));
  init_reported_ = true;
  if (failure && failure->kind == Failure::Kind::timeout) {
    text += "Status: timeout";
  } else if (failure) {
    text += "Status: error\tError Type: " + failure->type;
  }
  return text;
}

void Instance::sample_memory() {
  const auto used = sandbox_ ? sandbox_->memory_in_use() : Result<std::uint64_t>(0);
  memory_bytes_ = used.value_or(0);
}

Task<std::string> Instance::recent_log() {
  const auto self = shared_from_this();
  if (!log_) co_return std::string();
  co_return co_await log_->drain_outside_call();
}

Task<bool> Instance::wait_until_ready_again() {
  const auto self = shared_from_this();
  if (version_->configuration.kind == function::Kind::http) co_return !ended_.is_set();
  // What runs on after the response (a custom runtime's own cleaning up) gets the time of a call
  // and a bit.
  const auto limit = std::chrono::seconds(version_->configuration.timeout_seconds) + kAfterResponse;
  co_return co_await api_->wait_until_waiting(std::chrono::steady_clock::now() + limit);
}

Task<Result<UniqueFd>> Instance::connect() {
  const auto self = shared_from_this();
  co_return co_await sandbox_->connect(http_port(*version_));
}

Task<void> Instance::note_failure(std::string request_id, std::string reason) {
  const auto self = shared_from_this();
  if (!log_) co_return;
  auto line = failure_line(request_id, reason);
  co_await log_->platform_line_of(std::move(request_id), std::move(line));
}

// --- standing still between calls

void Instance::freeze() {
  if (!can_freeze_ || ended_.is_set() || !sandbox_) return;
  wants_frozen_ = true;
  start_moving();
}

Task<bool> Instance::wake() {
  const auto self = shared_from_this();
  wants_frozen_ = false;
  start_moving();
  while (moving_) co_await settled_.wait_through();
  co_return !frozen_ && !ended_.is_set();
}

void Instance::start_moving() {
  if (moving_ || wants_frozen_ == frozen_) return;
  moving_ = true;
  settled_.reset();
  asio::co_spawn(executor_, move(shared_from_this()), in_background("freezing or thawing"));
}

// One at a time, whatever is wanted meanwhile: who waits for it may go away half-way.
Task<void> Instance::move(std::shared_ptr<Instance> self) {
  bool stuck = false;
  while (!stuck && wants_frozen_ != frozen_ && !ended_.is_set()) {
    const bool freezes = wants_frozen_;
    Result<Done> done = Done{};
    if (freezes) {
      done = co_await sandbox_->freeze();
    } else {
      done = co_await sandbox_->thaw();
    }
    if (done) {
      frozen_ = freezes;
      continue;
    }
    if (!ended_.is_set()) motion_failed(done.error());
    // Without an answer it may stand still all the same.
    if (freezes) frozen_ = done.error().code() == ErrorCode::timeout;
    stuck = !freezes;
  }
  self->moving_ = false;
  self->settled_.set();
}

void Instance::motion_failed(const Error& error) {
  // No freezer here, or it ended just now: nothing to be done about it.
  const bool known = error.code() == ErrorCode::unavailable ||
                     error.code() == ErrorCode::sandbox_failed ||
                     error.code() == ErrorCode::not_found;
  const auto level = wants_frozen_ && known ? spdlog::level::debug : spdlog::level::warn;
  spdlog::log(level, "{} an instance of function {}: {}", wants_frozen_ ? "freeze" : "thaw",
              version_->function, error.message());
  can_freeze_ = false;
  wants_frozen_ = false;
}

// Keeps the instance until then, whoever lets go of it.
Task<void> Instance::end_one(std::shared_ptr<Instance> self) {
  co_await self->end();
}

Task<void> Instance::end() {
  const auto self = shared_from_this();
  if (ending_) {
    co_await gone_.wait();
    co_return;
  }
  ending_ = true;
  ended_.set();
  if (sandbox_) {
    api_->abandon();
    if (moving_) co_await settled_.wait_until(std::chrono::steady_clock::now() + kMotionLimit);
    auto stopped = co_await sandbox_->stop();
    if (!stopped)
      spdlog::error("end instance {} of {}: {}", id_, version_->function,
                    stopped.error().message());
    co_await log_->close();
    co_await api_->close();
    co_await watch_done_.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(5));
  }
  gone_.set();
}

}  // namespace lambda::pool
