// Steps: a child becomes the owner, makes a user and a network namespace, and waits -> its ids are
// mapped, its namespaces opened -> into its network -> settings of that network -> the interface
// that leads out, which stays when whoever is behind it ends.
#include "sandbox/uplink/router_namespace.h"

#include "sandbox/uplink/link_pair.h"
#include "sandbox/uplink/netlink.h"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lambda::sandbox::uplink {
namespace {

struct Setting {
  const char* file;
  const char* value;
  bool needed;
};
// Of this namespace alone. Without IPv6 the last ones are not there.
constexpr Setting kSettings[] = {
    {"/proc/sys/net/ipv4/ip_forward", "1", true},
    {"/proc/sys/net/ipv4/conf/all/rp_filter", "1", true},
    {"/proc/sys/net/ipv4/conf/default/rp_filter", "1", true},
    {"/proc/sys/net/ipv4/conf/all/send_redirects", "0", true},
    {"/proc/sys/net/ipv4/conf/default/send_redirects", "0", true},
    {"/proc/sys/net/ipv4/conf/all/accept_redirects", "0", true},
    {"/proc/sys/net/ipv4/conf/default/accept_redirects", "0", true},
    // Every refusal is told.
    {"/proc/sys/net/ipv4/icmp_ratelimit", "0", true},
    {"/proc/sys/net/ipv6/icmp/ratelimit", "0", false},
    {"/proc/sys/net/ipv6/conf/all/accept_ra", "0", false},
    {"/proc/sys/net/ipv6/conf/default/accept_ra", "0", false},
    {"/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1", false},
    {"/proc/sys/net/ipv6/conf/all/forwarding", "1", false},
};

Result<Done> write_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(Error::from_errno("write " + path));
  return Done{};
}

// The user loses what root may; what it needs for a user namespace where those are not for
// everybody it keeps until then.
bool become(uid_t owner) {
  if (::setgroups(0, nullptr) != 0 || ::prctl(PR_SET_KEEPCAPS, 1) != 0) return false;
  if (::setresgid(owner, owner, owner) != 0 || ::setresuid(owner, owner, owner) != 0) return false;
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (auto& half : data) half.effective = half.permitted;
  return ::syscall(SYS_capset, &header, data) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

// Says whether it could, and holds the namespaces until it is told to go.
[[noreturn]] void hold_namespaces(uid_t owner, int say, int wait) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  char made = become(owner) && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 1 : 0;
  [[maybe_unused]] const auto said = ::write(say, &made, 1);
  [[maybe_unused]] const auto told = ::read(wait, &made, 1);
  ::_exit(0);
}

Result<Done> take_namespaces(pid_t holder, uid_t owner, RouterNamespace& router) {
  const auto process = fmt::format("/proc/{}/", holder);
  auto done = write_file(process + "setgroups", "deny");
  if (done) done = write_file(process + "uid_map", fmt::format("0 {} 1", owner));
  if (done) done = write_file(process + "gid_map", fmt::format("0 {} 1", owner));
  if (!done) return done;
  router.user.reset(::open((process + "ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!router.user) return fail(Error::from_errno("open a user namespace"));
  router.network.reset(::open((process + "ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  if (!router.network) return fail(Error::from_errno("open a network namespace"));
  return Done{};
}

Result<RouterNamespace> make_namespaces(uid_t owner) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(Error::from_errno("make a socket"));
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t holder = ::fork();
  if (holder < 0) return fail(Error::from_errno("make a process"));
  if (holder == 0) {
    ours.reset();
    hold_namespaces(owner, theirs.get(), theirs.get());
  }
  theirs.reset();
  char made = 0;
  RouterNamespace router;
  Result<Done> done = Done{};
  if (::read(ours.get(), &made, 1) != 1 || made == 0) {
    done = fail(ErrorCode::unavailable,
                "a user namespace with a network of its own cannot be made (is "
                "user.max_user_namespaces 0?)");
  } else {
    done = take_namespaces(holder, owner, router);
  }
  ours.reset();
  ::waitpid(holder, nullptr, 0);
  if (!done) return fail(std::move(done.error()));
  return router;
}

Result<std::uint32_t> make_way_out() {
  const UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tun) return fail(Error::from_errno("open /dev/net/tun (the kernel's module tun)"));
  ifreq request{};
  std::strcpy(request.ifr_name, kWayOut);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tun.get(), TUNSETIFF, &request) != 0)
    return fail(Error::from_errno("make an interface of /dev/net/tun"));
  if (::ioctl(tun.get(), TUNSETPERSIST, 1) != 0)
    return fail(Error::from_errno("keep an interface of /dev/net/tun"));
  return ::if_nametoindex(kWayOut);
}

struct End {
  const char* own;
  const char* next;
  unsigned char bits;
  int family;
};
// As the user-mode network has them.
constexpr End kEnds[] = {{"198.18.0.100", "198.18.0.2", 24, AF_INET},
                         {"fd00::100", "fd00::2", 64, AF_INET6}};

NetlinkMessages end_of(const End& end, std::uint32_t interface) {
  const std::size_t size = end.family == AF_INET ? 4 : 16;
  unsigned char own[16] = {};
  unsigned char next[16] = {};
  ::inet_pton(end.family, end.own, own);
  ::inet_pton(end.family, end.next, next);
  constexpr std::uint16_t flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
  NetlinkMessages messages;
  ifaddrmsg address{};
  address.ifa_family = static_cast<unsigned char>(end.family);
  address.ifa_prefixlen = end.bits;
  address.ifa_flags = IFA_F_NODAD;
  address.ifa_index = interface;
  messages.begin(RTM_NEWADDR, flags, address);
  messages.put(IFA_LOCAL, own, size);
  messages.put(IFA_ADDRESS, own, size);
  rtmsg route{};
  route.rtm_family = address.ifa_family;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  messages.begin(RTM_NEWROUTE, flags, route);
  messages.put(RTA_GATEWAY, next, size);
  messages.put_number(RTA_OIF, interface);
  return messages;
}

Result<Done> set_up_way_out(std::uint32_t interface) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return fail(std::move(socket.error()));
  ifinfomsg head{};
  head.ifi_index = static_cast<int>(interface);
  head.ifi_flags = IFF_UP;
  head.ifi_change = IFF_UP;
  NetlinkMessages up;
  up.begin(RTM_NEWLINK, NLM_F_ACK, head);
  up.put_number(IFLA_MTU, kMtu);
  auto done = socket->carry_out(up);
  for (const auto& end : kEnds) {
    constexpr int no_ipv6[] = {EAFNOSUPPORT, EOPNOTSUPP, EACCES, EINVAL, ENETUNREACH, EHOSTUNREACH};
    if (done && end.family == AF_INET) done = socket->carry_out(end_of(end, interface));
    if (done && end.family == AF_INET6) done = socket->carry_out(end_of(end, interface), no_ipv6);
  }
  return done;
}

}  // namespace

Result<RouterNamespace> enter_router_namespace(uid_t owner) {
  auto router = make_namespaces(owner);
  if (!router) return router;
  if (::setns(router->network.get(), CLONE_NEWNET) != 0)
    return fail(Error::from_errno("enter the network namespace of sandboxes' ways out"));
  for (const auto& [file, value, needed] : kSettings) {
    if (auto set = write_file(file, value); !set && needed) return fail(std::move(set.error()));
  }
  auto way_out = make_way_out();
  if (!way_out) return fail(std::move(way_out.error()));
  router->way_out = *way_out;
  if (auto done = set_up_way_out(*way_out); !done)
    return fail(std::move(done.error()), "set up the interface that leads out");
  return router;
}

}  // namespace lambda::sandbox::uplink
