// What becomes of a function's system calls, in sandboxes of both back ends: the native one makes a
// filter of it (native/seccomp_filter.cc), the Docker one a profile for the Engine
// (docker/seccomp_profile.cc). What no rule is about does not exist: ENOSYS.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

namespace lambda::sandbox {

enum class Comparison { equal, not_equal, greater, masked_equal };

struct ArgumentIs {
  unsigned index = 0;
  Comparison comparison = Comparison::equal;
  std::uint64_t value = 0;
  std::uint64_t mask = 0;  // of masked_equal
};

struct SystemCallRule {
  static constexpr int kMade = -1;

  const char* name = "";
  int answer = kMade;                 // or the error that it ends with; 0: as if it had gone well
  std::vector<ArgumentIs> arguments;  // all of them hold; of an index at most one
};

// No two rules of a call with different answers hold for the same arguments.
std::vector<SystemCallRule> system_call_rules();

}  // namespace lambda::sandbox
