// Functions that are HTTP servers: a socket for the gateway's proxy, and events by POST /.
#include "base/encoding.h"
#include "http/client.h"
#include "invoke/failure_payload.h"
#include "invoke/shard_admission.h"

#include <chrono>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace lambda::invoke {

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
    auto give_back = [held = std::move(held_), discard = discard_, use = use_,
                      end = std::chrono::steady_clock::now()]() mutable {
      if (held->sink != nullptr) held->tell(use, end);
      if (discard) held->lease.discard();
      held.reset();
    };
    asio::post(home_, std::move(give_back));
  }
  // From now on the proxy has it: what comes of it is told to `sink`.
  void told_to(observe::CallSink* sink, HttpCall call, CallCourse course) {
    held_->sink = sink;
    held_->call = std::move(call);
    held_->course = std::move(course);
    held_->course->hand_over(std::chrono::steady_clock::now());
  }
  HttpSlot(const HttpSlot&) = delete;
  HttpSlot& operator=(const HttpSlot&) = delete;

  UniqueFd take_socket() override { return std::move(socket_); }
  [[nodiscard]] const Timing& timing() const override { return timing_; }
  HttpUse& use() override { return use_; }
  void discard_instance() override { discard_ = true; }
  Task<bool> ended_soon() override {
    auto wait = wait_for_end(held_);
    co_return co_await cross_to(home_, std::move(wait));
  }
  Task<void> note_failure(std::string request_id, std::string reason) override {
    auto note = note_at_home(held_, std::move(request_id), std::move(reason));
    co_await cross_to(home_, std::move(note));
  }

 private:
  struct Held {
    Held(std::unique_ptr<Admission> counted, pool::Lease slot)
        : admission(std::move(counted)), lease(std::move(slot)) {}
    void tell(const HttpUse& use, SteadyTime end) {
      if (use.head) course->answer(*use.head);
      course->set_status(use.status);
      sink->record(course->record(call, use, end));
    }
    std::unique_ptr<Admission> admission;
    pool::Lease lease;
    observe::CallSink* sink = nullptr;
    HttpCall call;
    std::optional<CallCourse> course;
  };
  static Task<bool> wait_for_end(std::shared_ptr<Held> held) {
    co_return co_await held->lease.instance().ended().wait_until(std::chrono::steady_clock::now() +
                                                                 pool::kExitGrace);
  }
  static Task<void> note_at_home(std::shared_ptr<Held> held, std::string request_id,
                                 std::string reason) {
    co_await held->lease.instance().note_failure(std::move(request_id), std::move(reason));
  }
  Loop& home_;
  std::shared_ptr<Held> held_;
  UniqueFd socket_;
  Timing timing_;
  HttpUse use_;
  bool discard_ = false;
};

namespace {

std::string tail_of_log(std::string_view log) {
  constexpr std::size_t kShown = 2000;
  return std::string(last_of_utf8(log, kShown));
}

}  // namespace

Task<Result<std::unique_ptr<HttpLease>>> Shard::open_http(HttpCall call) {
  CallCourse course(clock_, 0, call.target.version->label());
  auto admitted = admit(call.target);
  Result<std::unique_ptr<HttpSlot>> slot = nullptr;
  if (admitted) {
    // What it wrote is in its log; lambdad's log, where this error goes, is no place for it.
    std::string last_output;
    slot = co_await open_admitted(call.target, std::move(*admitted), course, last_output);
  } else {
    slot = fail(std::move(admitted.error()));
  }
  if (!slot) {
    if (sink_ != nullptr) sink_->record(course.record(call, slot.error()));
    co_return fail(std::move(slot.error()));
  }
  (*slot)->told_to(sink_, std::move(call), std::move(course));
  co_return std::move(*slot);
}

Task<Result<std::unique_ptr<Shard::HttpSlot>>> Shard::open_admitted(
    const function::Resolved& target, std::unique_ptr<Admission> admission, CallCourse& course,
    std::string& last_output) {
  const auto pool = pool_of(target);
  if (!pool) co_return fail(Error(pool.error()));
  while (true) {
    std::optional<pool::InstancePool::InitFailure> init_failure;
    course.get_in_line();
    auto lease = co_await (*pool)->acquire(init_failure);
    if (!lease) co_return fail(std::move(lease.error()));
    if (init_failure) {
      course.take(*init_failure);
      last_output = tail_of_log(init_failure->log);
      co_return fail(ErrorCode::function_failed, "{} ({})", init_failure->failure.reason,
                     init_failure->failure.type);
    }
    course.take(*lease);
    auto& instance = lease->instance();
    auto socket = co_await instance.connect();
    if (socket) {
      Timing timing;
      timing.cold = lease->cold();
      timing.waiting = lease->waited();
      if (timing.cold) {
        timing.start = instance.start_times().sandbox;
        timing.init = instance.start_times().init;
      }
      timing.total = elapsed_since(course.begin());
      co_return std::make_unique<HttpSlot>(loop_, std::move(admission), std::move(*lease),
                                           std::move(*socket), timing);
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
  if (call.trace.known()) {
    request.headers.add("traceparent", observe::traceparent_of(call.trace));
    if (!call.trace_state.empty()) request.headers.add("tracestate", call.trace_state);
  }
  return request;
}

// What came back for it, with the whole of its body. `course` is told when its head came.
Task<Result<http::Response>> exchange_event(http::ClientConnection& connection,
                                            http::Request request, std::string payload,
                                            std::chrono::seconds timeout, CallCourse& course) {
  http::BufferedBody body(std::move(payload));
  auto head = co_await connection.exchange(std::move(request), body,
                                           std::chrono::steady_clock::now() + timeout);
  course.answer(std::chrono::steady_clock::now());
  if (head) {
    course.set_status(head->status);
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

pool::Failure failed_exchange(const Error& error, std::chrono::seconds timeout) {
  if (error.code() == ErrorCode::timeout) return pool::timed_out(timeout);
  pool::Failure failure;
  failure.type = "Runtime.ExitError";
  failure.reason = "the HTTP server ended the connection: " + error.message();
  return failure;
}

}  // namespace

// POST / with the event as JSON body; a status of 400 or more is the function's error.
Task<Result<Outcome>> Shard::call_http(Call& call, std::unique_ptr<Admission> admission,
                                       CallCourse& course) {
  const auto version = call.target.version;
  Outcome outcome;
  outcome.executed_version = version->label();
  outcome.trace_id = call.trace_id;
  std::string last_output;
  auto lease = co_await open_admitted(call.target, std::move(admission), course, last_output);
  if (!lease) {
    if (lease.error().code() != ErrorCode::function_failed)
      co_return fail(std::move(lease.error()));
    pool::Failure failure;
    failure.type = "Runtime.ExitError";
    failure.reason = fmt::format("{}. Its last output: {}", lease.error().message(), last_output);
    describe(outcome, payload_of(failure, call.request_id));
    outcome.timing.total = elapsed_since(course.begin());
    co_return outcome;
  }
  outcome.timing = (*lease)->timing();
  const auto sent = std::chrono::steady_clock::now();
  course.hand_over(sent);
  auto connection = co_await http::ClientConnection::adopt((*lease)->take_socket());
  if (!connection) co_return fail(std::move(connection.error()));
  const std::chrono::seconds timeout(version->configuration.timeout_seconds);
  auto request = event_request(call);
  auto answer = co_await exchange_event(**connection, std::move(request), std::move(call.payload),
                                        timeout, course);
  outcome.timing.handler = elapsed_since(sent);
  outcome.timing.total = elapsed_since(course.begin());
  if (!answer) {
    if (answer.error().code() == ErrorCode::too_large) {
      describe(outcome, response_too_large(call.request_id));
      co_return outcome;
    }
    const auto failure = failed_exchange(answer.error(), timeout);
    if (failure.kind == pool::Failure::Kind::timeout) {
      (*lease)->discard_instance();
    } else {
      co_await (*lease)->ended_soon();
    }
    co_await (*lease)->note_failure(call.request_id, failure.reason);
    describe(outcome, payload_of(failure, call.request_id));
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

}  // namespace lambda::invoke
