// Steps, again and again: read a head whole -> check it -> handler, with a body reader and a
// response writer -> drop what it did not read -> keep or close.
#include "http/connection.h"

#include "base/encoding.h"
#include "http/response_writer.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <sys/socket.h>

namespace lambda::http {
namespace {

constexpr std::size_t kHeadRead = 4 * 1024;
constexpr std::size_t kIdleBuffer = 4 * kHeadRead;
// After the last response: what a client still sends is read, so that the kernel does not answer it
// with a reset that would take the response along.
constexpr std::chrono::seconds kLingerTime{5};
constexpr std::size_t kLingerRead = 64 * 1024;
// What a handler leaves of a body is read up to this, to keep the connection.
constexpr std::size_t kDroppedBytes = 512 * 1024;

void log_exception(const Request& request, const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    spdlog::error("{} {}: {}", request.method, request.path(), error.what());
  } catch (...) {
    spdlog::error("{} {}: an unknown exception", request.method, request.path());
  }
}

}  // namespace

Connection::Connection(LoopExecutor executor, Peer peer, Handler& handler, ServerLimits limits)
    : socket_(std::make_shared<Socket>(executor)),
      reading_(executor, [this] { end_late_read(); }),
      writing_(executor, [socket = socket_] { cancel_waits(*socket); }),
      response_pace_(limits.body_time, limits.least_rate),
      held_(limits.bodies),
      incoming_(*socket_, reading_, ahead_),
      peer_(std::move(peer)),
      handler_(handler),
      limits_(limits) {}

Task<void> Connection::run(UniqueFd fd) {
  if (auto assigned = assign(*socket_, std::move(fd)); !assigned) {
    spdlog::warn("{}", assigned.error().message());
    co_return;
  }
  Head head = co_await read_head(true);
  while (head == Head::whole) {
    const bool another = co_await serve_one();
    if (!another) break;
    head = co_await read_head(false);
  }
  if (given_away_) co_return;
  if (refusal_) co_await send_refusal();
  if (refusal_ || !incoming_.done() || ahead_.size() > 0) co_await linger();
  close_socket(*socket_);
}

void Connection::finish_soon() {
  finishing_ = true;
  if (idle_) cancel_waits(*socket_);
}

void Connection::close() {
  closed_ = true;
  finishing_ = true;
  close_socket(*socket_);
}

// --- the head

void Connection::skip_empty_lines() {
  while (ahead_.size() >= 2) {
    const auto* bytes = static_cast<const char*>(ahead_.data().data());
    if (bytes[0] != '\r' || bytes[1] != '\n') return;
    ahead_.consume(2);
  }
}

Task<Connection::Head> Connection::read_head(bool first) {
  refusal_.reset();
  parser_.reset();
  // A connection that waits holds little, however large its last request was.
  if (ahead_.size() == 0 && ahead_.capacity() > kIdleBuffer) ahead_.shrink_to_fit();
  std::size_t scanned = 0;
  bool begun = first && limits_.idle_time.count() > 0;
  if (begun) reading_.expire_after(limits_.head_time);
  idle_ = true;
  idle_since_ = std::chrono::steady_clock::now();
  while (true) {
    if (scanned == 0) skip_empty_lines();
    const std::string_view bytes(static_cast<const char*>(ahead_.data().data()), ahead_.size());
    const auto end = bytes.find("\r\n\r\n", scanned > 3 ? scanned - 3 : 0);
    if (end != std::string_view::npos && end + 4 <= limits_.header_bytes) {
      reading_.clear();
      idle_ = false;
      if (has_folding(bytes.substr(0, end))) {
        refuse(400, "a header line begins with white space (obsolete folding)");
      }
      co_return !refusal_ && parse_head() ? Head::whole : Head::refused;
    }
    scanned = bytes.size();
    if (scanned > limits_.header_bytes) {
      idle_ = false;
      refuse(431, fmt::format("the request's head is larger than {} bytes", limits_.header_bytes));
      co_return Head::refused;
    }
    if (!held_.grow_to(scanned, scanned)) {
      idle_ = false;
      refuse(503, "the server holds as much of requests as it may; try again in a moment");
      co_return Head::refused;
    }
    if (finishing_ && scanned == 0) co_return Head::closed;
    if (scanned > 0 && (idle_ || !begun)) {
      idle_ = false;
      begun = true;
      reading_.expire_after(limits_.head_time);
    } else if (!begun) {
      reading_.expire_after(limits_.idle_time);
    }
    auto [error, count] = co_await socket_->async_read_some(ahead_.prepare(kHeadRead), kAsTuple);
    ahead_.commit(count);
    if (!error) continue;
    if (scanned > 0 && reading_.expired()) {
      refuse(408, "the request's head did not come in time");
      co_return Head::refused;
    }
    co_return Head::closed;
  }
}

bool Connection::parse_head() {
  parser_.emplace(limits_.header_bytes);
  boost::system::error_code error;
  const auto used = parser_->put(ahead_.data(), error);
  ahead_.consume(used);
  if (error == bhttp::error::bad_version) {
    refuse(505, "HTTP/1.1 and HTTP/1.0 are spoken here");
  } else if (error || !parser_->is_header_done()) {
    refuse(400, "the request is malformed: " + error.message());
  }
  return !refusal_;
}

// --- one request

Task<bool> Connection::serve_one() {
  Request request = std::move(parser_->message);
  request.peer = peer_;
  if (auto refusal = check_request(request, limits_)) {
    refusal_ = std::move(refusal);
    co_return false;
  }
  incoming_.begin(*parser_);
  response_pace_ = Pace(limits_.body_time, limits_.least_rate);
  const bool expects = equals_ignoring_case(request.headers.get("Expect"), "100-continue");
  RequestBody body(*this, expects);
  ConnectionWriter writer(*this, request, body, parser_->keep_alive());
  std::exception_ptr thrown;
  try {
    co_await handler_.handle(request, body, writer);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (closed_ || given_away_) {
    tell_observer(request, body, writer);
    co_return false;
  }
  held_.release();
  if (thrown) log_exception(request, thrown);
  if (!writer.started()) {
    writer.forbid_reuse();
    auto answer = error_response(500, "the server failed to answer; its log says more");
    co_await writer.send(std::move(answer));
  }
  tell_observer(request, body, writer);
  if (!writer.reusable()) co_return false;
  if (body.whole()) co_return true;
  co_return co_await drop_rest(body);
}

void Connection::tell_observer(const Request& request, const RequestBody& body,
                               const ConnectionWriter& writer) const {
  if (limits_.observer == nullptr) return;
  ServedRequest served;
  served.door = request.door;
  served.status = writer.status();
  served.received = body.received();
  served.sent = writer.sent();
  served.answerer = request.answerer;
  served.answerer_version = request.answerer_version;
  limits_.observer->served(served);
}

// Reads what the handler left of the body; false when it is too much.
Task<bool> Connection::drop_rest(RequestBody& body) {
  std::size_t dropped = 0;
  // What is dropped comes at the least rate, too, or not at all.
  (void)body.hold(0);
  while (!body.whole()) {
    if (!body.may_be_dropped() || dropped > kDroppedBytes) co_return false;
    auto piece = co_await body.read_some();
    if (!piece) co_return false;
    dropped += piece->size();
  }
  co_return true;
}

// --- the end

Task<void> Connection::send_refusal() {
  auto response = error_response(refusal_->status, refusal_->reason);
  if (response.status == 503) response.headers.add("Retry-After", "1");
  HeadOptions options;
  options.length = response.body.size();
  options.keep_alive = false;
  const auto head = head_text(response, options);
  co_await write(head, response.body);
  if (limits_.observer == nullptr) co_return;
  ServedRequest served;
  served.status = response.status;
  served.sent = response.body.size();
  limits_.observer->served(served);
}

Task<void> Connection::linger() {
  boost::system::error_code error;
  socket_->shutdown(asio::socket_base::shutdown_send, error);
  if (error || closed_) co_return;
  reading_.expire_after(kLingerTime);
  while (true) {
    ahead_.clear();
    auto [read_error, count] =
        co_await socket_->async_read_some(ahead_.prepare(kLingerRead), kAsTuple);
    if (read_error) co_return;
  }
}

void Connection::end_late_read() {
  if (writes_ == 0 && reading_.expired()) cancel_waits(*socket_);
}

Task<Result<std::size_t>> Connection::write(std::string_view first, std::string_view second) {
  ++writes_;
  auto written = co_await write_all(*socket_, writing_, response_pace_, first, second);
  // "100 Continue" and a response may wait at the same time.
  if (--writes_ > 0) writing_.expire_after(response_pace_.left());
  end_late_read();
  co_return written;
}

// --- outside of a Server

Task<void> serve_connection(UniqueFd socket, Peer peer, Handler& handler, ServerLimits limits) {
  const auto executor = co_await asio::this_coro::executor;
  // On the heap: its coroutines refer to it.
  const auto connection = std::make_unique<Connection>(executor, std::move(peer), handler, limits);
  co_await connection->run(std::move(socket));
}

}  // namespace lambda::http
