// The control groups of sandboxes, on pure cgroup v2 (with systemd's delegation) and on the hybrid
// layout with v1 controllers. Used by lambda-spawn: root, one thread, blocking.
//
// All sandboxes stand below one group of this server, <own group>/lambda-<server id>/, so that what
// a killed server left can be found and removed. A sandbox's groups are made for it and never used
// again (memory.peak cannot be reset).
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::spawn {

struct Limits {
  std::uint64_t memory_bytes = 0;  // the kernel's limit: memory and /tmp together
  std::uint64_t share_bytes = 0;   // CPU weight in proportion to this memory
  std::uint32_t processes = 0;
};

class Cgroup;

class CgroupTree {
 public:
  // Finds out what this machine has, makes the server's group, and removes what a killed server
  // left in it. Errors: unavailable, with what is missing.
  static Result<CgroupTree> open(std::string server_id);

  Result<Cgroup> make(std::string_view id, const Limits& limits) const;
  // Removes the server's own groups; sandboxes must be gone.
  void remove();
  [[nodiscard]] std::string description() const;

 private:
  friend class Cgroup;
  // v2: one directory for everything. Hybrid: one a controller, and `freezer` where cgroup.freeze
  // or freezer.state is.
  bool pure_v2_ = false;
  bool v2_freezer_ = false;
  std::string memory_;
  std::string cpu_;
  std::string pids_;
  std::string freezer_;
  Result<Done> prepare_v2(const std::string& own);
  [[nodiscard]] std::vector<std::string> bases() const;
};

// One sandbox's groups. Removed by remove(), which wants its processes gone.
class Cgroup {
 public:
  Result<Done> attach(int pid) const;
  // False while something of it still has to go; call again.
  bool remove();
  Result<Done> set_frozen(bool frozen) const;
  [[nodiscard]] std::uint64_t memory_in_use() const;
  // Memory that is the processes' own: not /tmp, not caches.
  [[nodiscard]] std::uint64_t own_memory() const;
  [[nodiscard]] UniqueFd open_peak() const;
  [[nodiscard]] UniqueFd open_oom_counter() const;

 private:
  friend class CgroupTree;
  const CgroupTree* tree_ = nullptr;
  std::string name_;
  UniqueFd usage_;
  UniqueFd stat_;
};

}  // namespace lambda::sandbox::spawn
