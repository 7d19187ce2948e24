#include "http/response_writer.h"

#include "base/background.h"

#include <boost/beast/core/buffers_to_string.hpp>

#include <cerrno>
#include <charconv>
#include <sys/socket.h>

namespace lambda::http {
namespace {

// What of an unread request body is read and dropped to keep the connection.
constexpr std::uint64_t kMostDropped = 256 * 1024;

// Instead of a response that is in no budget. What was asked for has been done, and may be found by
// its id: nothing says that it is to be tried again.
Response without_room(const Response& response) {
  return error_response(
      503,
      "this was carried out, but the server holds as much of responses as it may (body_memory): "
      "the response was dropped",
      std::string(response.headers.get("x-amzn-RequestId")));
}

}  // namespace

// --- the request's body

RequestBody::RequestBody(Connection& connection, bool expects_continue)
    : connection_(connection),
      expects_continue_(expects_continue),
      pace_(connection.limits_.slack, connection.limits_.least_rate) {}

Task<Result<std::string>> RequestBody::read_some() {
  if (expects_continue_ && !whole()) {
    expects_continue_ = false;
    auto sent = co_await connection_.write("HTTP/1.1 100 Continue\r\n\r\n", {});
    if (!sent) co_return fail(std::move(sent.error()));
  }
  const auto& limits = connection_.limits_;
  std::chrono::steady_clock::duration silence = limits.body_time;
  const bool paced = collected_ && limits.least_rate > 0;
  if (paced) silence = std::min(silence, pace_.left());
  const auto begin = std::chrono::steady_clock::now();
  auto piece = co_await connection_.incoming_.read_some(silence);
  if (piece) received_ += piece->size();
  if (paced && piece) pace_.moved(std::chrono::steady_clock::now() - begin, piece->size());
  if (when_whole_ && whole()) std::exchange(when_whole_, {})();
  co_return piece;
}

Result<Done> RequestBody::hold(std::size_t bytes) {
  collected_ = true;
  if (connection_.held_.grow_to(bytes, declared_length().value_or(0))) return Done{};
  return fail(
      ErrorCode::no_room,
      "the server holds as much of requests as it may (body_memory); try again in a moment");
}

void RequestBody::let_go() {
  collected_ = false;
  connection_.held_.release();
}

std::optional<std::size_t> RequestBody::declared_length() const {
  return connection_.incoming_.declared_length();
}

const Headers* RequestBody::trailers() const {
  return whole() && connection_.parser_ ? &connection_.parser_->trailers : nullptr;
}

bool RequestBody::whole() const {
  return connection_.incoming_.done();
}

bool RequestBody::failed() const {
  return connection_.incoming_.failed();
}

bool RequestBody::may_be_dropped() const {
  if (whole()) return true;
  // A client that waits for "100 Continue" may send the body or not: nobody can tell what comes.
  if (failed() || expects_continue_) return false;
  return connection_.incoming_.left().value_or(0) <= kMostDropped;
}

// --- the response

ConnectionWriter::ConnectionWriter(Connection& connection, const Request& request,
                                   RequestBody& body, bool keep_alive)
    : connection_(connection),
      body_(body),
      head_only_(request.method == "HEAD"),
      keep_alive_(keep_alive),
      may_chunk_(request.version >= 11) {}

bool ConnectionWriter::keeps_alive() const {
  return keep_alive_ && !connection_.finishing_ && body_.may_be_dropped();
}

Task<Result<std::size_t>> ConnectionWriter::put(std::string_view first, std::string_view second) {
  if (broken_) co_return fail(ErrorCode::unavailable, "write the response: the client is gone");
  const std::size_t total = first.size() + second.size();
  const std::size_t sent = send_at_once(*connection_.socket_, first, second);
  if (sent == total) co_return total;
  const std::size_t of_first = std::min(sent, first.size());
  first.remove_prefix(of_first);
  second.remove_prefix(sent - of_first);
  auto rest = co_await connection_.write(first, second);
  if (!rest) {
    broken_ = true;
    co_return fail(std::move(rest.error()), "write the response");
  }
  co_return total;
}

Task<Result<std::size_t>> ConnectionWriter::send(Response response) {
  if (started_) co_return fail(ErrorCode::internal, "a request was answered twice");
  // The request is done with; what counts now is the response, until its reader has it.
  connection_.held_.release();
  const auto size = response.body.size();
  if (!connection_.held_.grow_to(size, size)) response = without_room(response);
  started_ = true;
  status_ = response.status;
  finished_ = true;
  keep_alive_ = keeps_alive();
  HeadOptions options;
  options.length = response.body.size();
  options.keep_alive = keep_alive_;
  const auto head = head_text(response, options);
  const bool bodiless = head_only_ || is_bodiless(response.status);
  auto sent = co_await put(head, bodiless ? std::string_view() : std::string_view(response.body));
  if (sent && !bodiless) sent_ = response.body.size();
  co_return sent;
}

void ConnectionWriter::choose_framing(const Response& head) {
  const auto* length = head.headers.find("Content-Length");
  if (is_bodiless(head.status)) {
    framing_ = Framing::none;
  } else if (length != nullptr) {
    framing_ = Framing::length;
    std::from_chars(length->data(), length->data() + length->size(), promised_);
  } else if (may_chunk_) {
    framing_ = Framing::chunked;
  } else {
    // An HTTP/1.0 client reads to the end of the connection.
    framing_ = Framing::none;
    keep_alive_ = false;
  }
}

Task<Result<std::size_t>> ConnectionWriter::start(Response head) {
  if (started_) co_return fail(ErrorCode::internal, "a request was answered twice");
  started_ = true;
  status_ = head.status;
  keep_alive_ = keeps_alive();
  choose_framing(head);
  HeadOptions options;
  options.framing = framing_;
  options.length = promised_;
  options.keep_alive = keep_alive_;
  const auto text = head_text(head, options);
  co_return co_await put(text, {});
}

Task<Result<std::size_t>> ConnectionWriter::write(std::string bytes) {
  const std::size_t size = bytes.size();
  if (bytes.empty() || head_only_) co_return size;
  if (!started_ || finished_) co_return fail(ErrorCode::internal, "a body without its head");
  std::string head;
  if (framing_ == Framing::chunked) {
    head = fmt::format("{:x}\r\n", size);
    bytes += "\r\n";
  } else if (framing_ == Framing::length) {
    if (size > promised_) {
      broken_ = true;
      co_return fail(ErrorCode::internal, "the response is longer than its Content-Length");
    }
    promised_ -= size;
  }
  auto sent = co_await put(head, bytes);
  if (!sent) co_return sent;
  sent_ += size;
  co_return size;
}

Task<Result<std::size_t>> ConnectionWriter::finish() {
  finished_ = true;
  // A body shorter than promised: only the end of the connection tells the client.
  if (framing_ == Framing::length && promised_ > 0 && !head_only_) broken_ = true;
  if (framing_ != Framing::chunked || head_only_ || broken_) co_return std::size_t{0};
  co_return co_await put("0\r\n\r\n", {});
}

Task<Result<std::unique_ptr<ByteStream>>> ConnectionWriter::upgrade(Response head) {
  if (started_) co_return fail(ErrorCode::internal, "a request was answered twice");
  started_ = true;
  status_ = head.status;
  stop_watching();
  HeadOptions options;
  options.framing = Framing::none;
  options.upgrade = true;
  const auto text = head_text(head, options);
  auto sent = co_await put(text, {});
  if (!sent) co_return fail(std::move(sent.error()));
  connection_.given_away_ = true;
  connection_.reading_.clear();
  auto ahead = boost::beast::buffers_to_string(connection_.ahead_.data());
  connection_.ahead_.consume(ahead.size());
  std::unique_ptr<ByteStream> stream =
      std::make_unique<StreamTunnelEnd<Socket>>(connection_.socket_, std::move(ahead));
  co_return stream;
}

// --- whether the client is still there

AsyncEvent& ConnectionWriter::client_gone() {
  // Peeking tells the end of the connection only where no bytes of a body are to come, nor were
  // read ahead.
  if (!watch_->active && !watch_->gone.is_set() && body_.whole()) {
    watch_->active = true;
    asio::co_spawn(connection_.socket_->get_executor(), watch(connection_.socket_, watch_),
                   in_background("the watch for a client"));
  }
  return watch_->gone;
}

void ConnectionWriter::on_client_gone(std::function<void()> action) {
  watch_->action = std::move(action);
  if (!watch_->action) return body_.when_whole({});
  if (body_.whole()) {
    client_gone();
  } else {
    body_.when_whole([this] { client_gone(); });
  }
}

Task<void> ConnectionWriter::watch(std::shared_ptr<Socket> socket, std::shared_ptr<Watch> state) {
  bool gone = false;
  bool pipelined = false;  // a byte: it waits for its turn, and hides the end behind it
  while (!gone && !pipelined) {
    auto [error] = co_await socket->async_wait(asio::socket_base::wait_read, kAsTuple);
    if (!state->active) co_return;
    char byte = 0;
    const auto count = ::recv(socket->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    pipelined = !error && count > 0;
    // The loop may wake for nothing (EAGAIN).
    gone = error || count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
  }
  state->active = false;
  if (!gone) co_return;
  state->gone.set();
  if (state->action) std::exchange(state->action, {})();
}

void ConnectionWriter::stop_watching() {
  if (!watch_->active) return;
  watch_->active = false;
  cancel_waits(*connection_.socket_);
}

}  // namespace lambda::http
