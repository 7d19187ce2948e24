// Accepting: every loop waits for the listening sockets itself and takes a few connections at a
// time, so that the loops share a burst. Each connection is in its loop's list, for the drain, and
// counts against the share of its kind of socket; where that is full, idle ones give way.
#include "http/server.h"

#include "base/background.h"
#include "http/connection.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <list>
#include <new>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace lambda::http {
namespace {

using Listening = asio::posix::basic_stream_descriptor<LoopExecutor>;

// Connections one loop takes before it lets the others try.
constexpr std::size_t kAcceptedAtOnce = 8;
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{50};
constexpr std::chrono::milliseconds kPauseWhenFull{10};
// For the idle connections that were told to end, and do so with their loop's next turn.
constexpr std::chrono::milliseconds kPauseForTheIdle{1};
constexpr std::chrono::milliseconds kDrainStep{5};
// For what was closed at the deadline to unwind.
constexpr std::chrono::seconds kUnwindTime{2};

bool is_shortage(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS ||
         error_number == ENOMEM;
}

bool is_unix(int fd) {
  int family = 0;
  socklen_t length = sizeof family;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && family == AF_UNIX;
}

}  // namespace

// Of the connections that one kind of listening socket may have.
struct ConnectionShare {
  explicit ConnectionShare(std::size_t most) : limit(most) {}
  [[nodiscard]] bool full() const { return open >= limit; }
  const std::size_t limit;
  std::atomic<std::size_t> open{0};
};

struct ListedConnection {
  Connection* connection;
  const ConnectionShare* share;
};

// What one loop has; touched on that loop alone.
struct LoopShare {
  explicit LoopShare(Loop& its_loop) : loop(its_loop) {}
  Loop& loop;
  RequestObserver* observer = nullptr;
  std::list<Listening*> listening;  // owned by their coroutines, which end with this loop
  std::list<ListedConnection> connections;
  bool draining = false;
};

// Keeps a connection in its loop's list.
class Listed {
 public:
  Listed(std::list<ListedConnection>& list, Connection& connection, const ConnectionShare& share)
      : list_(list), place_(list.insert(list.end(), ListedConnection{&connection, &share})) {}
  ~Listed() { list_.erase(place_); }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  std::list<ListedConnection>& list_;
  std::list<ListedConnection>::iterator place_;
};

// Ends those connections of that share on this loop that have been idle longest: one, or more where
// there are many. How many.
std::size_t end_idle(LoopShare& loop, const ConnectionShare& share) {
  using Idle = std::pair<std::chrono::steady_clock::time_point, Connection*>;
  std::vector<Idle> idle;
  for (const auto& listed : loop.connections) {
    if (listed.share != &share) continue;
    if (const auto since = listed.connection->idle_since()) {
      idle.emplace_back(*since, listed.connection);
    }
  }
  const auto count = std::min(idle.size(), std::min(1 + idle.size() / 64, kAcceptedAtOnce));
  std::partial_sort(idle.begin(), idle.begin() + static_cast<std::ptrdiff_t>(count), idle.end());
  for (std::size_t i = 0; i < count; ++i) idle[i].second->finish_soon();
  return count;
}

struct Server::Impl : std::enable_shared_from_this<Impl> {
  Impl(const std::vector<Loop*>& loops, Handler& its_handler, ServerLimits its_limits,
       const std::vector<RequestObserver*>& observers)
      : handler(its_handler),
        limits(its_limits),
        tcp(its_limits.connections),
        local(its_limits.unix_connections) {
    for (auto* loop : loops) shares.push_back(std::make_unique<LoopShare>(*loop));
    for (std::size_t i = 0; i < observers.size(); ++i) shares.at(i)->observer = observers[i];
  }

  // The coroutines hold the Impl, because they outlive the Server when it is destroyed first.
  static Task<void> accept(std::shared_ptr<Impl> self, LoopShare& share, ConnectionShare& of,
                           UniqueFd fd);
  static Task<void> serve(std::shared_ptr<Impl> self, LoopShare& share, ConnectionShare& of,
                          UniqueFd fd);
  // errno of the failed accept, or 0.
  int accept_some(LoopShare& share, ConnectionShare& of, int listening_fd);
  [[nodiscard]] std::size_t open() const { return tcp.open + local.open; }
  template <class Action>
  void on_every_loop(Action action);
  void stop_accepting();

  Handler& handler;
  ServerLimits limits;
  std::vector<std::unique_ptr<LoopShare>> shares;
  ConnectionShare tcp;
  ConnectionShare local;
  std::atomic<std::size_t> accepting{0};
};

template <class Action>
void Server::Impl::on_every_loop(Action action) {
  for (auto& share : shares) {
    asio::post(share->loop,
               [self = shared_from_this(), &share = *share, action] { action(share); });
  }
}

int Server::Impl::accept_some(LoopShare& share, ConnectionShare& of, int listening_fd) {
  for (std::size_t taken = 0; taken < kAcceptedAtOnce && !of.full(); ++taken) {
    UniqueFd fd(::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return errno;
    ++of.open;
    try {
      asio::co_spawn(share.loop, serve(shared_from_this(), share, of, std::move(fd)),
                     in_background("a connection"));
    } catch (const std::bad_alloc&) {
      --of.open;
      return ENOMEM;
    }
  }
  return 0;
}

Task<void> Server::Impl::accept(std::shared_ptr<Impl> self, LoopShare& share, ConnectionShare& of,
                                UniqueFd fd) {
  Listening listening(share.loop, fd.release());
  const auto place = share.listening.insert(share.listening.end(), &listening);
  bool told = false;
  while (!share.draining) {
    auto [error] = co_await listening.async_wait(Listening::wait_read, kAsTuple);
    if (error || share.draining) break;
    if (of.full()) {
      const auto ended = end_idle(share, of);
      co_await sleep_for(ended > 0 ? kPauseForTheIdle : kPauseWhenFull);
      continue;
    }
    const int failure = self->accept_some(share, of, listening.native_handle());
    if (is_shortage(failure)) {
      // The connection stays in the backlog and readable: without a pause this would spin.
      if (!told) {
        spdlog::warn("{}", Error::from_errno("accept a connection", failure).message());
      }
      told = true;
      end_idle(share, self->tcp);
      co_await sleep_for(kPauseWithoutDescriptors);
    } else {
      told = false;
    }
  }
  share.listening.erase(place);
  boost::system::error_code ignored;
  listening.close(ignored);
  --self->accepting;
}

Task<void> Server::Impl::serve(std::shared_ptr<Impl> self, LoopShare& share, ConnectionShare& of,
                               UniqueFd fd) {
  try {
    auto limits = self->limits;
    limits.observer = share.observer;
    const auto connection = std::make_unique<Connection>(share.loop.get_executor(),
                                                         peer_of(fd.get()), self->handler, limits);
    const Listed listed(share.connections, *connection, of);
    if (share.draining) connection->finish_soon();
    co_await connection->run(std::move(fd));
  } catch (const std::exception& error) {
    spdlog::error("serve a connection: {}", error.what());
  }
  --of.open;
}

void Server::Impl::stop_accepting() {
  on_every_loop([](LoopShare& share) {
    share.draining = true;
    for (auto* listening : share.listening) {
      boost::system::error_code ignored;
      listening->cancel(ignored);
    }
    for (const auto& listed : share.connections) listed.connection->finish_soon();
  });
}

Server::Server(std::vector<Loop*> loops, Handler& handler, ServerLimits limits,
               std::vector<RequestObserver*> observers)
    : impl_(std::make_shared<Impl>(loops, handler, limits, observers)) {}

Server::~Server() {
  impl_->stop_accepting();
  impl_->on_every_loop([](LoopShare& share) {
    for (const auto& listed : share.connections) listed.connection->close();
  });
}

void Server::add_listener(UniqueFd listening) {
  auto& of = is_unix(listening.get()) ? impl_->local : impl_->tcp;
  for (auto& share : impl_->shares) {
    // A descriptor for each loop: Asio wants one owner of each. They all name one socket.
    UniqueFd own(::fcntl(listening.get(), F_DUPFD_CLOEXEC, 0));
    if (!own) {
      const auto error = Error::from_errno("share a listening socket among the loops");
      spdlog::error("{}", error.message());
      return;
    }
    ::fcntl(own.get(), F_SETFL, ::fcntl(own.get(), F_GETFL) | O_NONBLOCK);
    ++impl_->accepting;
    asio::co_spawn(share->loop, Impl::accept(impl_, *share, of, std::move(own)),
                   in_background("accepting connections"));
  }
}

Task<void> Server::drain(std::chrono::steady_clock::time_point deadline) {
  const auto impl = impl_;
  impl->stop_accepting();
  const auto busy = [&impl] { return impl->open() > 0 || impl->accepting > 0; };
  while (busy() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(kDrainStep);
  if (!busy()) co_return;
  impl->on_every_loop([](LoopShare& share) {
    for (const auto& listed : share.connections) listed.connection->close();
  });
  const auto end = std::chrono::steady_clock::now() + kUnwindTime;
  while (busy() && std::chrono::steady_clock::now() < end) co_await sleep_for(kDrainStep);
}

std::size_t Server::open_connections() const {
  return impl_->open();
}

}  // namespace lambda::http
