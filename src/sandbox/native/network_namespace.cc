#include "sandbox/native/network_namespace.h"

#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/route_dump.h"
#include "sandbox/uplink/link_pair.h"

#include <array>
#include <cstring>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <optional>
#include <sched.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utility>

namespace lambda::sandbox::native {
namespace {

struct Setting {
  const char* file;  // below /proc
  const char* value;
};
constexpr Setting kSettings[] = {
    // An HTTP function may listen on port 80.
    {"sys/net/ipv4/ip_unprivileged_port_start", "0"},
    // What the kernel would remember of a connection that has ended, for a minute and for an hour:
    // the next function would see it.
    {"sys/net/ipv4/tcp_max_tw_buckets", "0"},
    {"sys/net/ipv4/tcp_no_metrics_save", "1"},
    {"sys/net/ipv4/tcp_fastopen", "0"},
};

Result<Done> set_loopback(bool up) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = up ? IFF_UP | IFF_RUNNING : 0;
  if (!socket || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return fail(Error::from_errno(up ? "bring up the loopback interface"
                                     : "take down the loopback interface"));
  return Done{};
}

// "TCP: inuse 0 orphan 0 tw 3 alloc 1 mem 2": the 3, of "TCP:" and "tw".
std::optional<std::uint64_t> count_in(std::string_view text, std::string_view line,
                                      std::string_view key) {
  for (const auto row : split(text, '\n')) {
    if (!row.starts_with(line)) continue;
    const auto words = split(row, ' ');
    for (std::size_t i = 1; i + 1 < words.size(); i += 2)
      if (words[i] == key) return parse_number(words[i + 1]);
  }
  return std::nullopt;
}

// "sockets: used" are those of every family, listening, connected, orphaned or only bound.
Result<Done> check_sockets(int proc) {
  struct Count {
    const char* file;
    const char* line;
    const char* key;
  };
  constexpr Count kNone[] = {{"thread-self/net/sockstat", "sockets:", "used"},
                             {"thread-self/net/sockstat", "TCP:", "tw"},
                             {"thread-self/net/sockstat", "FRAG:", "inuse"},
                             {"thread-self/net/sockstat6", "FRAG6:", "inuse"}};
  for (const auto& one : kNone) {
    const auto text = read_file_at(proc, one.file);
    // A machine without IPv6.
    if (!text && std::string_view(one.line) == "FRAG6:") continue;
    if (!text) return fail(Error(text.error()));
    const auto count = count_in(*text, one.line, one.key);
    if (!count) return fail(ErrorCode::internal, "{} has no {} of {}", one.file, one.key, one.line);
    if (*count != 0)
      return fail(ErrorCode::conflict, "{} of the namespace: {} {}", *count, one.line, one.key);
  }
  // Labels outlive their sockets by up to a minute.
  const auto labels = read_file_at(proc, "thread-self/net/ip6_flowlabel");
  if (labels && split(*labels, '\n').size() > 1)
    return fail(ErrorCode::conflict, "the namespace has IPv6 flow labels");
  return Done{};
}

std::vector<RouteList> lists() {
  std::vector<RouteList> all;
  all.push_back({RTM_GETLINK,
                 AF_UNSPEC,
                 sizeof(ifinfomsg),
                 {IFLA_IFNAME, IFLA_ADDRESS, IFLA_BROADCAST, IFLA_MTU, IFLA_LINK, IFLA_QDISC,
                  IFLA_MASTER, IFLA_OPERSTATE, IFLA_LINKMODE, IFLA_TXQLEN, IFLA_PROMISCUITY,
                  IFLA_GROUP, IFLA_IFALIAS, IFLA_XDP, IFLA_PROP_LIST},
                 {}});
  for (const auto number : {AF_INET, AF_INET6}) {
    const auto family = static_cast<unsigned char>(number);
    all.push_back({RTM_GETADDR, family, sizeof(ifaddrmsg), {}, {IFA_CACHEINFO}});
    all.push_back({RTM_GETROUTE, family, sizeof(rtmsg), {}, {RTA_CACHEINFO}});
    all.push_back({RTM_GETRULE, family, sizeof(rtmsg), {}, {}});
    all.push_back({RTM_GETNEIGH, family, sizeof(ndmsg), {}, {NDA_CACHEINFO, NDA_PROBES}});
    all.push_back({RTM_GETNETCONF, family, sizeof(netconfmsg), {}, {}});
  }
  return all;
}

}  // namespace

Result<Done> prepare_network(int proc) {
  if (auto up = set_loopback(true); !up) return up;
  for (const auto& setting : kSettings) {
    if (auto set = write_file_at(proc, setting.file, setting.value); !set) return set;
  }
  return Done{};
}

Result<Network> make_network(int proc) {
  if (::unshare(CLONE_NEWNET) != 0) return fail(Error::from_errno("make a network namespace"));
  if (auto done = prepare_network(proc); !done) return fail(std::move(done.error()));
  Network made;
  {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    made.name.reset(socket ? ::ioctl(socket.get(), SIOCGSKNS) : -1);
    if (!made.name) return fail(Error::from_errno("open the network namespace"));
  }
  auto state = network_state(proc);
  if (!state) return fail(std::move(state.error()));
  made.state = std::move(*state);
  return made;
}

Result<Done> renew_network(const Network& network, int proc) {
  if (::setns(network.name.get(), CLONE_NEWNET) != 0)
    return fail(Error::from_errno("enter the network namespace"));
  // First: our own netlink sockets are counted for a moment (an RCU grace period) after they are
  // closed. Nobody can make one from here on.
  if (auto unused = check_sockets(proc); !unused) return unused;
  // With these go addresses, routes, what was learnt on them, and neighbours.
  if (auto gone = uplink::take_out(); !gone) return gone;
  if (auto down = set_loopback(false); !down) return down;
  if (auto up = set_loopback(true); !up) return up;
  const auto state = network_state(proc);
  if (!state) return fail(Error(state.error()));
  if (*state != network.state)
    return fail(ErrorCode::internal, "a network namespace is not what it was");
  return Done{};
}

Result<std::string> network_state(int proc) {
  std::string state;
  auto append = [&state](std::string_view text) {
    state += fmt::format("{}:", text.size());
    state += text;
  };
  for (const auto& list : lists()) {
    const auto entries = dump_routes(list);
    if (!entries) return fail(Error(entries.error()));
    append(std::to_string(entries->size()));
    for (const auto& entry : *entries) append(entry);
  }
  const auto tables = count_nftables();
  if (!tables) return fail(Error(tables.error()));
  append(std::to_string(*tables));
  for (const auto& setting : kSettings) {
    const auto value = read_file_at(proc, setting.file);
    if (!value) return fail(Error(value.error()));
    append(*value);
  }
  return state;
}

}  // namespace lambda::sandbox::native
