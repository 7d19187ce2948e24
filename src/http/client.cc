// Connecting: resolve -> try each address in turn -> TLS where asked for; and fetch().
#include "http/client.h"

#include "base/encoding.h"
#include "http/client_connection.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/buffers_to_string.hpp>

#include <arpa/inet.h>
#include <sys/un.h>
#include <vector>

namespace lambda::http {
namespace {

using std::chrono::steady_clock;
using GenericEndpoint = asio::generic::stream_protocol::endpoint;
using TlsStream = asio::ssl::stream<Socket>;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, LoopExecutor>;

bool is_localhost(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  constexpr std::string_view kName = "localhost";
  if (host.size() < kName.size()) return false;
  const auto tail = host.substr(host.size() - kName.size());
  return equals_ignoring_case(tail, kName) &&
         (host.size() == kName.size() || host[host.size() - kName.size() - 1] == '.');
}

// getaddrinfo cannot be interrupted: the state lives on when the deadline comes first.
struct Lookup {
  explicit Lookup(LoopExecutor executor) : resolver(executor) {}
  Resolver resolver;
  AsyncEvent done;
  boost::system::error_code error;
  std::vector<GenericEndpoint> found;
};

Task<Result<std::vector<GenericEndpoint>>> resolve(const Endpoint& endpoint,
                                                   steady_clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  std::vector<GenericEndpoint> addresses;
  if (!endpoint.unix_path.empty()) {
    if (endpoint.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
      co_return fail(ErrorCode::invalid, "the socket path {} is too long", endpoint.unix_path);
    }
    addresses.emplace_back(asio::local::stream_protocol::endpoint(endpoint.unix_path));
    co_return addresses;
  }
  boost::system::error_code not_an_address;
  const auto address = asio::ip::make_address(endpoint.host, not_an_address);
  if (!not_an_address) {
    addresses.emplace_back(asio::ip::tcp::endpoint(address, endpoint.port));
    co_return addresses;
  }
  if (is_localhost(endpoint.host)) {
    const asio::ip::tcp::endpoint v4(asio::ip::address_v4::loopback(), endpoint.port);
    const asio::ip::tcp::endpoint v6(asio::ip::address_v6::loopback(), endpoint.port);
    addresses.emplace_back(v4);
    addresses.emplace_back(v6);
    co_return addresses;
  }
  const auto lookup = std::make_shared<Lookup>(executor);
  auto on_found = [lookup](const boost::system::error_code& error,
                           const Resolver::results_type& results) {
    lookup->error = error;
    for (const auto& entry : results) lookup->found.emplace_back(entry.endpoint());
    lookup->done.set();
  };
  lookup->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), std::move(on_found));
  if (!co_await lookup->done.wait_until(deadline)) {
    co_return fail(ErrorCode::timeout, "look up {}: no answer from DNS in time", endpoint.host);
  }
  if (lookup->error || lookup->found.empty()) {
    co_return fail(ErrorCode::unavailable, "look up {}: {}", endpoint.host,
                   lookup->error.message());
  }
  co_return std::move(lookup->found);
}

std::string name_of(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return endpoint.unix_path;
  return fmt::format("{}:{}", endpoint.host, endpoint.port);
}

Task<Result<std::shared_ptr<Socket>>> connect_socket(const Endpoint& endpoint,
                                                     steady_clock::time_point deadline) {
  auto addresses = co_await resolve(endpoint, deadline);
  if (!addresses) co_return fail(std::move(addresses.error()));
  const auto executor = co_await asio::this_coro::executor;
  boost::system::error_code last = asio::error::host_not_found;
  for (const auto& address : *addresses) {
    auto socket = std::make_shared<Socket>(executor);
    Deadline limit(executor, [socket] { close_socket(*socket); });
    limit.expire_at(deadline);
    auto [error] = co_await socket->async_connect(address, kAsTuple);
    if (limit.expired()) {
      co_return fail(ErrorCode::timeout, "connect to {}: no answer in time", name_of(endpoint));
    }
    last = error;
    if (error) continue;
    boost::system::error_code ignored;
    if (endpoint.unix_path.empty()) {
      socket->set_option(asio::ip::tcp::no_delay(true), ignored);
    }
    co_return socket;
  }
  co_return fail(ErrorCode::unavailable, "connect to {}: {}", name_of(endpoint), last.message());
}

// The system's certificate authorities, read once.
asio::ssl::context& client_tls() {
  static asio::ssl::context context = [] {
    asio::ssl::context made(asio::ssl::context::tls_client);
    made.set_default_verify_paths();
    made.set_verify_mode(asio::ssl::verify_peer);
    return made;
  }();
  return context;
}

Task<Result<std::unique_ptr<ClientConnection>>> secure(std::shared_ptr<Socket> socket,
                                                       const Endpoint& endpoint,
                                                       steady_clock::time_point deadline) {
  auto stream = std::make_shared<TlsStream>(std::move(*socket), client_tls());
  boost::system::error_code is_name;
  asio::ip::make_address(endpoint.host, is_name);
  if (is_name) SSL_set_tlsext_host_name(stream->native_handle(), endpoint.host.c_str());
  stream->set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
  Deadline limit(stream->get_executor(), [stream] { close_socket(stream->next_layer()); });
  limit.expire_at(deadline);
  auto [error] = co_await stream->async_handshake(asio::ssl::stream_base::client, kAsTuple);
  if (error) {
    co_return fail(stream_error(error, limit.expired(), "TLS handshake with " + endpoint.host));
  }
  std::unique_ptr<ClientConnection> made =
      std::make_unique<ClientConnectionOver<TlsStream>>(stream);
  co_return made;
}

}  // namespace

Task<Result<std::unique_ptr<ClientConnection>>> ClientConnection::connect(
    Endpoint endpoint, steady_clock::time_point deadline) {
  auto socket = co_await connect_socket(endpoint, deadline);
  if (!socket) co_return fail(std::move(socket.error()));
  if (endpoint.tls) co_return co_await secure(std::move(*socket), endpoint, deadline);
  std::unique_ptr<ClientConnection> made = std::make_unique<ClientConnectionOver<Socket>>(*socket);
  co_return made;
}

Task<Result<std::unique_ptr<ClientConnection>>> ClientConnection::adopt(UniqueFd fd) {
  auto socket = std::make_shared<Socket>(co_await asio::this_coro::executor);
  if (auto assigned = assign(*socket, std::move(fd)); !assigned) {
    co_return fail(std::move(assigned.error()));
  }
  std::unique_ptr<ClientConnection> made = std::make_unique<ClientConnectionOver<Socket>>(socket);
  co_return made;
}

namespace {

Task<Result<Response>> collect(ClientConnection& connection, Request request, BufferedBody& sent,
                               steady_clock::time_point deadline, std::size_t limit) {
  auto response = co_await connection.exchange(std::move(request), sent, deadline);
  if (!response) co_return response;
  while (true) {
    const auto left = std::max<steady_clock::duration>(deadline - steady_clock::now(),
                                                       std::chrono::milliseconds(1));
    auto& reader = connection.body(left);
    if (reader.declared_length().value_or(0) > limit) {
      co_return fail(ErrorCode::too_large,
                     "the answer has {} bytes, more than the {} that are taken",
                     *reader.declared_length(), limit);
    }
    auto piece = co_await reader.read_some();
    if (!piece) co_return fail(std::move(piece.error()));
    if (piece->empty()) co_return response;
    response->body += *piece;
    if (response->body.size() > limit) {
      co_return fail(ErrorCode::too_large, "the answer has more than the {} bytes that are taken",
                     limit);
    }
  }
}

}  // namespace

Task<Result<Response>> fetch(Endpoint endpoint, Request request, std::string body,
                             steady_clock::time_point deadline, std::size_t limit) {
  auto connection = co_await ClientConnection::connect(std::move(endpoint), deadline);
  if (!connection) co_return fail(std::move(connection.error()));
  co_return co_await fetch_over(**connection, std::move(request), std::move(body), deadline, limit);
}

Task<Result<Response>> fetch_over(ClientConnection& connection, Request request, std::string body,
                                  steady_clock::time_point deadline, std::size_t limit) {
  BufferedBody sent(std::move(body));
  if (!request.headers.has("Connection")) request.headers.add("Connection", "close");
  auto response = co_await collect(connection, std::move(request), sent, deadline, limit);
  // The body is sent by a coroutine of its own, which must not outlive it.
  co_await connection.stop_sending();
  co_return response;
}

}  // namespace lambda::http
