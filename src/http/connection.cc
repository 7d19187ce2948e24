// One server connection. Steps, again and again: read a head whole -> check what RFC 9112 leaves no
// choice about -> hand it to the handler with a body reader and a response writer -> see whether
// the connection may be kept.
#include "base/crypto.h"
#include "base/encoding.h"
#include "http/beast_stream.h"
#include "http/response_text.h"
#include "http/server.h"

#include <boost/asio/write.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <spdlog/spdlog.h>

#include <array>
#include <exception>
#include <optional>
#include <sys/socket.h>

namespace lambda::http {
namespace {

namespace bhttp = boost::beast::http;

using Parser = bhttp::request_parser<bhttp::buffer_body>;

constexpr std::size_t kReadBytes = 16 * 1024;
// What of an unread request body is read and dropped to keep the connection.
constexpr std::size_t kMaxDrained = 256 * 1024;

class Connection {
 public:
  Connection(LoopExecutor executor, Peer peer, Handler& handler, ServerLimits limits)
      : socket_(executor), peer_(std::move(peer)), handler_(handler), limits_(limits) {}

  Task<void> run(UniqueFd fd);

 private:
  friend class RequestBody;
  friend class Writer;

  Task<bool> read_head(bool first);
  std::optional<Response> check_head(Request& request);
  Task<bool> serve_one();
  Task<bool> refuse(Response response);
  Task<Result<std::size_t>> write_bytes(std::string head, std::string body);

  Socket socket_;
  Peer peer_;
  Handler& handler_;
  ServerLimits limits_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  unsigned refusal_ = 0;  // status for a head that cannot be parsed
  std::string refusal_reason_;
};

Response error_response(unsigned status, std::string_view message) {
  return Response(
      status, "application/json",
      fmt::format("{{\"message\":\"{}\",\"requestId\":\"{}\"}}", message, random_uuid()));
}

// --- the request's body

class RequestBody final : public BodyReader {
 public:
  explicit RequestBody(Connection& connection, bool expects_continue)
      : connection_(connection), expects_continue_(expects_continue) {}

  Task<Result<std::string>> read_some() override;
  [[nodiscard]] std::optional<std::size_t> declared_length() const override {
    const auto length = connection_.parser_->content_length();
    return length ? std::optional<std::size_t>(*length) : std::nullopt;
  }
  [[nodiscard]] bool whole() const { return connection_.parser_->is_done(); }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool waits_for_continue() const { return expects_continue_; }

 private:
  Connection& connection_;
  bool expects_continue_;
  bool failed_ = false;
};

Task<Result<std::string>> RequestBody::read_some() {
  auto& parser = *connection_.parser_;
  if (failed_)
    co_return fail(ErrorCode::unavailable, "read the request's body: the connection is broken");
  if (parser.is_done()) co_return std::string();
  if (expects_continue_) {
    expects_continue_ = false;
    auto sent = co_await connection_.write_bytes("HTTP/1.1 100 Continue\r\n\r\n", {});
    if (!sent) co_return fail(std::move(sent.error()));
  }
  std::string bytes(kReadBytes, '\0');
  while (!parser.is_done()) {
    auto& body = parser.get().body();
    body.data = bytes.data();
    body.size = bytes.size();
    body.more = true;
    boost::system::error_code error;
    std::size_t used = 0;
    if (connection_.buffer_.size() > 0) {
      used = parser.put(connection_.buffer_.data(), error);
      connection_.buffer_.consume(used);
    }
    const std::size_t got = bytes.size() - body.size;
    if (error && error != bhttp::error::need_more && error != bhttp::error::need_buffer) {
      failed_ = true;
      co_return fail(ErrorCode::invalid, "the request's body is malformed: {}", error.message());
    }
    if (got > 0) {
      bytes.resize(got);
      co_return bytes;
    }
    if (used > 0) continue;  // a chunk's own head; what follows it may be here already
    if (parser.is_done()) break;
    set_deadline(connection_.socket_, connection_.limits_.body_time);
    auto space = connection_.buffer_.prepare(kReadBytes);
    auto [read_error, count] = co_await connection_.socket_.async_read_some(space, kAsTuple);
    connection_.buffer_.commit(count);
    if (read_error) {
      failed_ = true;
      co_return fail(to_error(read_error, "read the request's body"));
    }
  }
  co_return std::string();
}

// --- the response

class Writer final : public ResponseWriter {
 public:
  Writer(Connection& connection, bool head_only, bool keep_alive, bool chunks)
      : connection_(connection),
        head_only_(head_only),
        keep_alive_(keep_alive),
        may_chunk_(chunks) {}

  Task<Result<std::size_t>> send(Response response) override;
  Task<Result<std::size_t>> start(Response head) override;
  Task<Result<std::size_t>> write(std::string bytes) override;
  Task<Result<std::size_t>> finish() override;
  Task<Result<std::unique_ptr<ByteStream>>> upgrade(Response head) override;
  [[nodiscard]] bool started() const override { return started_; }
  AsyncEvent& client_gone() override;

  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool upgraded() const { return upgraded_; }
  // The connection may be used again after this response.
  [[nodiscard]] bool reusable() const { return finished_ && keep_alive_ && !broken_; }
  // The request's body cannot be read to its end any more: the next response closes.
  void forbid_reuse() { keep_alive_ = false; }
  void watch_ended() { watching_ = false; }
  Task<void> stop_watching();

 private:
  static Task<void> watch(Connection& connection, Writer& writer);

  Connection& connection_;
  bool head_only_;
  bool keep_alive_;
  bool may_chunk_;
  bool started_ = false;
  bool finished_ = false;
  bool upgraded_ = false;
  bool broken_ = false;
  bool watching_ = false;
  Framing framing_ = Framing::length;
  std::size_t promised_ = 0;
  AsyncEvent gone_;
  AsyncEvent watch_done_;
};

Task<Result<std::size_t>> Writer::send(Response response) {
  if (started_) co_return fail(ErrorCode::internal, "a request was answered twice");
  started_ = true;
  finished_ = true;
  HeadOptions options;
  options.length = response.body.size();
  options.keep_alive = keep_alive_;
  auto head = head_text(response, options);
  auto body = head_only_ || is_bodiless(response.status) ? std::string() : std::move(response.body);
  auto sent = co_await connection_.write_bytes(std::move(head), std::move(body));
  if (!sent) broken_ = true;
  co_return sent;
}

Task<Result<std::size_t>> Writer::start(Response head) {
  if (started_) co_return fail(ErrorCode::internal, "a request was answered twice");
  started_ = true;
  HeadOptions options;
  const auto* length = head.headers.find("Content-Length");
  if (is_bodiless(head.status)) {
    framing_ = Framing::none;
  } else if (length != nullptr) {
    framing_ = Framing::length;
    promised_ = std::strtoull(length->c_str(), nullptr, 10);
    options.length = promised_;
  } else if (may_chunk_) {
    framing_ = Framing::chunked;
  } else {
    // An HTTP/1.0 client reads to the end of the connection.
    framing_ = Framing::none;
    keep_alive_ = false;
  }
  options.framing = framing_;
  options.keep_alive = keep_alive_;
  auto text = head_text(head, options);
  auto sent = co_await connection_.write_bytes(std::move(text), {});
  if (!sent) broken_ = true;
  co_return sent;
}

Task<Result<std::size_t>> Writer::write(std::string bytes) {
  if (bytes.empty() || head_only_) co_return bytes.size();
  if (broken_) co_return fail(ErrorCode::unavailable, "write the response: the client is gone");
  const std::size_t size = bytes.size();
  Result<std::size_t> sent = std::size_t{0};
  if (framing_ == Framing::chunked) {
    auto head = fmt::format("{:x}\r\n", size);
    bytes += "\r\n";
    sent = co_await connection_.write_bytes(std::move(head), std::move(bytes));
  } else {
    if (framing_ == Framing::length) {
      if (size > promised_) {
        broken_ = true;
        co_return fail(ErrorCode::internal, "the response is longer than its Content-Length");
      }
      promised_ -= size;
    }
    sent = co_await connection_.write_bytes(std::move(bytes), {});
  }
  if (!sent) {
    broken_ = true;
    co_return sent;
  }
  co_return size;
}

Task<Result<std::size_t>> Writer::finish() {
  finished_ = true;
  if (framing_ == Framing::length && promised_ > 0 && !head_only_) {
    // Shorter than promised: only the end of the connection tells the client.
    broken_ = true;
    co_return std::size_t{0};
  }
  if (framing_ != Framing::chunked || head_only_ || broken_) co_return std::size_t{0};
  auto sent = co_await connection_.write_bytes("0\r\n\r\n", {});
  if (!sent) broken_ = true;
  co_return sent;
}

Task<Result<std::unique_ptr<ByteStream>>> Writer::upgrade(Response head) {
  if (started_) co_return fail(ErrorCode::internal, "a request was answered twice");
  started_ = true;
  co_await stop_watching();
  HeadOptions options;
  options.framing = Framing::none;
  options.upgrade = true;
  auto text = head_text(head, options);
  auto sent = co_await connection_.write_bytes(std::move(text), {});
  if (!sent) {
    broken_ = true;
    co_return fail(std::move(sent.error()));
  }
  upgraded_ = true;
  std::string ahead = beast::buffers_to_string(connection_.buffer_.data());
  std::unique_ptr<ByteStream> stream =
      std::make_unique<SocketByteStream>(std::move(connection_.socket_), std::move(ahead));
  co_return stream;
}

AsyncEvent& Writer::client_gone() {
  // Watching reads ahead of the parser by peeking, which is right only once the request's body is
  // whole.
  if (!watching_ && !gone_.is_set() && connection_.parser_->is_done()) {
    watching_ = true;
    watch_done_.reset();
    asio::co_spawn(connection_.socket_.get_executor(), watch(connection_, *this), asio::detached);
  }
  return gone_;
}

Task<void> Writer::watch(Connection& connection, Writer& writer) {
  auto& socket = connection.socket_.socket();
  auto [error] = co_await socket.async_wait(asio::socket_base::wait_read, kAsTuple);
  if (!error && writer.watching_) {
    char byte = 0;
    const auto count = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    // A byte is a pipelined request, or noise that the parser will meet; the end or an error is the
    // client's going.
    if (count == 0 || (count < 0 && errno != EAGAIN)) writer.gone_.set();
  }
  writer.watching_ = false;
  writer.watch_done_.set();
}

Task<void> Writer::stop_watching() {
  if (!watching_) co_return;
  boost::system::error_code ignored;
  connection_.socket_.socket().cancel(ignored);
  co_await watch_done_.wait();
}

// --- the connection

Task<void> Connection::run(UniqueFd fd) {
  if (!assign(socket_, std::move(fd))) co_return;
  bool first = true;
  while (co_await read_head(first)) {
    first = false;
    if (!co_await serve_one()) break;
  }
  if (refusal_ != 0) co_await refuse(error_response(refusal_, refusal_reason_));
  boost::system::error_code ignored;
  if (socket_.socket().is_open())
    socket_.socket().shutdown(asio::socket_base::shutdown_both, ignored);
  socket_.close();
}

// A line that begins with white space: obsolete folding, which parsers read differently.
bool has_folding(std::string_view head) {
  return head.find("\n ") != std::string_view::npos || head.find("\n\t") != std::string_view::npos;
}

// True when a whole head is in the parser. False ends the connection; refusal_ says with what
// answer.
Task<bool> Connection::read_head(bool first) {
  parser_.emplace();
  parser_->body_limit(boost::none);
  parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  refusal_ = 0;
  std::size_t scanned = 0;
  bool begun = false;
  set_deadline(socket_, first && limits_.idle_time.count() > 0
                            ? std::chrono::seconds(limits_.head_time)
                            : std::chrono::seconds(limits_.idle_time));
  while (true) {
    const std::string_view bytes(static_cast<const char*>(buffer_.data().data()), buffer_.size());
    const auto end = bytes.find("\r\n\r\n", scanned > 3 ? scanned - 3 : 0);
    if (end != std::string_view::npos) {
      if (has_folding(bytes.substr(0, end))) {
        refusal_ = 400;
        refusal_reason_ = "a header line begins with white space (obsolete folding)";
        co_return false;
      }
      break;
    }
    scanned = bytes.size();
    if (scanned > limits_.header_bytes) {
      refusal_ = 431;
      refusal_reason_ =
          fmt::format("the request's head is larger than {} bytes", limits_.header_bytes);
      co_return false;
    }
    if (scanned > 0 && !begun) {
      begun = true;
      set_deadline(socket_, limits_.head_time);
    }
    auto space = buffer_.prepare(kReadBytes);
    auto [error, count] = co_await socket_.async_read_some(space, kAsTuple);
    buffer_.commit(count);
    if (error) co_return false;  // gone, or too slow: the deadline has closed the socket
  }
  boost::system::error_code error;
  const auto used = parser_->put(buffer_.data(), error);
  buffer_.consume(used);
  if (error && error != bhttp::error::need_buffer) {
    refusal_ = error == bhttp::error::header_limit ? 431 : 400;
    refusal_reason_ = "the request is malformed: " + error.message();
    co_return false;
  }
  socket_.expires_never();
  co_return parser_->is_header_done();
}

std::optional<Response> Connection::check_head(Request& request) {
  std::size_t hosts = 0;
  for (const auto& field : request.headers) {
    if (equals_ignoring_case(field.name, "host")) ++hosts;
  }
  if (request.headers.size() > limits_.header_count)
    return error_response(431, "the request has too many headers");
  if (hosts > 1 || (hosts == 0 && request.version >= 11)) {
    return error_response(400, "a request must have exactly one Host header");
  }
  if (request.headers.has("Content-Length") && request.headers.has("Transfer-Encoding")) {
    return error_response(400, "a request must not have both Content-Length and Transfer-Encoding");
  }
  if (const auto* encoding = request.headers.find("Transfer-Encoding");
      encoding != nullptr && !equals_ignoring_case(*encoding, "chunked")) {
    return error_response(501, "of transfer encodings, chunked alone is understood");
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignoring_case(std::string_view(request.target).substr(0, scheme.size()), scheme))
      continue;
    const auto rest = request.target.substr(scheme.size());
    const auto slash = rest.find_first_of("/?");
    if (!equals_ignoring_case(rest.substr(0, slash), request.headers.get("Host"))) {
      return error_response(400, "the request's URL and its Host header name different hosts");
    }
    request.target = slash == std::string::npos ? "/" : rest.substr(slash);
    if (request.target.starts_with('?')) request.target.insert(0, "/");
  }
  if (request.target != "*" && !request.target.starts_with('/')) {
    return error_response(400, "the request's target is not a path");
  }
  return std::nullopt;
}

Task<bool> Connection::serve_one() {
  auto& message = parser_->get();
  Request request;
  request.method = message.method_string();
  request.target = message.target();
  request.version = message.version();
  request.peer = peer_;
  for (const auto& field : message) {
    request.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  if (auto refusal = check_head(request)) co_return co_await refuse(std::move(*refusal));
  const bool expects = equals_ignoring_case(request.headers.get("Expect"), "100-continue");
  const bool keep = parser_->keep_alive();
  RequestBody body(*this, expects);
  Writer writer(*this, request.method == "HEAD", keep, request.version >= 11);
  std::exception_ptr thrown;
  try {
    co_await handler_.handle(request, body, writer);
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await writer.stop_watching();
  if (writer.upgraded()) co_return false;
  if (thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      spdlog::error("{} {}: {}", request.method, request.path(), error.what());
    } catch (...) {
      spdlog::error("{} {}: an unknown exception", request.method, request.path());
    }
  }
  if (!writer.started()) {
    writer.forbid_reuse();
    auto answer = error_response(500, "the server failed to answer; its log says more");
    co_await writer.send(std::move(answer));
  }
  if (!writer.reusable() || body.failed() || body.waits_for_continue()) co_return false;
  // What the handler did not read is dropped, if it is little.
  std::size_t drained = 0;
  while (!body.whole()) {
    auto piece = co_await body.read_some();
    if (!piece) co_return false;
    drained += piece->size();
    if (drained > kMaxDrained) co_return false;
  }
  co_return true;
}

Task<bool> Connection::refuse(Response response) {
  HeadOptions options;
  options.length = response.body.size();
  options.keep_alive = false;
  auto head = head_text(response, options);
  co_await write_bytes(std::move(head), std::move(response.body));
  co_return false;
}

Task<Result<std::size_t>> Connection::write_bytes(std::string head, std::string body) {
  set_deadline(socket_, limits_.body_time);
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head), asio::buffer(body)};
  auto [error, count] = co_await asio::async_write(socket_, buffers, kAsTuple);
  socket_.expires_never();
  if (error) co_return fail(to_error(error, "write the response"));
  co_return count;
}

}  // namespace

Task<void> serve_connection(UniqueFd socket, Peer peer, Handler& handler, ServerLimits limits) {
  const auto executor = co_await asio::this_coro::executor;
  // On the heap: a connection has buffers, and its coroutines refer to it.
  const auto connection = std::make_unique<Connection>(executor, std::move(peer), handler, limits);
  co_await connection->run(std::move(socket));
}

}  // namespace lambda::http
