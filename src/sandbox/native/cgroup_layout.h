// Which cgroup hierarchies this machine has, and where in them our own parent cgroup may stand.
// Blocking, at lambda-spawn's start.
#pragma once

#include "base/result.h"
#include "sandbox/native/cgroups.h"

#include <string>
#include <vector>

namespace lambda::sandbox::native {

struct CgroupMount {
  bool v2 = false;
  std::string root;     // which cgroup of the hierarchy is mounted ("/", or a container's own)
  std::string path;     // where
  std::string options;  // of the super block: v1 controllers, separated by commas
};

// From the text of /proc/self/mountinfo. A hierarchy that is mounted several times (one mount over
// another, as containers in containers have it) is named once.
[[nodiscard]] std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

// The hierarchies to use, with `base` opened and ready to hold our parent cgroup. On pure v2 this
// moves lambda-spawn and lambdad into a leaf of their own cgroup where it was delegated to them.
// Errors: unavailable, with what is missing.
Result<std::vector<Hierarchy>> find_hierarchies();

}  // namespace lambda::sandbox::native
