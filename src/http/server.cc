// Accepting on every loop from the same listening sockets, counting connections, and draining.
#include "http/server.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <spdlog/spdlog.h>

#include <arpa/inet.h>
#include <atomic>
#include <list>
#include <mutex>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace lambda::http {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<LoopExecutor>;

bool is_loopback(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_UNIX) return true;
  if (storage.ss_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr) >> 24) == 127;
  }
  const auto& address = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return address.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&address);
}

Peer peer_of(int fd, const sockaddr_storage& storage) {
  Peer peer;
  peer.loopback = is_loopback(storage);
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = *reinterpret_cast<const sockaddr_in*>(&storage);
    peer.address = ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    peer.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(&storage);
    peer.address = ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    peer.port = ntohs(v6.sin6_port);
  } else {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) {
      peer.unix_uid = credentials.uid;
      peer.unix_gid = credentials.gid;
      peer.unix_pid = credentials.pid;
    }
  }
  peer.local_port = bound_port(fd);
  return peer;
}

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  // What one loop has: touched on that loop alone.
  struct PerLoop {
    explicit PerLoop(Loop& owner) : loop(owner) {}
    Loop& loop;
    std::list<Descriptor> acceptors;
    std::set<int> connections;  // descriptors, to end them when a drain's time is over
  };

  Impl(std::vector<Loop*> all, Handler& to, ServerLimits bounds) : handler(to), limits(bounds) {
    for (Loop* loop : all) loops.push_back(std::make_unique<PerLoop>(*loop));
  }

  std::vector<std::unique_ptr<PerLoop>> loops;
  Handler& handler;
  ServerLimits limits;
  std::atomic<std::size_t> open{0};
  std::atomic<bool> draining{false};

  Task<void> accept_loop(std::shared_ptr<Impl> self, PerLoop& here, Descriptor& listener);
  Task<void> serve(std::shared_ptr<Impl> self, PerLoop& here, int fd, Peer peer);
};

Task<void> Server::Impl::accept_loop(std::shared_ptr<Impl> self, PerLoop& here,
                                     Descriptor& listener) {
  while (!draining) {
    auto [error] = co_await listener.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (error || draining) co_return;
    if (open >= limits.connections) {
      co_await sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    const int fd = ::accept4(listener.native_handle(), reinterpret_cast<sockaddr*>(&storage),
                             &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      const bool exhausted =
          errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
      if (exhausted) {
        spdlog::warn(
            "cannot accept a connection: out of descriptors or memory; trying again in 100 ms");
        co_await sleep_for(std::chrono::milliseconds(100));
      }
      continue;
    }
    ++open;
    auto peer = peer_of(fd, storage);
    asio::co_spawn(here.loop, serve(self, here, fd, std::move(peer)), asio::detached);
  }
}

Task<void> Server::Impl::serve(std::shared_ptr<Impl> self, PerLoop& here, int fd, Peer peer) {
  // A second descriptor of the same connection outlives the connection's own, so that the number
  // stays ours.
  UniqueFd handle(::dup(fd));
  here.connections.insert(handle.get());
  co_await serve_connection(UniqueFd(fd), std::move(peer), self->handler, self->limits);
  here.connections.erase(handle.get());
  --self->open;
}

Server::Server(std::vector<Loop*> loops, Handler& handler, ServerLimits limits)
    : impl_(std::make_shared<Impl>(std::move(loops), handler, limits)) {}

Server::~Server() = default;

void Server::add_listener(UniqueFd listening) {
  for (auto& here : impl_->loops) {
    auto copy = std::make_shared<UniqueFd>(::dup(listening.get()));
    auto begin = [impl = impl_, place = here.get(), copy] {
      auto& listener = place->acceptors.emplace_back(place->loop.get_executor(), copy->release());
      asio::co_spawn(place->loop, impl->accept_loop(impl, *place, listener), asio::detached);
    };
    asio::post(here->loop, std::move(begin));
  }
}

std::size_t Server::open_connections() const {
  return impl_->open;
}

Task<void> Server::drain(std::chrono::steady_clock::time_point deadline) {
  const auto impl = impl_;
  impl->draining = true;
  for (auto& here : impl->loops) {
    auto end_listening = [impl, place = here.get()] {
      boost::system::error_code ignored;
      for (auto& listener : place->acceptors) listener.close(ignored);
      // No more requests: kept-alive connections see the end of what they can send, and close after
      // their response.
      for (const int fd : place->connections) ::shutdown(fd, SHUT_RD);
    };
    asio::post(here->loop, std::move(end_listening));
  }
  while (impl->open > 0 && std::chrono::steady_clock::now() < deadline) {
    co_await sleep_for(std::chrono::milliseconds(5));
  }
  for (auto& here : impl->loops) {
    auto end_all = [impl, place = here.get()] {
      for (const int fd : place->connections) ::shutdown(fd, SHUT_RDWR);
    };
    asio::post(here->loop, std::move(end_all));
  }
  const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (impl->open > 0 && std::chrono::steady_clock::now() < last)
    co_await sleep_for(std::chrono::milliseconds(5));
}

}  // namespace lambda::http
