// What functions write: the recent lines of each, in memory and in segments on disk, with request
// id, version and instance. Appending never blocks the caller; a slow disk or a flood costs lines
// (which is said in the log), not time. Threads: append from any loop; recent() from any thread.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::observe {

struct LogLine {
  WallTime time{};
  std::string function;
  std::string version;  // "$LATEST", "7"
  std::string instance;
  std::string request_id;  // "" outside of a call (init)
  std::string text;        // without its newline; valid UTF-8 (other bytes are replaced)
};

class LogStore {
 public:
  // `directory`: <data>/logs. Lines of earlier runs of the server are found again.
  static Result<std::unique_ptr<LogStore>> open(std::filesystem::path directory);
  virtual ~LogStore() = default;

  virtual void append(LogLine line) = 0;
  struct Query {
    std::string function;
    std::size_t limit = 100;  // the newest so many, oldest first
    std::optional<std::string> request_id;
    std::optional<std::string> version;
  };
  // Everything appended before the call is seen.
  virtual std::vector<LogLine> recent(const Query& query) = 0;
  virtual void forget(std::string_view function) = 0;  // after delete
};

}  // namespace lambda::observe
