#include "sandbox/native/seccomp_filter.h"

#include "base/unique_fd.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/syscall_table.h"

#include <seccomp.h>

#include <cstring>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <memory>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
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

// Local, IPv4, IPv6, and the netlink protocol that lists interfaces. AF_VSOCK reaches the
// hypervisor and AF_ALG the kernel's crypto from any network namespace.
Result<Done> add_socket(const Context& context) {
  for (const int family : {AF_UNIX, AF_INET, AF_INET6}) {
    auto added = add(context, SCMP_ACT_ALLOW, "socket",
                     {{0, SCMP_CMP_EQ, static_cast<std::uint64_t>(family), 0}});
    if (!added) return added;
  }
  auto added = add(context, SCMP_ACT_ALLOW, "socket",
                   {{0, SCMP_CMP_EQ, AF_NETLINK, 0}, {2, SCMP_CMP_EQ, NETLINK_ROUTE, 0}});
  for (const int family : {3, 4, 5, 9}) {
    if (!added) return added;
    added = add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket",
                {{0, SCMP_CMP_EQ, static_cast<std::uint64_t>(family), 0}});
  }
  if (!added) return added;
  return add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", {{0, SCMP_CMP_GT, AF_NETLINK, 0}});
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
  for (const auto part : {add_clone, add_socket, add_personality}) {
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
