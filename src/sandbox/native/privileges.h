// Giving up privileges for good: the last steps before a function's process is an ordinary one. In
// one place, because two programs take them: lambda-spawn's child, that becomes pid 1
// (sandbox_setup.cc), and the runtime that was forked from a zygote (zygote_module.cc).
//
// No memory is allocated and nothing is thrown: they are system calls in a row. Each function
// returns nullptr, or what failed, and errno says why.
#pragma once

#include <cstddef>
#include <linux/filter.h>
#include <sys/types.h>

namespace lambda::sandbox::native {

// The identity inside, as on AWS (sbx_user1051); base file systems have a passwd entry for it.
inline constexpr uid_t kInsideUid = 993;
inline constexpr gid_t kInsideGid = 990;

// Of this process: none (of the user namespace that it is in), or all that it may have.
const char* set_capabilities(bool all) noexcept;
// Becomes these, and keeps what capabilities it may have.
const char* change_ids(uid_t uid, gid_t gid) noexcept;
// Bounding set, securebits, and every capability.
const char* drop_capabilities() noexcept;
const char* forbid_new_privileges() noexcept;
// Needs no_new_privs, or a capability.
const char* install_filter(const sock_filter* filter, std::size_t count) noexcept;

}  // namespace lambda::sandbox::native
