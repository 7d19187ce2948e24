#include "sandbox/native/syscall_filter.h"

#include "base/unique_fd.h"
#include "sandbox/native/syscall_table.h"

#include <seccomp.h>

#include <memory>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lambda::sandbox::spawn {
namespace {

constexpr std::uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                          CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */;
// Families with a use in a function; packet, netlink's kin, vsock, alg and the rest are attack
// surface.
constexpr int kSocketFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// A rule about the call's first argument.
int add_compared(scmp_filter_ctx filter, std::uint32_t action, int call, scmp_compare how,
                 scmp_datum_t a, scmp_datum_t b) {
  scmp_arg_cmp comparison{};
  comparison.op = how;
  comparison.datum_a = a;
  comparison.datum_b = b;
  return seccomp_rule_add_array(filter, action, call, 1, &comparison);
}

int add_rules(scmp_filter_ctx filter) {
  for (const char* name : kAllowedCalls) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;  // newer than this libseccomp: stays ENOSYS
    const int added = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    if (added != 0) return added;
  }
  int added =
      add_compared(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0);
  for (std::uint64_t bit = 1; added == 0 && bit <= kNamespaceFlags; bit <<= 1) {
    if ((kNamespaceFlags & bit) == 0) continue;
    added =
        add_compared(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), SCMP_CMP_MASKED_EQ, bit, bit);
  }
  for (const int family : kSocketFamilies) {
    if (added != 0) break;
    added = add_compared(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), SCMP_CMP_EQ,
                         static_cast<scmp_datum_t>(family), 0);
  }
  return added;
}

}  // namespace

Result<std::vector<sock_filter>> make_syscall_filter() {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!filter) return fail(ErrorCode::internal, "make a seccomp filter: out of memory");
  // One comparison a level instead of one a call.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const int added = add_rules(filter.get());
  if (added != 0) return fail(Error::from_errno("add a rule to the seccomp filter", -added));
  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return fail(Error::from_errno("make a memory file"));
  const int exported = seccomp_export_bpf(filter.get(), file.get());
  if (exported != 0) return fail(Error::from_errno("export the seccomp filter", -exported));
  const auto size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size) {
    return fail(Error::from_errno("read the seccomp filter"));
  }
  return program;
}

}  // namespace lambda::sandbox::spawn
