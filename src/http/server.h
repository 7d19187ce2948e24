// The HTTP/1.1 server side: listeners, and one coroutine a connection that reads requests and hands
// them to a Handler.
//
// Threads: a Server accepts on every loop it was given (one listening socket polled by all); a
// connection stays on the loop that accepted it, and its Handler runs there.
#pragma once

#include "base/async.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/body.h"
#include "http/body_budget.h"
#include "http/message.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lambda::http {

// How a handler answers one request: exactly one of send(), start()..finish(), upgrade().
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  // A whole response. HEAD is answered without the body.
  virtual Task<Result<std::size_t>> send(Response response) = 0;
  // A streamed one: `head.body` is ignored; Content-Length is respected where `head` names it, else
  // chunked.
  virtual Task<Result<std::size_t>> start(Response head) = 0;
  virtual Task<Result<std::size_t>> write(std::string bytes) = 0;
  virtual Task<Result<std::size_t>> finish() = 0;
  // Sends `head` (status 101, or 200 for CONNECT-like uses) and gives the raw connection away.
  virtual Task<Result<std::unique_ptr<ByteStream>>> upgrade(Response head) = 0;
  [[nodiscard]] virtual bool started() const = 0;
  // Set as soon as the client has gone away (checked while a handler works without reading):
  // resolves a wait. Handlers may wait on it beside their own work.
  virtual AsyncEvent& client_gone() = 0;
  // Calls `action` on the connection's loop when the client goes away, once, also when the
  // request's body is still to be read; replaces an earlier action. An empty one before what it
  // refers to goes.
  virtual void on_client_gone(std::function<void()> action) = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Called on the connection's loop. A handler that returns without an answer, or throws, is
  // answered with 500. All three references live until the returned task ends.
  virtual Task<void> handle(Request& request, BodyReader& body, ResponseWriter& writer) = 0;
};

// A request that is over, well or not.
struct ServedRequest {
  std::uint8_t door = 0;       // Request::door, as the handler left it
  unsigned status = 0;         // 0: the connection ended before an answer began
  std::uint64_t received = 0;  // bytes of the request's body that were read
  std::uint64_t sent = 0;      // bytes of the response's body that were written; not of a tunnel
  // Request::answerer, as the handler left it; the views are good for the time of served().
  std::string_view answerer;
  std::string_view answerer_version;
};

// Hears of every request of one loop, on that loop. Cheap: it stands between two requests.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  virtual void served(const ServedRequest& request) noexcept = 0;
};

struct ServerLimits {
  std::size_t header_bytes = 64 * 1024;  // the whole head
  std::size_t header_count = 200;
  std::chrono::seconds head_time{15};  // from the first byte of a head to its end
  std::chrono::seconds idle_time{75};  // between requests on a kept-alive connection
  std::chrono::seconds body_time{60};  // without a byte of a body that was promised
  // Bytes a second, below which a request's body that is held in memory, or a response, does not
  // come or go for longer than the slack (responses: body_time). 0: any rate.
  std::size_t least_rate = 4096;
  std::chrono::seconds slack{20};
  BodyBudget* bodies = nullptr;  // for what is held of bodies; outlives the server. null: no end
  // Of a proxy: CONNECT names HOST:PORT, and a URL as a target stays whole.
  bool forwards = false;
  // Open at once; where another waits, those that are idle longest give way, and without one it
  // waits in the backlog. Unix sockets, the administrators' way in, have a share of their own.
  std::size_t connections = 10'000;
  std::size_t unix_connections = 256;
  RequestObserver* observer = nullptr;  // outlives the connections; a Server has one for each loop
};

// A listening socket with the address it is bound to.
struct ListenAddress {
  std::string host;  // "127.0.0.1", "::1", "0.0.0.0"; "" when unix_path is set
  std::uint16_t port = 0;
  std::string unix_path;
};

// Binds and listens (SO_REUSEADDR, IPV6_V6ONLY, backlog 4096, close-on-exec). Port 0 picks one.
// Errors: conflict (address in use; the message names the holder where /proc shows it), denied,
// invalid.
Result<UniqueFd> listen_on(const ListenAddress& address);
// The port that a listening socket got.
[[nodiscard]] std::uint16_t bound_port(int fd);

// Who is at the other end of a connected socket.
[[nodiscard]] Peer peer_of(int fd);

// Serves one already accepted connection (any stream socket) until it ends; used for sockets that
// the Server did not accept itself, such as those of the Runtime API. `limits.idle_time` of zero
// means no limit.
Task<void> serve_connection(UniqueFd socket, Peer peer, Handler& handler, ServerLimits limits);

class Server {
 public:
  // `handler` and the loops outlive the server.
  // `observers`: none, or one for each loop; they outlive the server and the loops' runs.
  Server(std::vector<Loop*> loops, Handler& handler, ServerLimits limits,
         std::vector<RequestObserver*> observers = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes over a listening socket (TCP or unix).
  void add_listener(UniqueFd listening);
  // No new connections, kept-alive ones end after their current response. Resolves when none is
  // left; at the deadline the rest is closed. Call it on one of the loops, or on another one that
  // runs; the loops must run on until it resolves.
  Task<void> drain(std::chrono::steady_clock::time_point deadline);
  [[nodiscard]] std::size_t open_connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lambda::http
