#include "sandbox/native/privileges.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lambda::sandbox::native {

const char* set_capabilities(bool all) noexcept {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  __user_cap_data_struct data[2] = {};
  if (all) {
    if (::syscall(SYS_capget, &header, data) != 0) return "read capabilities";
    data[0].effective = data[0].permitted;
    data[1].effective = data[1].permitted;
  }
  if (::syscall(SYS_capset, &header, data) != 0) return "set capabilities";
  return nullptr;
}

const char* change_ids(uid_t uid, gid_t gid) noexcept {
  if (::prctl(PR_SET_KEEPCAPS, 1) != 0) return "keep capabilities";
  if (::setresgid(gid, gid, gid) != 0) return "set the gid";
  if (::setresuid(uid, uid, uid) != 0) return "set the uid";
  return set_capabilities(true);
}

const char* drop_capabilities() noexcept {
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability) == 0; ++capability) {
  }
  const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                             SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                             SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (::prctl(PR_SET_SECUREBITS, bits) != 0) return "lock securebits";
  return set_capabilities(false);
}

const char* forbid_new_privileges() noexcept {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? "set no_new_privs" : nullptr;
}

const char* install_filter(const sock_filter* filter, std::size_t count) noexcept {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(count);
  program.filter = const_cast<sock_filter*>(filter);
  const auto done = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
  return done != 0 ? "install the seccomp filter" : nullptr;
}

}  // namespace lambda::sandbox::native
