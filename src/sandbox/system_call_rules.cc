#include "sandbox/system_call_rules.h"

#include "sandbox/system_calls.h"

#include <cerrno>
#include <linux/btrfs.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>

namespace lambda::sandbox {
namespace {

using Rules = std::vector<SystemCallRule>;
using Arguments = std::vector<ArgumentIs>;

ArgumentIs is(unsigned index, std::uint64_t value) {
  return {index, Comparison::equal, value, 0};
}

ArgumentIs has(unsigned index, std::uint64_t mask, std::uint64_t value) {
  return {index, Comparison::masked_equal, value, mask};
}

void allow(Rules& rules, const char* name, Arguments arguments = {}) {
  rules.push_back({name, SystemCallRule::kMade, std::move(arguments)});
}

void refuse(Rules& rules, const char* name, int error, Arguments arguments = {}) {
  rules.push_back({name, error, std::move(arguments)});
}

// Processes and threads, but no namespaces.
void add_clone(Rules& rules) {
  // CLONE_NEWTIME lies among the bits of the exit signal: no signal has that number.
  constexpr std::uint64_t kFlags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                      CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
  std::uint64_t all = 0;
  for (const auto flag : kFlags) all |= flag;
  allow(rules, "clone", {has(0, all, 0)});
  for (const auto flag : kFlags) refuse(rules, "clone", EPERM, {has(0, flag, flag)});
}

// TCP and UDP; a raw socket is refused as the kernel would. Asking for any other protocol makes the
// kernel load its module (SCTP, DCCP, ...): not for functions, whose default (ENOSYS) it is.
void add_internet(Rules& rules, std::uint64_t family) {
  struct Kind {
    std::uint64_t type;
    std::uint64_t protocol;
  };
  constexpr std::uint64_t kTypeMask = 0xf;  // less SOCK_CLOEXEC and SOCK_NONBLOCK
  for (const auto& kind : {Kind{SOCK_STREAM, 0}, Kind{SOCK_STREAM, IPPROTO_TCP},
                           Kind{SOCK_DGRAM, 0}, Kind{SOCK_DGRAM, IPPROTO_UDP}}) {
    allow(rules, "socket", {is(0, family), has(1, kTypeMask, kind.type), is(2, kind.protocol)});
  }
  refuse(rules, "socket", EPERM, {is(0, family), has(1, kTypeMask, SOCK_RAW)});
}

// Local, IPv4, IPv6, and the netlink protocol that lists interfaces. AF_VSOCK reaches the
// hypervisor and AF_ALG the kernel's crypto from any network namespace.
void add_socket(Rules& rules) {
  allow(rules, "socket", {is(0, AF_UNIX)});
  // Of another family it would load that family's module (TIPC has pairs).
  allow(rules, "socketpair", {is(0, AF_UNIX)});
  add_internet(rules, AF_INET);
  add_internet(rules, AF_INET6);
  allow(rules, "socket", {is(0, AF_NETLINK), is(2, NETLINK_ROUTE)});
  for (const unsigned family : {3u, 4u, 5u, 9u})
    refuse(rules, "socket", EAFNOSUPPORT, {is(0, family)});
  refuse(rules, "socket", EAFNOSUPPORT, {{0, Comparison::greater, AF_NETLINK, 0}});
}

// Huge pages come out of a pool of the machine's that no memory limit counts.
void add_memory(Rules& rules) {
  struct Call {
    const char* name;
    unsigned argument;
    std::uint64_t huge;
    int refusal;
  };
  for (const auto& call :
       {Call{"mmap", 3, MAP_HUGETLB, ENOMEM}, Call{"memfd_create", 1, MFD_HUGETLB, ENODEV},
        Call{"shmget", 2, SHM_HUGETLB, EPERM}}) {
    allow(rules, call.name, {has(call.argument, call.huge, 0)});
    refuse(rules, call.name, call.refusal, {has(call.argument, call.huge, call.huge)});
  }
}

// Everything but the limit of core files, which lambda-init has set for good; whoever changes it is
// told that it went well: there will be no core file, and some programs insist on that.
void add_limits(Rules& rules) {
  for (std::uint64_t resource = 0; resource < RLIM_NLIMITS; ++resource) {
    if (resource == RLIMIT_CORE) continue;
    allow(rules, "setrlimit", {is(0, resource)});
    allow(rules, "prlimit64", {is(1, resource)});
  }
  allow(rules, "prlimit64", {is(1, RLIMIT_CORE), is(2, 0)});
  refuse(rules, "prlimit64", 0, {is(1, RLIMIT_CORE), {2, Comparison::not_equal, 0, 0}});
  refuse(rules, "setrlimit", 0, {is(0, RLIMIT_CORE)});
}

// Functions write to memory alone, so there is nothing to write out. What these do to the files
// that they can only read is make the machine write out its own: a commit of the journal of the
// file system that /usr and /var/task lie on, or all there is.
void add_sync(Rules& rules) {
  for (const char* name :
       {"sync", "syncfs", "fsync", "fdatasync", "sync_file_range", "sync_file_range2"})
    refuse(rules, name, 0);
  // Without MS_SYNC it writes nothing, and some ask with it whether memory is mapped.
  refuse(rules, "msync", 0, {has(2, MS_SYNC, MS_SYNC)});
  allow(rules, "msync", {has(2, MS_SYNC, 0)});
}

// All but those of btrfs, some of which (BTRFS_IOC_SYNC) make it write out everything for whoever
// may read one of its files. Cloning parts of files is numbered among them; where a file system
// cannot do that the answer is the same.
void add_ioctl(Rules& rules) {
  constexpr std::uint64_t kBtrfs = std::uint64_t{BTRFS_IOCTL_MAGIC} << _IOC_TYPESHIFT;
  constexpr std::uint64_t kType = std::uint64_t{_IOC_TYPEMASK} << _IOC_TYPESHIFT;
  refuse(rules, "ioctl", EOPNOTSUPP, {has(1, kType, kBtrfs)});
  // Another type is one that differs in some bit.
  for (std::uint64_t bit = 1ull << _IOC_TYPESHIFT; (bit & kType) != 0; bit <<= 1)
    allow(rules, "ioctl", {has(1, bit, ~kBtrfs & bit)});
}

// Asking, and the standard one.
void add_personality(Rules& rules) {
  for (const std::uint64_t value :
       {std::uint64_t{PER_LINUX}, std::uint64_t{0xffffffff}, std::uint64_t{ADDR_NO_RANDOMIZE}})
    allow(rules, "personality", {is(0, value)});
}

}  // namespace

std::vector<SystemCallRule> system_call_rules() {
  Rules rules;
  for (const char* name : kAllowedCalls) allow(rules, name);
  add_clone(rules);
  add_socket(rules);
  add_memory(rules);
  add_limits(rules);
  add_sync(rules);
  add_ioctl(rules);
  add_personality(rules);
  return rules;
}

}  // namespace lambda::sandbox
