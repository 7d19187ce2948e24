// Where hierarchies of cgroups are mounted. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
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

}  // namespace lambda::sandbox::native
