// Steps: read the mounts -> pure v2 if its root offers memory and pids, else one v1 hierarchy per
// controller plus the v2 mount for freezing.
//
// Pure v2 knows two rules that shape this: a cgroup with processes cannot hand controllers to
// children ("no internal processes"), and only the owner of a subtree (systemd's Delegate=) may
// make cgroups in it. So: if our own cgroup holds nobody but lambdad and us, it is ours, and both
// move into a leaf; otherwise we work from the mount's root.
#include "sandbox/native/cgroup_layout.h"

#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/cgroup_mounts.h"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// Our own cgroup in the v2 hierarchy ("0::/path").
std::string own_v2_cgroup() {
  const auto text = read_file_at(AT_FDCWD, "/proc/self/cgroup");
  if (!text) return "/";
  for (const auto line : split(*text, '\n')) {
    if (line.starts_with("0::")) return std::string(line.substr(3));
  }
  return "/";
}

bool only_we_are_in(const std::string& directory) {
  const auto text = read_file_at(AT_FDCWD, directory + "/cgroup.procs");
  if (!text) return false;
  const auto lines = split(*text, '\n');
  return !lines.empty() && std::all_of(lines.begin(), lines.end(), [](std::string_view line) {
    const auto pid = static_cast<pid_t>(parse_number(line).value_or(0));
    return pid == ::getpid() || pid == ::getppid();
  });
}

Result<Done> move_all(const std::string& from, const std::string& to) {
  if (::mkdir(to.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(Error::from_errno("make " + to));
  const auto text = read_file_at(AT_FDCWD, from + "/cgroup.procs");
  if (!text) return fail(Error(text.error()));
  for (const auto line : split(*text, '\n')) {
    auto moved = write_file_at(AT_FDCWD, to + "/cgroup.procs", line);
    // Kernel threads and processes that just ended cannot be moved and need not be.
    if (!moved && line == std::to_string(::getpid())) return moved;
  }
  return Done{};
}

Result<Done> hand_down(const std::string& directory, bool cpu) {
  return write_file_at(AT_FDCWD, directory + "/cgroup.subtree_control",
                       cpu ? "+memory +pids +cpu" : "+memory +pids");
}

Result<Hierarchy> prepare_v2(const CgroupMount& mount) {
  std::string base = mount.path;
  const std::string own = own_v2_cgroup();
  bool delegated = false;
  if (own != "/" && !own.starts_with("/..") && only_we_are_in(mount.path + own)) {
    base = mount.path + own;
    delegated = true;
  }
  const auto controllers = read_file_at(AT_FDCWD, base + "/cgroup.controllers");
  if (!controllers) return fail(Error(controllers.error()));
  if (!has_word(*controllers, "memory") || !has_word(*controllers, "pids")) {
    return fail(ErrorCode::unavailable,
                "the cgroup {} offers no memory and pids controllers (it has \"{}\"): start the "
                "server as root, or as a systemd service with Delegate=yes",
                base, *controllers);
  }
  Hierarchy found;
  found.v2 = found.memory = found.pids = found.freezer = true;
  found.cpu = has_word(*controllers, "cpu");
  if (delegated) {
    if (auto moved = move_all(base, base + "/lambda-server"); !moved)
      return fail(std::move(moved.error()), "make room in the cgroup {}", base);
  }
  auto handed = hand_down(base, found.cpu);
  // The root of a container's cgroup namespace is an ordinary cgroup, with the container's
  // processes in it.
  if (!handed && !delegated && ::access((base + "/cgroup.type").c_str(), F_OK) == 0) {
    if (auto moved = move_all(base, base + "/lambda-outside"); !moved)
      return fail(std::move(moved.error()), "make room in the cgroup {}", base);
    handed = hand_down(base, found.cpu);
  }
  if (!handed) return fail(std::move(handed.error()), "hand controllers down in {}", base);
  found.base_path = base;
  found.base = open_directory(base);
  if (!found.base) return fail(Error::from_errno("open " + base));
  return found;
}

Result<std::vector<Hierarchy>> use_v1(const std::vector<CgroupMount>& mounts) {
  std::vector<Hierarchy> all;
  bool memory = false;
  bool pids = false;
  const bool v2 = std::any_of(mounts.begin(), mounts.end(), [](const auto& m) { return m.v2; });
  for (const auto& mount : mounts) {
    Hierarchy one;
    one.v2 = mount.v2;
    if (mount.v2) {
      one.freezer = true;
    } else {
      one.memory = has_word(mount.options, "memory", ',');
      one.cpu = has_word(mount.options, "cpu", ',');
      one.pids = has_word(mount.options, "pids", ',');
      one.freezer = !v2 && has_word(mount.options, "freezer", ',');
    }
    if (!one.memory && !one.cpu && !one.pids && !one.freezer) continue;
    memory = memory || one.memory;
    pids = pids || one.pids;
    one.base_path = mount.path;
    one.base = open_directory(mount.path);
    if (!one.base) return fail(Error::from_errno("open " + mount.path));
    all.push_back(std::move(one));
  }
  if (!memory || !pids) {
    return fail(ErrorCode::unavailable,
                "this machine has no cgroup controller for {}: mount "
                "cgroups at /sys/fs/cgroup, or use the Docker driver",
                memory ? "processes (pids)" : "memory");
  }
  return all;
}

}  // namespace

Result<std::vector<Hierarchy>> find_hierarchies() {
  const auto mountinfo = read_file_at(AT_FDCWD, "/proc/self/mountinfo");
  if (!mountinfo) return fail(Error(mountinfo.error()));
  const auto mounts = parse_cgroup_mounts(*mountinfo);
  if (mounts.empty()) {
    return fail(ErrorCode::unavailable,
                "no cgroups are mounted here (/sys/fs/cgroup): use the Docker driver");
  }
  for (const auto& mount : mounts) {
    if (!mount.v2) continue;
    const auto controllers = read_file_at(AT_FDCWD, mount.path + "/cgroup.controllers");
    if (!controllers || !has_word(*controllers, "memory")) continue;
    auto only = prepare_v2(mount);
    if (!only) return fail(std::move(only.error()));
    std::vector<Hierarchy> all;
    all.push_back(std::move(*only));
    return all;
  }
  return use_v1(mounts);
}

}  // namespace lambda::sandbox::native
