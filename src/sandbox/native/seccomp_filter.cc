#include "sandbox/native/seccomp_filter.h"

#include "base/unique_fd.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/syscall_table.h"

#include <seccomp.h>

#include <cstring>
#include <linux/btrfs.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <memory>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

using Context = std::unique_ptr<void, decltype(&::seccomp_release)>;

constexpr std::uint64_t kNamespaceFlags[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                             CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                             CLONE_NEWNET, CLONE_NEWTIME};

Error compile_error(const std::string& what, int result) {
  return Error::from_errno("compile the seccomp filter: " + what, -result);
}

// A rule with up to two conditions on arguments.
Result<Done> add(const Context& context, std::uint32_t action, const char* name,
                 const std::vector<scmp_arg_cmp>& conditions = {}) {
  const int number = ::seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return Done{};  // newer than this libseccomp
  const int result = ::seccomp_rule_add_array(
      context.get(), action, number, static_cast<unsigned>(conditions.size()), conditions.data());
  // -EDOM: not on this architecture.
  if (result != 0 && result != -EDOM) return fail(compile_error(name, result));
  return Done{};
}

// Processes and threads, but no namespaces.
Result<Done> add_clone(const Context& context) {
  std::uint64_t all = 0;
  for (const auto flag : kNamespaceFlags) {
    // CLONE_NEWTIME lies among the bits of the exit signal: no signal has that number.
    if (flag != CLONE_NEWTIME) all |= flag;
  }
  auto added = add(context, SCMP_ACT_ALLOW, "clone", {{0, SCMP_CMP_MASKED_EQ, all, 0}});
  for (const auto flag : kNamespaceFlags) {
    if (!added || flag == CLONE_NEWTIME) continue;
    added = add(context, SCMP_ACT_ERRNO(EPERM), "clone", {{0, SCMP_CMP_MASKED_EQ, flag, flag}});
  }
  return added;
}

// TCP and UDP; a raw socket is refused as the kernel would. Asking for any other protocol makes the
// kernel load its module (SCTP, DCCP, ...): not for functions, whose default (ENOSYS) it is.
Result<Done> add_internet(const Context& context, std::uint64_t family) {
  struct Kind {
    std::uint64_t type;
    std::uint64_t protocol;
  };
  constexpr std::uint64_t kTypeMask = 0xf;  // less SOCK_CLOEXEC and SOCK_NONBLOCK
  for (const auto& kind : {Kind{SOCK_STREAM, 0}, Kind{SOCK_STREAM, IPPROTO_TCP},
                           Kind{SOCK_DGRAM, 0}, Kind{SOCK_DGRAM, IPPROTO_UDP}}) {
    auto added = add(context, SCMP_ACT_ALLOW, "socket",
                     {{0, SCMP_CMP_EQ, family, 0},
                      {1, SCMP_CMP_MASKED_EQ, kTypeMask, kind.type},
                      {2, SCMP_CMP_EQ, kind.protocol, 0}});
    if (!added) return added;
  }
  return add(context, SCMP_ACT_ERRNO(EPERM), "socket",
             {{0, SCMP_CMP_EQ, family, 0}, {1, SCMP_CMP_MASKED_EQ, kTypeMask, SOCK_RAW}});
}

// Local, IPv4, IPv6, and the netlink protocol that lists interfaces. AF_VSOCK reaches the
// hypervisor and AF_ALG the kernel's crypto from any network namespace.
Result<Done> add_socket(const Context& context) {
  auto added = add(context, SCMP_ACT_ALLOW, "socket", {{0, SCMP_CMP_EQ, AF_UNIX, 0}});
  // Of another family it would load that family's module (TIPC has pairs).
  if (added) added = add(context, SCMP_ACT_ALLOW, "socketpair", {{0, SCMP_CMP_EQ, AF_UNIX, 0}});
  for (const std::uint64_t family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    if (added) added = add_internet(context, family);
  }
  if (!added) return added;
  added = add(context, SCMP_ACT_ALLOW, "socket",
              {{0, SCMP_CMP_EQ, AF_NETLINK, 0}, {2, SCMP_CMP_EQ, NETLINK_ROUTE, 0}});
  for (const int family : {3, 4, 5, 9}) {
    if (!added) return added;
    added = add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket",
                {{0, SCMP_CMP_EQ, static_cast<std::uint64_t>(family), 0}});
  }
  if (!added) return added;
  return add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", {{0, SCMP_CMP_GT, AF_NETLINK, 0}});
}

// Huge pages come out of a pool of the machine's that no memory limit counts.
Result<Done> add_memory(const Context& context) {
  struct Call {
    const char* name;
    unsigned argument;
    std::uint64_t huge;
    std::uint32_t refusal;
  };
  for (const auto& call :
       {Call{"mmap", 3, MAP_HUGETLB, ENOMEM}, Call{"memfd_create", 1, MFD_HUGETLB, ENODEV},
        Call{"shmget", 2, SHM_HUGETLB, EPERM}}) {
    auto added = add(context, SCMP_ACT_ALLOW, call.name,
                     {{call.argument, SCMP_CMP_MASKED_EQ, call.huge, 0}});
    if (added) {
      added = add(context, SCMP_ACT_ERRNO(call.refusal), call.name,
                  {{call.argument, SCMP_CMP_MASKED_EQ, call.huge, call.huge}});
    }
    if (!added) return added;
  }
  return Done{};
}

// Everything but the limit of core files, which lambda-init has set for good; whoever changes it is
// told that it went well: there will be no core file, and some programs insist on that.
Result<Done> add_limits(const Context& context) {
  Result<Done> added = Done{};
  for (std::uint64_t resource = 0; resource < RLIM_NLIMITS; ++resource) {
    if (resource == RLIMIT_CORE) continue;
    if (added) added = add(context, SCMP_ACT_ALLOW, "setrlimit", {{0, SCMP_CMP_EQ, resource, 0}});
    if (added) added = add(context, SCMP_ACT_ALLOW, "prlimit64", {{1, SCMP_CMP_EQ, resource, 0}});
  }
  const scmp_arg_cmp core{1, SCMP_CMP_EQ, RLIMIT_CORE, 0};
  if (added) added = add(context, SCMP_ACT_ALLOW, "prlimit64", {core, {2, SCMP_CMP_EQ, 0, 0}});
  if (added) added = add(context, SCMP_ACT_ERRNO(0), "prlimit64", {core, {2, SCMP_CMP_NE, 0, 0}});
  if (added)
    added = add(context, SCMP_ACT_ERRNO(0), "setrlimit", {{0, SCMP_CMP_EQ, RLIMIT_CORE, 0}});
  return added;
}

// Functions write to memory alone, so there is nothing to write out. What these do to the files
// that they can only read is make the machine write out its own: a commit of the journal of the
// file system that /usr and /var/task lie on, or all there is.
Result<Done> add_sync(const Context& context) {
  Result<Done> added = Done{};
  for (const char* name :
       {"sync", "syncfs", "fsync", "fdatasync", "sync_file_range", "sync_file_range2"}) {
    if (added) added = add(context, SCMP_ACT_ERRNO(0), name);
  }
  // Without MS_SYNC it writes nothing, and some ask with it whether memory is mapped.
  if (added)
    added = add(context, SCMP_ACT_ERRNO(0), "msync", {{2, SCMP_CMP_MASKED_EQ, MS_SYNC, MS_SYNC}});
  if (added) added = add(context, SCMP_ACT_ALLOW, "msync", {{2, SCMP_CMP_MASKED_EQ, MS_SYNC, 0}});
  return added;
}

// All but those of btrfs, some of which (BTRFS_IOC_SYNC) make it write out everything for whoever
// may read one of its files. Cloning parts of files is numbered among them; where a file system
// cannot do that the answer is the same.
Result<Done> add_ioctl(const Context& context) {
  constexpr std::uint64_t kBtrfs = std::uint64_t{BTRFS_IOCTL_MAGIC} << _IOC_TYPESHIFT;
  constexpr std::uint64_t kType = std::uint64_t{_IOC_TYPEMASK} << _IOC_TYPESHIFT;
  auto added =
      add(context, SCMP_ACT_ERRNO(EOPNOTSUPP), "ioctl", {{1, SCMP_CMP_MASKED_EQ, kType, kBtrfs}});
  // Another type is one that differs in some bit.
  for (std::uint64_t bit = 1ull << _IOC_TYPESHIFT; (bit & kType) != 0; bit <<= 1) {
    if (added)
      added = add(context, SCMP_ACT_ALLOW, "ioctl", {{1, SCMP_CMP_MASKED_EQ, bit, ~kBtrfs & bit}});
  }
  return added;
}

// Asking, and the standard one.
Result<Done> add_personality(const Context& context) {
  for (const std::uint64_t value :
       {std::uint64_t{PER_LINUX}, std::uint64_t{0xffffffff}, std::uint64_t{ADDR_NO_RANDOMIZE}}) {
    auto added = add(context, SCMP_ACT_ALLOW, "personality", {{0, SCMP_CMP_EQ, value, 0}});
    if (!added) return added;
  }
  return Done{};
}

Result<SeccompFilter> exported(const Context& context) {
  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return fail(Error::from_errno("make room for the seccomp filter"));
  if (const int result = ::seccomp_export_bpf(context.get(), file.get()); result != 0)
    return fail(compile_error("export", result));
  const auto bytes = read_again(file.get());
  if (!bytes) return fail(Error(bytes.error()));
  SeccompFilter filter(bytes->size() / sizeof(sock_filter));
  std::memcpy(filter.data(), bytes->data(), filter.size() * sizeof(sock_filter));
  return filter;
}

}  // namespace

Result<SeccompFilter> compile_seccomp_filter() {
  const Context context(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), &::seccomp_release);
  if (!context) return fail(ErrorCode::unavailable, "libseccomp cannot make a filter here");
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  // A binary tree instead of one comparison after the other: 9 steps instead of up to 300.
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const char* name : kAllowedCalls) {
    if (auto added = add(context, SCMP_ACT_ALLOW, name); !added)
      return fail(std::move(added.error()));
  }
  for (const auto part :
       {add_clone, add_socket, add_memory, add_limits, add_sync, add_ioctl, add_personality}) {
    if (auto added = part(context); !added) return fail(std::move(added.error()));
  }
  return exported(context);
}

Result<Done> install(const SeccompFilter& filter) {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size());
  program.filter = const_cast<sock_filter*>(filter.data());
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    return fail(Error::from_errno("install the seccomp filter"));
  return Done{};
}

}  // namespace lambda::sandbox::native
