#include "sandbox/native/cgroup_mounts.h"

#include "sandbox/native/cgroup_files.h"

#include <algorithm>
#include <utility>

namespace lambda::sandbox::native {

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  for (const auto line : split(mountinfo, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = split(line.substr(0, dash), ' ');
    const auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    if (after[0] != "cgroup" && after[0] != "cgroup2") continue;
    CgroupMount mount;
    mount.v2 = after[0] == "cgroup2";
    mount.root = before[3];
    mount.path = before[4];
    mount.options = after[2];
    const auto same_hierarchy = [&mount](const CgroupMount& other) {
      return mount.v2 ? other.v2 : !other.v2 && other.options == mount.options;
    };
    if (std::none_of(mounts.begin(), mounts.end(), same_hierarchy))
      mounts.push_back(std::move(mount));
  }
  return mounts;
}

}  // namespace lambda::sandbox::native
