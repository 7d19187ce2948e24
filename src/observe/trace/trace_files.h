// TraceFiles: calls as lines of JSON in numbered files, <directory>/0000000001.jsonl, the oldest of
// which go when they are too many or too old. What a server that was killed had written is found
// again; a line that it did not end is skipped.
//
// Threads: one writes (write(), sweep()); read() on any, beside it. Not synced: power loss may cost
// the last seconds.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"

#include <boost/json.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::observe {

struct TraceFileLimits {
  std::uint64_t file_bytes = 4u << 20;
  std::uint64_t all_bytes = 64u << 20;
  std::chrono::seconds age{7 * 86'400};
};

class TraceFiles {
 public:
  // Errors: denied.
  static Result<TraceFiles> open(std::filesystem::path directory, TraceFileLimits limits);

  // Whole lines. The files never take more than the limit, but for one that is larger than all of
  // it. Errors: internal (a disk that is full).
  Result<Done> write(std::string_view lines);
  // Deletes what is too old at that time, and of the rest the oldest beyond the limit.
  void sweep(WallTime now);

  // The newest `limit` calls that `wanted` takes, newest first. `mark` stands in each of their
  // lines: the others are not parsed.
  [[nodiscard]] std::vector<boost::json::object> read(
      std::string_view mark, std::size_t limit,
      const std::function<bool(const boost::json::object&)>& wanted) const;

 private:
  TraceFiles(std::filesystem::path directory, TraceFileLimits limits);
  void make_room(std::uint64_t bytes);
  void remove(std::uint64_t number);
  [[nodiscard]] std::vector<std::uint64_t> numbers() const;  // ascending
  [[nodiscard]] std::filesystem::path path_of(std::uint64_t number) const;

  std::filesystem::path directory_;
  TraceFileLimits limits_;
  std::uint64_t current_ = 0;  // the file that is written
  std::uint64_t written_ = 0;  // bytes of it
};

}  // namespace lambda::observe
