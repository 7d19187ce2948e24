// Of what functions need of a machine, whether it is well, what that means, and how to mend it: for
// `lambda doctor`, with a server and without one. Pure; any thread.
#pragma once

#include "base/machine_facts.h"

#include <string>
#include <string_view>

namespace lambda {

enum class Health { ok, warn, fail };
[[nodiscard]] std::string_view to_string(Health health);

struct Check {
  std::string name;
  Health health = Health::ok;
  std::string found;
  std::string meaning;  // "" where all is well
  std::string mend;     // what to type, or ""
};

// `native`: functions run natively where they do not choose.
[[nodiscard]] Check kernel_check(const MachineFacts& machine, bool native);
[[nodiscard]] Check cgroups_check(const MachineFacts& machine, bool native);
[[nodiscard]] Check disk_check(const DiskFacts& disk);
[[nodiscard]] Check clock_check(const MachineFacts& machine);

}  // namespace lambda
