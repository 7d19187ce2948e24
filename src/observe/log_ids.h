// The ids of lines: each is greater than every one that this or an earlier run of the server has
// given, also where it was shown to somebody and then lost with a killed server. A file holds a
// number that no id has reached yet; it is raised long before they do.
//
// Threads: wants_more() on any; extend() on one.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"

#include <atomic>
#include <cstdint>
#include <filesystem>

namespace lambda::observe {

class LogIds {
 public:
  // Starts after what the file says, and after `now` in microseconds: where the file is lost, or
  // cannot be written, the time alone keeps ids apart.
  LogIds(std::filesystem::path file, WallTime now);

  // Ids of this run are greater.
  [[nodiscard]] std::uint64_t base() const { return base_; }
  [[nodiscard]] bool wants_more(std::uint64_t id) const;
  // Writes the file, synced. Errors: internal (read-only, full).
  Result<Done> extend(std::uint64_t id);

 private:
  std::filesystem::path file_;
  std::uint64_t base_;
  std::atomic<std::uint64_t> reserved_;
};

}  // namespace lambda::observe
