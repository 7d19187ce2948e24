// CgroupStock: cgroups that were made ahead, each for one sandbox: a used one is never taken again
// (what it counted, memory.peak among it, cannot be set back).
// Threads: lambda-spawn's only one.
#pragma once

#include "base/result.h"
#include "sandbox/native/cgroups.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace lambda::sandbox::native {

class CgroupStock {
 public:
  CgroupStock(const Cgroups& cgroups, std::size_t most) : cgroups_(cgroups), most_(most) {}

  // One for the sandbox of this id, with these limits: of those that wait, or a new one.
  Result<Cgroup> take(const std::string& id, const CgroupLimits& limits);
  [[nodiscard]] bool lacks() const { return ready_.size() < most_; }
  // When make_one() has something to do although nothing happened; nothing where none lacks.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> next_look() const {
    return lacks() ? std::optional(not_before_) : std::nullopt;
  }
  // Makes one more. False: it cannot, or none lacks.
  bool make_one();
  // Removes those that wait, and makes none any more.
  void clear();

 private:
  std::string next_name();

  const Cgroups& cgroups_;
  std::size_t most_;
  std::deque<Cgroup> ready_;
  std::uint64_t last_ = 0;
  std::chrono::steady_clock::time_point not_before_{};  // one could not be made
};

}  // namespace lambda::sandbox::native
