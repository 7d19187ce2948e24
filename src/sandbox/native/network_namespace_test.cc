// Needs root, as lambda-spawn does. Everything happens in threads of their own: a network namespace
// is a thread's.
#include "sandbox/native/network_namespace.h"

#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/network_pool.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>

namespace lambda::sandbox::native {
namespace {

// A namespace of its own for `body`, and what renewing it comes to afterwards.
template <typename Body>
void in_a_network(Body body) {
  std::thread([&body] {
    const UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto network = make_network(proc.get());
    ASSERT_TRUE(network) << network.error().message();
    body(*network, proc.get());
  }).join();
}

// As the keeper does: sockets are gone a moment after they are closed.
Result<Done> renew_patiently(const Network& network, int proc) {
  auto renewed = renew_network(network, proc);
  for (int tries = 0; tries < 200 && !renewed; ++tries) {
    if (renewed.error().code() != ErrorCode::conflict) break;
    ::poll(nullptr, 0, 5);
    renewed = renew_network(network, proc);
  }
  return renewed;
}

UniqueFd bound(int family, int type, std::uint16_t port) {
  UniqueFd socket(::socket(family, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return UniqueFd();
  if (type == SOCK_STREAM) ::listen(socket.get(), 5);
  return socket;
}

// Both ends of a connection over loopback.
std::pair<UniqueFd, UniqueFd> connection(const UniqueFd& listener) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return {};
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return {std::move(client), std::move(server)};
}

TEST(NetworkNamespace, IsAsNewAfterItWasUsed) {
  in_a_network([](const Network& network, int proc) {
    {
      const auto listener = bound(AF_INET, SOCK_STREAM, 80);
      ASSERT_TRUE(listener);
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(connection(listener).second);
    }
    for (int i = 0; i < 3; ++i) {
      const auto renewed = renew_patiently(network, proc);
      ASSERT_TRUE(renewed) << renewed.error().message();
    }
    EXPECT_TRUE(bound(AF_INET, SOCK_STREAM, 80));
    const auto sockets = read_file_at(proc, "thread-self/net/sockstat");
    EXPECT_NE(sockets->find("tw 0 "), std::string::npos) << *sockets;
  });
}

TEST(NetworkNamespace, KnowsASocketOfEveryKind) {
  in_a_network([](const Network& network, int proc) {
    ASSERT_TRUE(renew_patiently(network, proc));
    // What was there before each is gone.
    auto refused = [&](UniqueFd socket, const char* what) {
      EXPECT_TRUE(socket) << what;
      ::poll(nullptr, 0, 100);
      const auto renewed = renew_network(network, proc);
      ASSERT_FALSE(renewed) << what;
      EXPECT_EQ(renewed.error().code(), ErrorCode::conflict) << what;
      socket.reset();
      EXPECT_TRUE(renew_patiently(network, proc)) << what;
    };
    refused(bound(AF_INET, SOCK_STREAM, 9000), "a listener");
    refused(bound(AF_INET, SOCK_DGRAM, 9000), "a datagram socket");
    refused(UniqueFd(::socket(AF_INET, SOCK_STREAM, 0)), "one that was only made");
    refused(UniqueFd(::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)), "a raw socket");
    refused(UniqueFd(::socket(AF_NETLINK, SOCK_RAW, 0)), "a netlink socket");
    refused(UniqueFd(::socket(AF_PACKET, SOCK_RAW, 0)), "a packet socket");
    UniqueFd local(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un name{AF_UNIX, "\0abstract"};
    ASSERT_EQ(::bind(local.get(), reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t) + 9), 0);
    refused(std::move(local), "an abstract name");
    auto listener = bound(AF_INET, SOCK_STREAM, 9000);
    auto ends = connection(listener);
    listener.reset();
    ends.first.reset();
    refused(std::move(ends.second), "half a connection");
  });
}

TEST(NetworkNamespace, WithATimeWaitRowIsNotUsedAgain) {
  in_a_network([](const Network& network, int proc) {
    ASSERT_TRUE(write_file_at(proc, "sys/net/ipv4/tcp_max_tw_buckets", "1000"));
    const auto listener = bound(AF_INET, SOCK_STREAM, 9000);
    ASSERT_TRUE(connection(listener).first);
    EXPECT_FALSE(renew_patiently(network, proc));
  });
}

TEST(NetworkNamespace, ThatIsNotWhatItWasIsNotUsedAgain) {
  auto changed = [](const char* what, auto change) {
    in_a_network([&](const Network& network, int proc) {
      ASSERT_TRUE(renew_patiently(network, proc)) << what;
      change(proc);
      const auto renewed = renew_patiently(network, proc);
      ASSERT_FALSE(renewed) << what;
      EXPECT_NE(renewed.error().code(), ErrorCode::conflict) << what;
    });
  };
  auto ask = [](unsigned long what, auto& request) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::ioctl(socket.get(), what, &request), 0) << std::strerror(errno);
  };
  changed("a setting of ours", [](int proc) {
    ASSERT_TRUE(write_file_at(proc, "sys/net/ipv4/ip_unprivileged_port_start", "1024"));
  });
  changed("a setting of the interface's", [](int proc) {
    ASSERT_TRUE(write_file_at(proc, "sys/net/ipv4/conf/lo/rp_filter", "2"));
  });
  changed("a setting of all interfaces'", [](int proc) {
    // It was the machine's when the namespace was made.
    const auto was = read_file_at(proc, "sys/net/ipv4/ip_forward");
    ASSERT_TRUE(write_file_at(proc, "sys/net/ipv4/ip_forward", *was == "1\n" ? "0" : "1"));
  });
  changed("a setting of IPv6's", [](int proc) {
    ASSERT_TRUE(write_file_at(proc, "sys/net/ipv6/conf/lo/hop_limit", "3"));
  });
  ifreq request{};
  std::strcpy(request.ifr_name, "lo:1");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 0x010000);
  std::memcpy(&request.ifr_addr, &address, sizeof(address));
  changed("an address", [&](int) { ask(SIOCSIFADDR, request); });
  std::strcpy(request.ifr_name, "lo");
  request.ifr_mtu = 1400;
  changed("the size of packets", [&](int) { ask(SIOCSIFMTU, request); });
}

TEST(NetworkNamespace, BelongsToNobodyInASandbox) {
  in_a_network([](const Network& network, int) {
    constexpr unsigned long kGetUserNamespace = 0xb701;  // NS_GET_USERNS
    const UniqueFd owner(::ioctl(network.name.get(), kGetUserNamespace));
    struct stat one {
    }, machines{};
    ASSERT_EQ(::fstat(owner.get(), &one), 0);
    ASSERT_EQ(::stat("/proc/self/ns/user", &machines), 0);
    EXPECT_EQ(one.st_ino, machines.st_ino);
  });
}

ino_t inode_of(const UniqueFd& name) {
  struct stat status {};
  ::fstat(name.get(), &status);
  return status.st_ino;
}

class NetworkPoolTest : public testing::Test {
 protected:
  // Until `enough`, or for five seconds.
  template <typename Enough>
  bool wait(NetworkPool& pool, Enough enough) {
    const auto until = NetworkPool::Clock::now() + std::chrono::seconds(5);
    while (!enough()) {
      if (NetworkPool::Clock::now() > until) return false;
      pool.keep_up(NetworkPool::Clock::now());
      pollfd ready{epoll_.get(), POLLIN, 0};
      ::poll(&ready, 1, 10);
      pool.take_messages([this](std::uint32_t number) { closed_.push_back(number); });
    }
    return true;
  }

  NetworkPool::Tell tell() {
    return [this](const std::string& words) { told_.push_back(words); };
  }

  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<std::uint32_t> closed_;
  std::vector<std::string> told_;
};

TEST_F(NetworkPoolTest, MakesNamespacesAheadAndTheOneThatComesBackIsNext) {
  NetworkPool pool({2, 8}, epoll_.get(), 1, tell());
  EXPECT_FALSE(pool.take());
  ASSERT_TRUE(wait(pool, [&] { return pool.ready() == 2; }));
  auto first = pool.take();
  ASSERT_TRUE(first);
  const auto inode = inode_of(first->name);
  ASSERT_TRUE(wait(pool, [&] { return pool.ready() == 2; }));
  first->name.reset();
  pool.give_back(first->number);
  ASSERT_TRUE(wait(pool, [&] { return pool.ready() == 3; }));
  const auto second = pool.take();
  EXPECT_EQ(second->number, first->number);
  EXPECT_EQ(inode_of(second->name), inode);
}

TEST_F(NetworkPoolTest, OneWithASocketInItComesBackWhenThatIsClosed) {
  NetworkPool pool({1, 8}, epoll_.get(), 1, tell());
  ASSERT_TRUE(wait(pool, [&] { return pool.ready() == 1; }));
  const auto taken = pool.take();
  ASSERT_TRUE(taken);
  UniqueFd listener;
  std::thread([&] {
    ASSERT_EQ(::setns(taken->name.get(), CLONE_NEWNET), 0);
    listener = bound(AF_INET, SOCK_STREAM, 9001);
  }).join();
  ASSERT_TRUE(wait(pool, [&] { return pool.ready() == 1; }));
  pool.give_back(taken->number);
  EXPECT_FALSE(wait(pool, [&, tries = 0]() mutable { return pool.ready() == 2 || ++tries > 8; }) &&
               pool.ready() == 2);
  listener.reset();
  EXPECT_TRUE(wait(pool, [&] { return pool.ready() == 2; }));
}

TEST_F(NetworkPoolTest, ClosesForOthersAndSaysSo) {
  NetworkPool pool({1, 8}, epoll_.get(), 1, tell());
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ASSERT_TRUE(pool.close(7, writer));
  writer.reset();
  ASSERT_TRUE(wait(pool, [&] { return !closed_.empty(); }));
  EXPECT_EQ(closed_, std::vector<std::uint32_t>{7});
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0);
}

TEST_F(NetworkPoolTest, TellsWhyOneIsNotUsedAgain) {
  NetworkPool pool({1, 8}, epoll_.get(), 1, tell());
  ASSERT_TRUE(wait(pool, [&] { return pool.ready() >= 1; }));
  for (int round = 0; round < 2; ++round) {
    const auto taken = pool.take();
    ASSERT_TRUE(taken);
    std::thread([&] {
      ASSERT_EQ(::setns(taken->name.get(), CLONE_NEWNET), 0);
      ASSERT_TRUE(write_file_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "7"));
    }).join();
    ASSERT_TRUE(wait(pool, [&] { return pool.ready() >= 1; }));
    pool.give_back(taken->number);
    wait(pool, [&, tries = 0]() mutable { return ++tries > 20; });
  }
  ASSERT_EQ(told_.size(), 1u) << "once, however often it happens";
  EXPECT_NE(told_[0].find("not used again"), std::string::npos);
}

TEST_F(NetworkPoolTest, HasNoneWhereNoneAreWanted) {
  NetworkPool pool({2, 0}, epoll_.get(), 1, tell());
  pool.keep_up(NetworkPool::Clock::now());
  EXPECT_FALSE(pool.has_keeper());
  EXPECT_FALSE(pool.take());
  EXPECT_FALSE(pool.next_look());
  pool.give_back(1);
}

}  // namespace
}  // namespace lambda::sandbox::native
