// One client connection, over a plain socket or TLS. Steps of an exchange: write the head -> send
// the body in a coroutine of its own while the response's head is read -> leave the response's body
// to body().
#include "http/client.h"

#include "base/encoding.h"
#include "http/beast_stream.h"
#include "http/response_text.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <optional>

namespace lambda::http {
namespace {

namespace bhttp = boost::beast::http;
using Parser = bhttp::response_parser<bhttp::buffer_body>;
using TlsSocket = asio::ssl::stream<Socket>;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kMaxHead = 256 * 1024;

std::string request_text(const Request& request, const BodyReader& body, bool& chunked) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  for (const auto& field : request.headers) {
    if (is_safe_field(field.name, field.value))
      text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (!request.headers.has("Host")) text += "Host: localhost\r\n";
  const auto length = body.declared_length();
  chunked = false;
  if (request.headers.has("Content-Length") || request.headers.has("Transfer-Encoding")) {
    chunked = request.headers.has("Transfer-Encoding");
  } else if (length) {
    const bool bodiless = *length == 0 && (request.method == "GET" || request.method == "HEAD" ||
                                           request.method == "DELETE");
    if (!bodiless) text += fmt::format("Content-Length: {}\r\n", *length);
  } else {
    chunked = true;
    text += "Transfer-Encoding: chunked\r\n";
  }
  text += "\r\n";
  return text;
}

// The sending half of an exchange; shared with its coroutine, which ends before exchange() returns.
struct Sending {
  bool stop = false;
  bool done = false;
  std::optional<Error> error;
  AsyncEvent ended;
};

template <class Stream>
class Connection final : public ClientConnection {
 public:
  template <class... Args>
  explicit Connection(Args&&... args) : stream_(std::forward<Args>(args)...), reader_(*this) {}

  Task<Result<Response>> exchange(Request request, BodyReader& body,
                                  std::chrono::steady_clock::time_point head_deadline) override;
  BodyReader& body(std::chrono::steady_clock::duration idle) override {
    idle_ = idle;
    return reader_;
  }
  std::unique_ptr<ByteStream> take_stream() override;
  [[nodiscard]] bool reusable() const override {
    return parser_ && parser_->is_done() && parser_->keep_alive() && !broken_;
  }
  void close() override {
    broken_ = true;
    beast::get_lowest_layer(stream_).cancel();
    beast::get_lowest_layer(stream_).close();
  }
  Stream& stream() { return stream_; }

 private:
  class Reader final : public BodyReader {
   public:
    explicit Reader(Connection& connection) : connection_(connection) {}
    Task<Result<std::string>> read_some() override { return connection_.read_body(); }
    [[nodiscard]] std::optional<std::size_t> declared_length() const override {
      const auto length = connection_.parser_->content_length();
      return length ? std::optional<std::size_t>(*length) : std::nullopt;
    }

   private:
    Connection& connection_;
  };

  Task<Result<Done>> write(std::string bytes);
  Task<void> send_body(BodyReader& body, bool chunked, std::shared_ptr<Sending> sending);
  Task<Result<Done>> read_head(bool head_request);
  Task<Result<std::string>> read_body();
  Socket& lowest() { return beast::get_lowest_layer(stream_); }

  Stream stream_;
  Reader reader_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::chrono::steady_clock::duration idle_ = std::chrono::seconds(60);
  bool broken_ = false;
};

template <class Stream>
Task<Result<Done>> Connection<Stream>::write(std::string bytes) {
  auto [error, count] = co_await asio::async_write(stream_, asio::buffer(bytes), kAsTuple);
  if (error) co_return fail(to_error(error, "send the request"));
  co_return Done{};
}

template <class Stream>
Task<void> Connection<Stream>::send_body(BodyReader& body, bool chunked,
                                         std::shared_ptr<Sending> sending) {
  while (!sending->stop) {
    auto piece = co_await body.read_some();
    if (!piece) {
      sending->error = std::move(piece.error());
      break;
    }
    const bool last = piece->empty();
    std::string bytes =
        chunked ? fmt::format("{:x}\r\n", piece->size()) + *piece + "\r\n" : std::move(*piece);
    if (!bytes.empty() && !sending->stop) {
      auto written = co_await write(std::move(bytes));
      // A server that refuses early stops reading: its answer is what counts.
      if (!written) break;
    }
    if (last) {
      sending->done = true;
      break;
    }
  }
  sending->ended.set();
}

template <class Stream>
Task<Result<Done>> Connection<Stream>::read_head(bool head_request) {
  while (true) {
    parser_.emplace();
    parser_->body_limit(boost::none);
    parser_->header_limit(kMaxHead);
    if (head_request) parser_->skip(true);
    while (!parser_->is_header_done()) {
      boost::system::error_code error = bhttp::error::need_more;
      if (buffer_.size() > 0) {
        const auto used = parser_->put(buffer_.data(), error);
        buffer_.consume(used);
      }
      if (parser_->is_header_done()) break;
      if (error && error != bhttp::error::need_more)
        co_return fail(to_error(error, "read the response"));
      auto space = buffer_.prepare(kReadBytes);
      auto [read_error, count] = co_await stream_.async_read_some(space, kAsTuple);
      buffer_.commit(count);
      if (read_error) co_return fail(to_error(read_error, "read the response"));
    }
    const auto status = parser_->get().result_int();
    if (status >= 200 || status == 101) co_return Done{};
  }
}

template <class Stream>
Task<Result<Response>> Connection<Stream>::exchange(
    Request request, BodyReader& body, std::chrono::steady_clock::time_point head_deadline) {
  const auto executor = co_await asio::this_coro::executor;
  bool chunked = false;
  auto head = request_text(request, body, chunked);
  lowest().expires_at(head_deadline);
  const auto length = body.declared_length();
  auto sending = std::make_shared<Sending>();
  if (length && *length == 0 && !chunked) {
    sending->done = true;
    sending->ended.set();
    auto written = co_await write(std::move(head));
    if (!written) co_return fail(std::move(written.error()));
  } else {
    auto written = co_await write(std::move(head));
    if (!written) co_return fail(std::move(written.error()));
    asio::co_spawn(executor, send_body(body, chunked, sending), asio::detached);
  }
  auto got = co_await read_head(request.method == "HEAD");
  if (!got || parser_->get().result_int() >= 400) {
    // The answer is known, or there will be none: the rest of the body is for nobody.
    sending->stop = true;
    if (!sending->ended.is_set()) {
      broken_ = true;
      boost::system::error_code ignored;
      lowest().socket().shutdown(asio::socket_base::shutdown_send, ignored);
      if (!got) lowest().cancel();
    }
  }
  co_await sending->ended.wait();
  lowest().expires_never();
  if (!sending->done) broken_ = true;
  if (!got) {
    broken_ = true;
    if (sending->error) co_return fail(std::move(*sending->error));
    co_return fail(std::move(got.error()));
  }
  auto& message = parser_->get();
  Response response(message.result_int());
  for (const auto& field : message) {
    response.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  co_return response;
}

template <class Stream>
Task<Result<std::string>> Connection<Stream>::read_body() {
  auto& parser = *parser_;
  std::string bytes(kReadBytes, '\0');
  while (!parser.is_done()) {
    auto& body = parser.get().body();
    body.data = bytes.data();
    body.size = bytes.size();
    body.more = true;
    boost::system::error_code error;
    std::size_t used = 0;
    if (buffer_.size() > 0) {
      used = parser.put(buffer_.data(), error);
      buffer_.consume(used);
    }
    const std::size_t got = bytes.size() - body.size;
    if (error && error != bhttp::error::need_more && error != bhttp::error::need_buffer) {
      broken_ = true;
      co_return fail(ErrorCode::invalid, "the response's body is malformed: {}", error.message());
    }
    if (got > 0) {
      bytes.resize(got);
      co_return bytes;
    }
    if (used > 0) continue;  // a chunk's own head; what follows it may be here already
    if (parser.is_done()) break;
    set_deadline(lowest(), idle_);
    auto space = buffer_.prepare(kReadBytes);
    auto [read_error, count] = co_await stream_.async_read_some(space, kAsTuple);
    buffer_.commit(count);
    lowest().expires_never();
    if (read_error == asio::error::eof && parser.need_eof()) {
      boost::system::error_code end;
      parser.put_eof(end);
      broken_ = true;
      break;
    }
    if (read_error) {
      broken_ = true;
      co_return fail(to_error(read_error, "read the response's body"));
    }
  }
  co_return std::string();
}

template <class Stream>
std::unique_ptr<ByteStream> Connection<Stream>::take_stream() {
  broken_ = true;
  if constexpr (std::is_same_v<Stream, Socket>) {
    std::string ahead = beast::buffers_to_string(buffer_.data());
    return std::make_unique<SocketByteStream>(std::move(stream_), std::move(ahead));
  } else {
    return nullptr;  // nothing upgrades over TLS as a client here
  }
}

// --- connecting

bool is_local_name(std::string_view host) {
  return equals_ignoring_case(host, "localhost") ||
         (host.size() > 10 && equals_ignoring_case(host.substr(host.size() - 10), ".localhost"));
}

Error connect_error(const Endpoint& endpoint, const boost::system::error_code& error) {
  const std::string where = endpoint.unix_path.empty()
                                ? fmt::format("{} port {}", endpoint.host, endpoint.port)
                                : endpoint.unix_path;
  if (error == asio::error::connection_refused) {
    return Error(ErrorCode::unavailable, fmt::format("nothing listens at {}", where));
  }
  if (error == asio::error::access_denied) {
    return Error(ErrorCode::denied, fmt::format("connect to {}: permission denied", where));
  }
  if (error == beast::error::timeout)
    return Error(ErrorCode::timeout, fmt::format("connect to {}: no answer in time", where));
  return Error(ErrorCode::unavailable, fmt::format("connect to {}: {}", where, error.message()));
}

using GenericEndpoint = asio::generic::stream_protocol::endpoint;

Task<Result<std::vector<GenericEndpoint>>> resolve(const Endpoint& endpoint) {
  std::vector<GenericEndpoint> found;
  if (!endpoint.unix_path.empty()) {
    if (endpoint.unix_path.size() > 107) {
      co_return fail(ErrorCode::invalid, "the path of a unix socket has at most 107 bytes: {}",
                     endpoint.unix_path);
    }
    found.emplace_back(asio::local::stream_protocol::endpoint(endpoint.unix_path));
    co_return found;
  }
  using Tcp = asio::ip::tcp;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(endpoint.host, error);
  if (!error) {
    found.emplace_back(Tcp::endpoint(address, endpoint.port));
    co_return found;
  }
  if (is_local_name(endpoint.host)) {
    found.emplace_back(Tcp::endpoint(asio::ip::address_v4::loopback(), endpoint.port));
    found.emplace_back(Tcp::endpoint(asio::ip::address_v6::loopback(), endpoint.port));
    co_return found;
  }
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::basic_resolver<Tcp, LoopExecutor> resolver(executor);
  auto [resolve_error, results] =
      co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kAsTuple);
  if (resolve_error) {
    co_return fail(ErrorCode::unavailable, "the host {} cannot be found: {}", endpoint.host,
                   resolve_error.message());
  }
  for (const auto& result : results) found.emplace_back(result.endpoint());
  co_return found;
}

Task<Result<Socket>> open_socket(Endpoint endpoint,
                                 std::chrono::steady_clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  auto candidates = co_await resolve(endpoint);
  if (!candidates) co_return fail(std::move(candidates.error()));
  boost::system::error_code last = asio::error::host_not_found;
  for (const auto& candidate : *candidates) {
    Socket socket(executor);
    socket.expires_at(deadline);
    auto [error] = co_await socket.async_connect(candidate, kAsTuple);
    if (!error) {
      socket.expires_never();
      co_return socket;
    }
    last = error;
  }
  co_return fail(connect_error(endpoint, last));
}

}  // namespace

Task<Result<std::unique_ptr<ClientConnection>>> ClientConnection::connect(
    Endpoint endpoint, std::chrono::steady_clock::time_point deadline) {
  auto socket = co_await open_socket(endpoint, deadline);
  if (!socket) co_return fail(std::move(socket.error()));
  if (endpoint.unix_path.empty()) {
    boost::system::error_code ignored;
    socket->socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  }
  if (!endpoint.tls) {
    std::unique_ptr<ClientConnection> plain =
        std::make_unique<Connection<Socket>>(std::move(*socket));
    co_return plain;
  }
  // One context a connection: the client makes few, and keeps no session.
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  boost::system::error_code error;
  context->set_default_verify_paths(error);
  context->set_verify_mode(asio::ssl::verify_peer, error);
  auto secure = std::make_unique<Connection<TlsSocket>>(std::move(*socket), *context);
  auto& stream = secure->stream();
  SSL_set_tlsext_host_name(stream.native_handle(), endpoint.host.c_str());
  asio::ssl::host_name_verification verification(endpoint.host);
  stream.set_verify_callback(verification, error);
  beast::get_lowest_layer(stream).expires_at(deadline);
  auto [handshake_error] =
      co_await stream.async_handshake(asio::ssl::stream_base::client, kAsTuple);
  if (handshake_error) {
    co_return fail(ErrorCode::unavailable, "no TLS connection to {}: {}", endpoint.host,
                   handshake_error.message());
  }
  beast::get_lowest_layer(stream).expires_never();
  std::unique_ptr<ClientConnection> done = std::move(secure);
  co_return done;
}

Task<Result<std::unique_ptr<ClientConnection>>> ClientConnection::adopt(UniqueFd fd) {
  const auto executor = co_await asio::this_coro::executor;
  Socket socket(executor);
  auto assigned = assign(socket, std::move(fd));
  if (!assigned) co_return fail(std::move(assigned.error()));
  std::unique_ptr<ClientConnection> adopted =
      std::make_unique<Connection<Socket>>(std::move(socket));
  co_return adopted;
}

Task<Result<Response>> fetch(Endpoint endpoint, Request request, std::string body,
                             std::chrono::steady_clock::time_point deadline, std::size_t limit) {
  auto connection = co_await ClientConnection::connect(std::move(endpoint), deadline);
  if (!connection) co_return fail(std::move(connection.error()));
  BufferedBody sent(std::move(body));
  auto response = co_await (*connection)->exchange(std::move(request), sent, deadline);
  if (!response) co_return fail(std::move(response.error()));
  auto received =
      co_await read_all((*connection)->body(deadline - std::chrono::steady_clock::now()), limit);
  if (!received) co_return fail(std::move(received.error()));
  response->body = std::move(*received);
  co_return response;
}

}  // namespace lambda::http
