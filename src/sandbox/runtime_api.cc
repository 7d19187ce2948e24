// Steps: accept connections inside the sandbox (usually one) -> http::serve_connection -> route by
// path -> next (long poll) | response | error | init/error, guarded by the state machine in the
// header.
#include "sandbox/runtime_api.h"

#include "base/async_fd.h"
#include "base/background.h"
#include "base/encoding.h"
#include "http/server.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <utility>

namespace lambda::sandbox {
namespace {

constexpr std::string_view kPrefix = "/2018-06-01/runtime/";
// Runtimes and their helpers need a handful of connections; more is an attack on our descriptors.
constexpr int kMaxConnections = 16;

// responding: the body of a response or an error is being read.
enum class Phase { initialising, ready, busy, responding, responded, init_failed };

constexpr std::string_view kErrorType = "Lambda-Runtime-Function-Error-Type";
constexpr std::string_view kErrorBody = "Lambda-Runtime-Function-Error-Body";

http::Response json_error(unsigned status, std::string_view type, std::string_view message) {
  boost::json::object body{{"errorMessage", message}, {"errorType", type}};
  return http::Response(status, "application/json", boost::json::serialize(body));
}

http::Response accepted() {
  return http::Response(202, "application/json", "{\"status\":\"OK\"}\n");
}

http::Response event_response(RuntimeEvent event) {
  http::Response answer(200, "application/json", std::move(event.payload));
  auto& headers = answer.headers;
  headers.add("Lambda-Runtime-Aws-Request-Id", std::move(event.request_id));
  headers.add("Lambda-Runtime-Deadline-Ms",
              std::to_string(event.deadline.time_since_epoch().count()));
  headers.add("Lambda-Runtime-Invoked-Function-Arn", std::move(event.invoked_arn));
  headers.add("Lambda-Runtime-Trace-Id", std::move(event.trace_id));
  if (!event.client_context.empty()) {
    headers.add("Lambda-Runtime-Client-Context", std::move(event.client_context));
  }
  return answer;
}

http::Response wrong_state() {
  return json_error(403, "InvalidStateTransition", "State transition is not allowed");
}

// The Runtime API must never end a connection that waits in `next`, nor one whose streamed response
// pauses: the function's timeout is the limit, and when it passes, the sandbox goes.
http::ServerLimits limits() {
  http::ServerLimits limits;
  limits.idle_time = std::chrono::seconds(0);
  limits.body_time = std::chrono::seconds(0);
  limits.least_rate = 0;
  // The Node client puts its whole X-Ray cause into one header line.
  limits.header_bytes = 1024 * 1024 + 64 * 1024;
  return limits;
}

}  // namespace

struct RuntimeApi::Impl final : http::Handler, std::enable_shared_from_this<RuntimeApi::Impl> {
  explicit Impl(LoopExecutor loop) : executor(loop), listener(loop) {}

  LoopExecutor executor;
  asio::posix::basic_stream_descriptor<LoopExecutor> listener;
  Phase phase = Phase::initialising;
  int connections = 0;
  bool closing = false;
  bool gone = false;  // abandon() was called
  // Of the `next` that waits: a newer one takes over from one whose runtime gave up waiting.
  AsyncEvent* waiting_next = nullptr;
  AsyncEvent waiting_again;

  InitReply init;
  AsyncEvent init_done;
  std::optional<RuntimeEvent> pending;  // given by run(), not yet fetched
  std::string current_id;               // fetched, not yet answered
  std::optional<RuntimeReply> reply;
  AsyncEvent reply_done;
  AsyncEvent all_closed;

  Task<void> accept_loop(std::shared_ptr<Impl> self);
  Task<void> serve(std::shared_ptr<Impl> self, int fd);
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override;
  Task<void> next(http::ResponseWriter& writer);
  Task<void> respond(std::string_view id, http::Request& request, http::BodyReader& body,
                     http::ResponseWriter& writer);
  Task<void> report_error(std::string_view id, http::Request& request, http::BodyReader& body,
                          http::ResponseWriter& writer);
  Task<void> init_error(http::Request& request, http::BodyReader& body,
                        http::ResponseWriter& writer);
  // The refusal for a response or error to `id`, if it may not come now.
  std::optional<http::Response> refuse(std::string_view id) const;
  // The body of a response or an error; says what to answer where it cannot be taken.
  Task<std::optional<http::Response>> take_body(http::BodyReader& body, RuntimeReply& result);
  Task<void> finish(RuntimeReply result, http::Response answer, http::ResponseWriter& writer);
  void wake_next() {
    if (waiting_next != nullptr) waiting_next->set();
  }
  void check_closed() {
    if (closing && connections == 0 && !listener.is_open()) all_closed.set();
  }
};

Task<void> RuntimeApi::Impl::accept_loop(std::shared_ptr<Impl> self) {
  while (!closing) {
    auto [error] = co_await listener.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (error) break;
    const int fd =
        ::accept4(listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) continue;
      // Out of descriptors: the runtime retries; do not spin.
      co_await sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    if (connections >= kMaxConnections) {
      ::close(fd);
      continue;
    }
    ++connections;
    asio::co_spawn(executor, serve(self, fd), in_background("a connection of the Runtime API"));
  }
  boost::system::error_code ignored;
  listener.close(ignored);
  check_closed();
}

Task<void> RuntimeApi::Impl::serve(std::shared_ptr<Impl> self, int fd) {
  http::Peer peer;
  peer.loopback = true;
  co_await http::serve_connection(UniqueFd(fd), std::move(peer), *self, limits());
  --connections;
  check_closed();
}

Task<void> RuntimeApi::Impl::handle(http::Request& request, http::BodyReader& body,
                                    http::ResponseWriter& writer) {
  std::string_view path = request.path();
  if (!path.starts_with(kPrefix)) {
    auto answer =
        json_error(404, "InvalidPath", "The Runtime API serves /2018-06-01/runtime/ alone");
    co_await writer.send(std::move(answer));
    co_return;
  }
  path.remove_prefix(kPrefix.size());
  const bool post = request.method == "POST";
  if (request.method == "GET" && path == "invocation/next") {
    co_await next(writer);
    co_return;
  }
  if (post && path == "init/error") {
    co_await init_error(request, body, writer);
    co_return;
  }
  constexpr std::string_view invocation = "invocation/";
  if (post && path.starts_with(invocation)) {
    const auto rest = path.substr(invocation.size());
    const auto slash = rest.find('/');
    if (slash != std::string_view::npos && rest.substr(slash) == "/response") {
      co_await respond(rest.substr(0, slash), request, body, writer);
      co_return;
    }
    if (slash != std::string_view::npos && rest.substr(slash) == "/error") {
      co_await report_error(rest.substr(0, slash), request, body, writer);
      co_return;
    }
  }
  auto answer = json_error(404, "InvalidPath", "No such operation of the Runtime API");
  co_await writer.send(std::move(answer));
}

Task<void> RuntimeApi::Impl::next(http::ResponseWriter& writer) {
  if (phase == Phase::busy || phase == Phase::responding || phase == Phase::init_failed) {
    auto answer = wrong_state();
    co_await writer.send(std::move(answer));
    co_return;
  }
  if (phase == Phase::initialising) {
    init.ready = true;
    init_done.set();
  }
  phase = Phase::ready;
  waiting_again.set();
  AsyncEvent woken;
  if (auto* const older = std::exchange(waiting_next, &woken)) older->set();
  // An event must not go to a connection that nobody reads from any more.
  writer.on_client_gone([this, &woken] {
    if (waiting_next != &woken) return;
    waiting_next = nullptr;
    waiting_again.reset();
    woken.set();
  });
  while (!closing && waiting_next == &woken && !pending) {
    woken.reset();
    co_await woken.wait();
  }
  writer.on_client_gone({});
  if (waiting_next != &woken) co_return;
  waiting_next = nullptr;
  waiting_again.reset();
  if (closing) co_return;
  RuntimeEvent event = std::move(*pending);
  pending.reset();
  phase = Phase::busy;
  current_id = event.request_id;
  auto answer = event_response(std::move(event));
  co_await writer.send(std::move(answer));
}

std::optional<http::Response> RuntimeApi::Impl::refuse(std::string_view id) const {
  if (phase != Phase::busy) return wrong_state();
  if (id != current_id) return json_error(400, "InvalidRequestID", "Invalid request ID");
  return std::nullopt;
}

// The reply counts from here, whatever happens to the runtime while it is told so; whoever waits
// for it goes on once the runtime has been told. The state moves first: a runtime that uses a
// connection for each request may ask for its next event before this one's write returns.
Task<void> RuntimeApi::Impl::finish(RuntimeReply result, http::Response answer,
                                    http::ResponseWriter& writer) {
  phase = Phase::responded;
  current_id.clear();
  reply = std::move(result);
  co_await writer.send(std::move(answer));
  reply_done.set();
}

Task<std::optional<http::Response>> RuntimeApi::Impl::take_body(http::BodyReader& body,
                                                                RuntimeReply& result) {
  phase = Phase::responding;
  auto bytes = co_await http::read_all(body, kMaxResponseBytes);
  if (bytes) {
    result.body = std::move(*bytes);
    co_return std::nullopt;
  }
  if (bytes.error().code() == ErrorCode::too_large) {
    result.kind = RuntimeReply::Kind::response_too_large;
    co_return json_error(
        413, "RequestEntityTooLarge",
        fmt::format("Exceeded maximum allowed payload size ({} bytes).", kMaxResponseBytes));
  }
  // It may try again, or say that it failed.
  phase = Phase::busy;
  co_return json_error(400, "TruncatedHTTPRequest",
                       "HTTP request is truncated: its body ended early");
}

Task<void> RuntimeApi::Impl::respond(std::string_view id, http::Request& request,
                                     http::BodyReader& body, http::ResponseWriter& writer) {
  if (auto refusal = refuse(id)) {
    co_await writer.send(std::move(*refusal));
    co_return;
  }
  RuntimeReply result;
  if (const auto* mode = request.headers.find("Lambda-Runtime-Function-Response-Mode");
      mode != nullptr && *mode != "streaming") {
    result.kind = RuntimeReply::Kind::invalid_mode;
    auto answer =
        json_error(400, "InvalidFunctionResponseMode", "Invalid function response mode: " + *mode);
    co_await finish(std::move(result), std::move(answer), writer);
    co_return;
  }
  auto refusal = co_await take_body(body, result);
  if (phase == Phase::busy) {
    co_await writer.send(std::move(*refusal));
    co_return;
  }
  // A streamed response that failed after its first byte ends as any other, and says so in
  // trailers.
  const auto* trailers = body.trailers();
  if (!refusal && trailers != nullptr && trailers->has(kErrorType)) {
    result.kind = RuntimeReply::Kind::error;
    result.error_type = trailers->get(kErrorType);
    const auto encoded = trailers->get(kErrorBody);
    result.body = base64_decode(encoded).value_or(std::string(encoded));
  }
  auto answer = refusal ? std::move(*refusal) : accepted();
  co_await finish(std::move(result), std::move(answer), writer);
}

Task<void> RuntimeApi::Impl::report_error(std::string_view id, http::Request& request,
                                          http::BodyReader& body, http::ResponseWriter& writer) {
  if (auto refusal = refuse(id)) {
    co_await writer.send(std::move(*refusal));
    co_return;
  }
  RuntimeReply result;
  result.kind = RuntimeReply::Kind::error;
  result.error_type = request.headers.get(kErrorType);
  auto refusal = co_await take_body(body, result);
  if (phase == Phase::busy) {
    co_await writer.send(std::move(*refusal));
    co_return;
  }
  auto answer = refusal ? std::move(*refusal) : accepted();
  co_await finish(std::move(result), std::move(answer), writer);
}

Task<void> RuntimeApi::Impl::init_error(http::Request& request, http::BodyReader& body,
                                        http::ResponseWriter& writer) {
  if (phase != Phase::initialising) {
    auto answer = wrong_state();
    co_await writer.send(std::move(answer));
    co_return;
  }
  phase = Phase::init_failed;
  init.error_type = request.headers.get(kErrorType);
  auto bytes = co_await http::read_all(body, kMaxResponseBytes);
  if (bytes) init.body = std::move(*bytes);
  auto answer = accepted();
  co_await writer.send(std::move(answer));
  init_done.set();
}

RuntimeApi::RuntimeApi(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<RuntimeApi>> RuntimeApi::open(LoopExecutor executor, UniqueFd listener) {
  auto impl = std::make_shared<Impl>(executor);
  ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
  auto given = give_to(impl->listener, std::move(listener), "the sandbox's Runtime API socket");
  if (!given) return fail(std::move(given.error()));
  asio::co_spawn(executor, impl->accept_loop(impl), in_background("the Runtime API"));
  return std::unique_ptr<RuntimeApi>(new RuntimeApi(std::move(impl)));
}

RuntimeApi::~RuntimeApi() {
  impl_->closing = true;
  boost::system::error_code ignored;
  impl_->listener.close(ignored);
  impl_->wake_next();
}

Task<std::optional<InitReply>> RuntimeApi::wait_init(
    std::chrono::steady_clock::time_point deadline) {
  const auto self = impl_;
  co_await self->init_done.wait_until(deadline);
  if (self->phase == Phase::initialising && !self->init.ready) co_return std::nullopt;
  if (self->init.ready || self->phase == Phase::init_failed) co_return self->init;
  co_return std::nullopt;
}

Task<std::optional<RuntimeReply>> RuntimeApi::run(RuntimeEvent event,
                                                  std::chrono::steady_clock::time_point deadline) {
  const auto self = impl_;
  if (self->gone) co_return std::nullopt;
  self->reply.reset();
  self->reply_done.reset();
  self->pending = std::move(event);
  self->wake_next();
  co_await self->reply_done.wait_until(deadline);
  self->pending.reset();
  co_return std::exchange(self->reply, std::nullopt);
}

bool RuntimeApi::runtime_is_waiting() const {
  return impl_->waiting_next != nullptr;
}

Task<bool> RuntimeApi::wait_until_waiting(std::chrono::steady_clock::time_point deadline) {
  const auto self = impl_;
  co_await self->waiting_again.wait_until(deadline);
  co_return self->waiting_next != nullptr && !self->gone;
}

void RuntimeApi::abandon() {
  impl_->gone = true;
  impl_->waiting_again.set();
  impl_->init_done.set();
  impl_->reply_done.set();
}

bool RuntimeApi::abandoned() const {
  return impl_->gone;
}

Task<void> RuntimeApi::close() {
  const auto self = impl_;
  self->closing = true;
  abandon();
  boost::system::error_code ignored;
  self->listener.close(ignored);
  self->wake_next();
  self->check_closed();
  // Connections end when the processes at their other end do.
  co_await self->all_closed.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(5));
}

}  // namespace lambda::sandbox
