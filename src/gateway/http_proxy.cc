// Steps: a slot and a socket from the invoker -> the request, small bodies whole, others as a
// stream
// -> the response's head, within the timeout -> tunnel | small body whole | stream.
#include "gateway/http_proxy.h"

#include "base/time_text.h"
#include "gateway/proxy_headers.h"
#include "http/client.h"
#include "http/deadline.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace lambda::gateway {
namespace {

using std::chrono::steady_clock;

// Bodies up to this size cross in one piece.
constexpr std::size_t kSmallBody = 64 * 1024;

// A request's body that moves a deadline on with every piece, until the response has begun: an
// upload may take long, silence not.
class MovingBody final : public http::BodyReader {
 public:
  MovingBody(http::BodyReader& body, http::Deadline& limit, steady_clock::duration silence)
      : body_(body), limit_(limit), silence_(silence) {}
  Task<Result<std::string>> read_some() override {
    move();
    auto piece = co_await body_.read_some();
    move();
    if (piece) passed_ += piece->size();
    co_return piece;
  }
  void leave_deadline() { moves_ = false; }
  [[nodiscard]] std::uint64_t passed() const { return passed_; }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override {
    return body_.declared_length();
  }

 private:
  void move() {
    if (moves_) limit_.expire_after(silence_);
  }

  http::BodyReader& body_;
  http::Deadline& limit_;
  steady_clock::duration silence_;
  bool moves_ = true;
  std::uint64_t passed_ = 0;
};

std::chrono::seconds timeout_of(const ProxiedRequest& proxied) {
  return std::chrono::seconds(proxied.target.version->configuration.timeout_seconds);
}

// While it lives, a client that goes away, or may not any more, closes the connection to the
// function: what is under way, a tunnel too, ends.
class ClosesWithClient {
 public:
  ClosesWithClient(http::ResponseWriter& writer, http::ClientConnection& upstream)
      : writer_(writer), upstream_(upstream) {
    writer_.on_client_gone([this] { close(); });
  }
  void close() {
    gone_ = true;
    upstream_.close();
  }
  [[nodiscard]] bool gone() const { return gone_; }
  ~ClosesWithClient() { writer_.on_client_gone({}); }
  ClosesWithClient(const ClosesWithClient&) = delete;
  ClosesWithClient& operator=(const ClosesWithClient&) = delete;

 private:
  http::ResponseWriter& writer_;
  http::ClientConnection& upstream_;
  bool gone_ = false;
};

Task<void> send_failure(const Reply& reply, const Error& error, http::ResponseWriter& writer) {
  auto answer = reply.failure(error);
  co_await writer.send(std::move(answer));
}

// The function's doing.
Task<void> send_function_failure(const ProxiedRequest& proxied, invoke::HttpLease& lease,
                                 Error error, http::ResponseWriter& writer) {
  lease.use().error = error.code() == ErrorCode::timeout ? invoke::FunctionError::timeout
                                                         : invoke::FunctionError::exit;
  co_await lease.note_failure(proxied.reply.request_id(), error.message());
  co_await send_failure(proxied.reply, error, writer);
}

// The request's own body could not be read: the client's doing.
Task<void> refuse_body(const Reply& reply, const Error& error, http::ResponseWriter& writer) {
  if (error.code() == ErrorCode::unavailable) co_return;  // it is gone
  if (error.code() == ErrorCode::no_room) co_return co_await send_failure(reply, error, writer);
  const unsigned status = error.code() == ErrorCode::timeout ? 408 : 400;
  auto answer = reply.failure(status, error.message());
  co_await writer.send(std::move(answer));
}

Task<void> tunnel_through(http::ClientConnection& upstream, http::Response head,
                          steady_clock::duration idle, http::ResponseWriter& writer) {
  const auto function_end = upstream.take_stream();
  auto client_end = co_await writer.upgrade(std::move(head));
  if (!client_end) co_return;
  co_await http::tunnel(**client_end, *function_end, idle);
}

bool has_small_body(const http::Request& request, const http::Response& head,
                    std::optional<std::size_t> length) {
  return length && *length <= kSmallBody && request.method != "HEAD" && head.status != 304;
}

std::string cut_short(const Error& error) {
  return "its response ended early: " + error.message();
}

Task<void> send_response(const ProxiedRequest& proxied, http::ClientConnection& upstream,
                         http::Response head, steady_clock::duration idle, invoke::HttpLease& lease,
                         const ClosesWithClient& client, http::ResponseWriter& writer) {
  auto& body = upstream.body(idle);
  if (has_small_body(proxied.request, head, body.declared_length())) {
    auto all = co_await http::read_all(body, kSmallBody);
    if (!all && client.gone()) co_return;
    if (!all) {
      Error cut(ErrorCode::function_failed, cut_short(all.error()));
      co_return co_await send_function_failure(proxied, lease, std::move(cut), writer);
    }
    head.body = std::move(*all);
    lease.use().response_bytes = head.body.size();
    auto sent = co_await writer.send(std::move(head));
    if (!sent) lease.use().client_gone = true;
    co_return;
  }
  auto sent = co_await writer.start(std::move(head));
  while (sent) {
    auto piece = co_await body.read_some();
    // Without finish() the connection ends, which is how the client learns that something is
    // missing.
    if (!piece && !client.gone()) {
      lease.use().error = invoke::FunctionError::exit;
      co_await lease.note_failure(proxied.reply.request_id(), cut_short(piece.error()));
    }
    if (!piece) co_return;
    if (piece->empty()) break;
    lease.use().response_bytes += piece->size();
    sent = co_await writer.write(std::move(*piece));
  }
  if (sent) sent = co_await writer.finish();
  if (!sent) lease.use().client_gone = true;
}

// Whether the connection may become a tunnel: the client asked for it, and nothing of the request
// is still to be read.
bool asks_to_switch(const http::Request& request, const http::BodyReader& body) {
  return is_upgrade(request) && body.declared_length() == std::size_t{0};
}

Task<void> converse(const ProxiedRequest& proxied, http::ClientConnection& upstream,
                    http::BodyReader& body, MovingBody& moving, http::Deadline& limit,
                    invoke::HttpLease& lease, const ClosesWithClient& client,
                    http::ResponseWriter& writer) {
  const auto timeout = timeout_of(proxied);
  auto request =
      upstream_request(proxied.request, proxied.route, proxied.trace, proxied.reply.request_id());
  // A body in memory is sent at once, as itself.
  auto* const buffered = dynamic_cast<http::BufferedBody*>(&body);
  http::BodyReader& sent = buffered != nullptr ? body : moving;
  limit.expire_after(timeout);
  auto head = co_await upstream.exchange(std::move(request), sent, steady_clock::time_point::max());
  const bool late = limit.expired();
  auto& use = lease.use();
  if (head) {
    use.head = steady_clock::now();
    use.status = head->status;
  }
  // A small body has been sent; what is left of a large one only passes through.
  proxied.body.let_go();
  // From now on the response's own silence counts, whatever is still uploaded beside it.
  moving.leave_deadline();
  limit.clear();
  if (head && head->status == 101 && !asks_to_switch(proxied.request, body)) {
    // What the client sends next on this connection may be meant for another function.
    lease.discard_instance();
    Error error(ErrorCode::function_failed,
                "it answered 101 (Switching Protocols) to a request that did not ask for it");
    co_await send_function_failure(proxied, lease, std::move(error), writer);
  } else if (head && head->status == 101) {
    auto switched = downstream_head(std::move(*head));
    proxied.reply.complete(switched.headers);
    co_await tunnel_through(upstream, std::move(switched), timeout, writer);
  } else if (head) {
    auto passed = downstream_head(std::move(*head));
    proxied.reply.complete(passed.headers);
    co_await send_response(proxied, upstream, std::move(passed), timeout, lease, client, writer);
  } else if (client.gone()) {
    // Nobody is left to be told.
  } else if (late) {
    lease.discard_instance();
    Error error(ErrorCode::timeout, timed_out_text(timeout));
    co_await send_function_failure(proxied, lease, std::move(error), writer);
  } else if (upstream.request_body_failed()) {
    use.client_gone = true;
    co_await refuse_body(proxied.reply, head.error(), writer);
  } else {
    const bool ended = co_await lease.ended_soon();
    Error error(ErrorCode::function_failed,
                fmt::format("{}: {}", ended ? "its HTTP server ended" : "no response",
                            head.error().message()));
    co_await send_function_failure(proxied, lease, std::move(error), writer);
  }
}

Task<void> answer(const ProxiedRequest& proxied, http::ClientConnection& upstream,
                  http::BodyReader& body, http::Deadline& limit, invoke::HttpLease& lease,
                  const ClosesWithClient& client, http::ResponseWriter& writer) {
  MovingBody moving(body, limit, timeout_of(proxied));
  std::exception_ptr thrown;
  try {
    co_await converse(proxied, upstream, body, moving, limit, lease, client, writer);
  } catch (...) {
    thrown = std::current_exception();
  }
  // The body is sent by a coroutine of its own, which must not outlive it.
  co_await upstream.stop_sending();
  if (moving.passed() > 0) lease.use().payload_bytes = moving.passed();
  if (client.gone()) lease.use().client_gone = true;
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

Task<void> proxy(invoke::Invoker& invoker, ProxiedRequest proxied, http::ResponseWriter& writer) {
  std::optional<http::BufferedBody> small;
  const auto declared = proxied.body.declared_length();
  if (declared && *declared <= kSmallBody) {
    auto bytes = co_await http::read_all(proxied.body, kSmallBody);
    if (!bytes) co_return co_await refuse_body(proxied.reply, bytes.error(), writer);
    small.emplace(std::move(*bytes));
  }
  http::BodyReader& body = small ? *small : proxied.body;
  invoke::HttpCall call;
  call.target = proxied.target;
  call.request_id = proxied.reply.request_id();
  call.trace_id = proxied.trace.amzn;
  call.trace_state = proxied.trace.state;
  call.trace = proxied.trace.context;
  auto lease = co_await invoker.open_http(std::move(call));
  if (!lease) co_return co_await send_failure(proxied.reply, lease.error(), writer);
  auto upstream = co_await http::ClientConnection::adopt((*lease)->take_socket());
  if (!upstream) co_return co_await send_failure(proxied.reply, upstream.error(), writer);
  if (small) (*lease)->use().payload_bytes = declared.value_or(0);
  const auto executor = co_await asio::this_coro::executor;
  http::Deadline limit(executor, [&upstream] { (*upstream)->close(); });
  ClosesWithClient client(writer, **upstream);
  std::unique_ptr<access::KeyWatch> key;
  if (proxied.watch_key) {
    const auto close = [&client](const Error&) { client.close(); };
    key = proxied.watch_key(executor, close);
  }
  co_await answer(proxied, **upstream, body, limit, **lease, client, writer);
}

}  // namespace lambda::gateway
