// Cgroups: the parent cgroup of all sandboxes of this server, and one below it for each sandbox,
// on pure cgroup v2 and on the hybrid layout (limits from v1 controllers; freezing and killing
// through the v2 mount where there is one).
//
//   <hierarchy>/lambda-<server>/            budget of memory and processes for all functions
//   <hierarchy>/lambda-<server>/sandbox-N/  one sandbox, or made ahead for one (cgroup_stock.h)
//
// Memory. /tmp is a tmpfs, and its pages are charged to the process that writes them; no kernel can
// charge them elsewhere. So the kernel's hard limit of a sandbox is memory + /tmp + a little, and
// what the function itself holds (anonymous and shared memory less what lies in /tmp) is compared
// with its own limit by looking: usage below the limit needs no second look, so an idle sandbox
// costs one pread a tick.
//
// Threads: lambda-spawn has one. Descriptors stay valid when the mounts they came from leave the
// mount namespace.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::native {

struct CgroupBudget {
  std::uint64_t memory_bytes = 0;  // 0: 90 % of the machine's
  std::uint64_t processes = 0;     // 0: 80 % of pid_max
};

enum class CpuWeight {
  by_memory,
  least,  // of a stem: the CPU that nobody else wants
  // While a sandbox is set up: that holds locks of the kernel's which others wait for.
  whole_cpu
};

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;
  std::uint64_t tmp_bytes = 0;
  std::uint64_t processes = 0;
  CpuWeight cpu = CpuWeight::by_memory;
};

// One hierarchy that we use, by the parent directory made in it.
struct Hierarchy {
  bool v2 = false;
  bool memory = false;
  bool cpu = false;
  bool pids = false;
  bool freezer = false;
  std::string base_path;  // where the parent stands: for removing it
  UniqueFd base;
  std::string path;  // of the parent
  UniqueFd parent;
};

class Cgroups;

// One sandbox's. Removing is explicit; the destructor leaves the directories alone.
class Cgroup {
 public:
  Cgroup() = default;
  // `tasks` of each v1 hierarchy: the child, which has one thread, writes "0" to enter. Through
  // cgroup.procs the kernel first waits for an RCU grace period (16 ms on 6.18), lest threads come
  // and go meanwhile.
  [[nodiscard]] const std::vector<UniqueFd>& entries() const { return entries_; }
  void close_entries() { entries_.clear(); }
  // The v2 directory, for CLONE_INTO_CGROUP; -1 where there is none.
  [[nodiscard]] int clone_into() const { return directory_.get(); }
  void close_clone_into() { directory_.reset(); }
  [[nodiscard]] const std::string& memory_path() const { return memory_path_; }

  // Everything charged, page cache and /tmp included. 0 when it cannot be read.
  [[nodiscard]] std::uint64_t charged() const;
  // Anonymous and shared memory (with /tmp).
  [[nodiscard]] std::uint64_t held() const;
  [[nodiscard]] bool kernel_killed_for_memory() const;
  // Which sandbox it is, for people and tests: the attribute trusted.lambda.sandbox of its
  // directories.
  void mark(const std::string& id) const;
  Result<Done> set_limits(const CgroupLimits& limits) const;
  // The weight alone.
  Result<Done> set_cpu(const CgroupLimits& limits) const;
  // At most so many thousandths of a CPU, of every 100 ms; nothing: as many as there are. Errors:
  // unsupported (this kernel has no such limit).
  Result<Done> set_cpu_quota(std::optional<unsigned> thousandths) const;
  Result<Done> set_frozen(bool frozen) const;
  // Of one that was set to frozen: whether all its processes have come to a halt.
  [[nodiscard]] bool stands_still() const;
  // False: still busy, try again soon.
  [[nodiscard]] bool remove();

 private:
  friend class Cgroups;
  const Cgroups* all_ = nullptr;
  std::string name_;
  std::vector<UniqueFd> entries_;
  UniqueFd directory_;
  UniqueFd usage_;
  std::string memory_path_;
};

class Cgroups {
 public:
  // Finds the hierarchies, makes the parent `name` in each and sets the budget.
  // Errors: unavailable, with what is missing.
  static Result<Cgroups> open(const std::string& name, const CgroupBudget& budget);

  // Without limits yet, and with the weight of a whole CPU.
  Result<Cgroup> make(const std::string& name) const;
  // Kills and removes every cgroup below the parent: what a killed lambda-spawn left.
  void reap() const;
  // Removes the parent itself.
  void remove_parent();
  // "cgroup v2 at /sys/fs/cgroup", "cgroup v1 (memory, cpu, pids), frozen through v2"
  [[nodiscard]] std::string description() const;

 private:
  friend class Cgroup;
  std::vector<Hierarchy> hierarchies_;
  [[nodiscard]] const Hierarchy* with_memory() const;
  [[nodiscard]] const Hierarchy* with_freezer() const;
};

}  // namespace lambda::sandbox::native
