// The HTTP/1.1 client side: one exchange over a TCP, unix or already connected socket. Used by the
// command line, the Docker Engine client and the reverse proxy. A ClientConnection belongs to one
// loop and one coroutine at a time.
#pragma once

#include "base/async.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/body.h"
#include "http/message.h"

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::http {

// Where to connect: {host, port}, or {unix_path}, TLS where asked for (system certificate
// authorities, SNI, host name verified).
struct Endpoint {
  std::string host;
  std::uint16_t port = 80;
  std::string unix_path;
  bool tls = false;
  // Where given, these are what is connected to, in turn, and `host` is never looked up: who has
  // checked addresses talks to what it has checked.
  std::vector<asio::ip::address> addresses;
};

// "localhost" and whatever ends in ".localhost": loopback, whatever DNS says (RFC 6761).
[[nodiscard]] bool is_localhost(std::string_view host);

// Splits "http://host:port/prefix", "https://...", "unix:/run/x.sock" ("[::1]" is understood).
struct ParsedUrl {
  Endpoint endpoint;
  std::string host_header;  // what goes in Host
  std::string path;         // "/prefix?query" or "/"
};
Result<ParsedUrl> parse_url(std::string_view url);

class ClientConnection {
 public:
  virtual ~ClientConnection() = default;

  // Errors: unavailable (refused, no such host, reset; "*.localhost" is resolved to loopback
  // without DNS), timeout.
  static Task<Result<std::unique_ptr<ClientConnection>>> connect(
      Endpoint endpoint, std::chrono::steady_clock::time_point deadline);
  // Over a socket that is already connected.
  static Task<Result<std::unique_ptr<ClientConnection>>> adopt(UniqueFd socket);

  // Sends head and body (length declared where `body` declares one, else chunked), then reads the
  // response's head (body left to body()). 1xx other than 101 are skipped. The request's headers
  // are sent as they are, plus Host, Content-Length or Transfer-Encoding where missing. Reads the
  // response while it still sends: an early refusal (300 or more) ends the sending, any other early
  // response leaves it going on beside body(). `body` is used until the response's body was read to
  // its end, stop_sending() returned, or exchange() failed.
  // Errors: unavailable, timeout, invalid (a header or target that cannot be sent, a response that
  // is not HTTP), and what `body` itself failed with (request_body_failed() then is true).
  virtual Task<Result<Response>> exchange(Request request, BodyReader& body,
                                          std::chrono::steady_clock::time_point head_deadline) = 0;
  // Ends what is still being sent, and waits for that: then `body` of exchange() may go away.
  virtual Task<void> stop_sending() = 0;
  [[nodiscard]] virtual bool request_body_failed() const = 0;
  // The current response's body. `idle` is the longest silence. Valid until the next exchange.
  virtual BodyReader& body(std::chrono::steady_clock::duration idle) = 0;
  // After a 101 (or Docker's hijack): the raw connection.
  virtual std::unique_ptr<ByteStream> take_stream() = 0;
  // True when another exchange may follow: the body was read to its end and both sides keep the
  // connection.
  [[nodiscard]] virtual bool reusable() const = 0;
  // Wakes whatever waits on it. Same loop.
  virtual void close() = 0;
};

// One exchange on a connection with both bodies in memory, the connection's last unless the request
// says otherwise. Errors as above, and too_large when the response's body exceeds `limit`.
Task<Result<Response>> fetch_over(ClientConnection& connection, Request request, std::string body,
                                  std::chrono::steady_clock::time_point deadline,
                                  std::size_t limit);
// The same on a connection of its own.
Task<Result<Response>> fetch(Endpoint endpoint, Request request, std::string body,
                             std::chrono::steady_clock::time_point deadline, std::size_t limit);

}  // namespace lambda::http
