// The log lines of functions in files: <directory>/<function>/<number>.jsonl, one JSON object a
// line, oldest file first; a full file is followed by the next number, and the oldest go.
//
// Threads: write() and remove() on one thread (LogStore's writer); read() on any, also meanwhile.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "observe/log_store.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::observe {

// Without its newline.
[[nodiscard]] std::string to_json_line(const LogLine& line);

class LogSegments {
 public:
  LogSegments(std::filesystem::path directory, const LogLimits& limits);

  // Makes the directory; the functions that have files.
  Result<std::set<std::string, std::less<>>> open();
  // `lines`: JSON lines with their newlines. Errors: internal (disk full).
  Result<Done> write(const std::string& function, std::string_view lines);
  void remove(const std::string& function);
  // The newest `query.limit` lines that match, oldest first. Lines that cannot be read
  // (half-written before a power loss) are passed over.
  [[nodiscard]] std::vector<LogLine> read(const LogStore::Query& query) const;

 private:
  struct Place {
    std::uint64_t number = 1;
    std::size_t bytes = 0;
  };
  [[nodiscard]] std::vector<std::uint64_t> numbers(const std::string& function) const;
  [[nodiscard]] std::filesystem::path file(const std::string& function, std::uint64_t number) const;
  Place& place(const std::string& function);

  std::filesystem::path directory_;
  LogLimits limits_;
  std::map<std::string, Place> places_;  // where the writer is; a cache
};

}  // namespace lambda::observe
