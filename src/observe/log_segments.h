// The log lines of functions in files: <directory>/<function>/<number>.jsonl, one JSON object a
// line, oldest file first; a full file is followed by the next number, and the oldest go. A file's
// time of change is the time of its newest line.
//
// Threads: the reads on any, the rest on one thread (LogWriter's), also meanwhile.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "observe/log_filter.h"
#include "observe/log_limits.h"
#include "observe/log_line.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::observe {

class LogSegments {
 public:
  LogSegments(std::filesystem::path directory, const LogLimits& limits);

  // Makes the directory; the functions that have files. A disk that is full or read-only is
  // write()'s matter. Errors: denied.
  Result<std::set<std::string, std::less<>>> open();
  // `lines`: JSON lines with their newlines, the newest of this time. Errors: internal (disk full).
  Result<Done> write(const std::string& function, std::string_view lines, WallTime newest);
  void remove(const std::string& function);
  // Removes what is older than the limit, and beyond the limit of size.
  void tidy(WallTime now);
  // Instead of what was set before. Whose limits are others now is tidied at once.
  void set_own_limits(OwnLogLimitsByFunction own, WallTime now);
  [[nodiscard]] LogLimits limits_of(const std::string& function) const;

  struct Past {
    std::vector<LogLine> lines;         // the newest first
    std::optional<std::uint64_t> rest;  // what is before this line was not looked at
  };
  // The newest `limit` lines of ids below `before` that match, for as long as there is time.
  [[nodiscard]] Past read_before(const std::string& function, std::uint64_t before,
                                 const LogFilter& filter, std::size_t limit,
                                 std::optional<ReadingDeadline> deadline) const;
  struct Page {
    std::vector<LogLine> lines;  // those that match, oldest first
    std::uint64_t first = 0;     // ids of what was looked at, or is too old; 0: nothing
    std::uint64_t last = 0;
  };
  // Looks through the next lines after this id: a page of them.
  [[nodiscard]] Page read_after(const std::string& function, std::uint64_t after,
                                const LogFilter& filter) const;

 private:
  struct Place {
    std::uint64_t number = 1;
    std::size_t bytes = 0;
    WallTime began{};   // its first line
    bool torn = false;  // ends within a line
  };
  [[nodiscard]] std::vector<std::uint64_t> numbers(const std::string& function) const;
  [[nodiscard]] std::filesystem::path file(const std::string& function, std::uint64_t number) const;
  [[nodiscard]] static bool is_full(const Place& place, const LogLimits& limits, std::size_t more,
                                    WallTime newest);
  // Whole files, the oldest first, until there is room for so much more.
  void make_room(const std::string& function, std::uint64_t more) const;
  Place& place(const std::string& function);
  void tidy(const std::string& function, WallTime now);

  std::filesystem::path directory_;
  LogLimits limits_;
  OwnLogLimitsByFunction own_;
  std::map<std::string, Place> places_;  // where the writer is; a cache
};

}  // namespace lambda::observe
