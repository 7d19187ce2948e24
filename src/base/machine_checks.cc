#include "base/machine_checks.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace lambda {
namespace {

// clone3() into a cgroup came with 5.7, open_tree and move_mount with 5.2.
constexpr std::pair<int, int> kLeastKernel{5, 7};
constexpr std::uint64_t kLittleDisk = 1ull << 30;
constexpr std::uint64_t kNoDisk = 64ull << 20;
constexpr std::uint64_t kFewInodes = 10'000;

std::pair<int, int> kernel_version(const std::string& text) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(text.c_str(), "%d.%d", &major, &minor) != 2) return {0, 0};
  return {major, minor};
}

std::string bytes_text(std::uint64_t bytes) {
  return bytes < (10ull << 30) ? fmt::format("{} MB", bytes >> 20)
                               : fmt::format("{} GB", bytes >> 30);
}

// What the native driver cannot do without; another driver's functions do not feel it.
Health of_native(bool native) {
  return native ? Health::fail : Health::warn;
}

}  // namespace

Check kernel_check(const MachineFacts& machine, bool native) {
  Check check{"kernel", Health::ok, machine.kernel, "", ""};
  std::vector<std::string> missing;
  if (kernel_version(machine.kernel) < kLeastKernel)
    missing.push_back(
        fmt::format("version {}.{} or newer", kLeastKernel.first, kLeastKernel.second));
  if (!machine.seccomp) missing.emplace_back("seccomp filters (CONFIG_SECCOMP_FILTER)");
  if (machine.user_namespaces.value_or(0) == 0) missing.emplace_back("user namespaces");
  if (missing.empty()) {
    check.found += ", with user namespaces and seccomp";
    return check;
  }
  check.health = of_native(native);
  check.meaning = fmt::format("The native driver needs {}.", fmt::join(missing, " and "));
  if (machine.user_namespaces.value_or(0) == 0)
    check.mend = "sudo sysctl -w user.max_user_namespaces=65536";
  return check;
}

Check cgroups_check(const MachineFacts& machine, bool native) {
  std::vector<std::string> missing;
  for (const char* name : {"memory", "pids", "cpu"}) {
    if (std::ranges::find(machine.controllers, name) == machine.controllers.end())
      missing.emplace_back(name);
  }
  Check check{"cgroups", Health::ok, machine.cgroup_v2 ? "v2" : "v1", "", ""};
  check.found += fmt::format(", controllers: {}", fmt::join(machine.controllers, " "));
  if (missing.empty()) return check;
  const bool of_cpu_alone = missing.size() == 1 && missing.front() == "cpu";
  check.health = of_cpu_alone ? Health::warn : of_native(native);
  check.meaning =
      fmt::format("Nothing limits what functions use of: {}.", fmt::join(missing, ", "));
  check.mend =
      machine.cgroup_v2
          ? "boot without cgroup_disable= on the kernel's command line; a container needs them "
            "from its host"
          : "add cgroup_enable=memory swapaccount=1 to the kernel's command line, and boot";
  return check;
}

Check disk_check(const DiskFacts& disk) {
  Check check{"disk", Health::ok,
              fmt::format("{} free of {} at {}", bytes_text(disk.free_bytes),
                          bytes_text(disk.all_bytes), disk.path),
              "", ""};
  const bool few_inodes = disk.all_inodes != 0 && disk.free_inodes < kFewInodes;
  if (!disk.problem.empty()) {
    check.health = Health::fail;
    check.meaning = fmt::format(
        "Nothing can be written there ({}): no deploy and no event is accepted.", disk.problem);
    check.mend = fmt::format("df -h {0}; mount | grep -w ro", disk.path);
  } else if (disk.free_bytes < kLittleDisk || few_inodes) {
    check.health = disk.free_bytes < kNoDisk ? Health::fail : Health::warn;
    check.meaning = few_inodes ? fmt::format("Only {} more files fit.", disk.free_inodes)
                               : "Deploys and events will soon be refused.";
    check.mend = fmt::format("sudo du -xh --max-depth=2 {} | sort -h | tail", disk.path);
  }
  return check;
}

Check clock_check(const MachineFacts& machine) {
  Check check{"clock", Health::ok, "synchronised", "", ""};
  if (!machine.clock_kept) {
    check.found = "the kernel does not say whether it is synchronised";
  } else if (*machine.clock_kept) {
    check.found +=
        fmt::format(", to {} ms", std::max<std::int64_t>(1, machine.clock_error_us / 1000));
  } else {
    check.health = Health::warn;
    check.found = "not synchronised";
    check.meaning =
        "It drifts: schedules fire early or late, and signed requests are refused in the end.";
    check.mend = "sudo apt-get install systemd-timesyncd && sudo timedatectl set-ntp true";
  }
  return check;
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::warn:
      return "warn";
    case Health::fail:
      return "fail";
  }
  return "";
}

}  // namespace lambda
