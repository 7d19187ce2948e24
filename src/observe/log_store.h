// What functions write: the recent lines of each, in memory and in segments on disk, with request
// id, version and instance. Appending never blocks the caller; a slow disk or a flood costs lines
// (which is said in the log), not time. Segments are not synced: power loss may cost the last
// seconds. Threads: append from any loop; recent() from any thread, best a worker: where memory
// does not hold enough it reads files.
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

// What the lines of one call have in common: one for all of them.
struct LogOrigin {
  std::string version;
  std::string instance;
  std::string request_id;
};

// Lines that came together.
struct LogBatch {
  struct Text {
    WallTime time{};
    std::string text;
  };
  std::shared_ptr<const LogOrigin> origin;
  std::vector<Text> lines;
};

// How much is kept, in bytes of text and its surroundings.
struct LogLimits {
  std::size_t segment_bytes = 4u << 20;   // one file
  std::size_t segments = 4;               // of one function on disk
  std::size_t function_bytes = 1u << 20;  // of one function in memory
  std::size_t memory_bytes = 64u << 20;   // of all functions in memory
  std::size_t queue_bytes = 8u << 20;     // on the way to the disk
  std::size_t line_bytes = 256u << 10;    // a longer line is cut, and says so
};

// The log of one function from its creation to its deletion: what still writes to it after that
// (an instance that has not ended) is heard by nobody, also where a new function has the name
// meanwhile. Held by the instances; the store outlives it. Any thread.
class LogSource {
 public:
  virtual ~LogSource() = default;
  virtual void append(LogBatch batch) = 0;
  void append(LogLine line);
  [[nodiscard]] virtual bool forgotten() const = 0;
};
using LogSourcePtr = std::shared_ptr<LogSource>;

class LogStore {
 public:
  // `directory`: <data>/logs; it holds <function>/<number>.jsonl. Lines of earlier runs of the
  // server are found again. Errors: denied, internal.
  static Result<std::unique_ptr<LogStore>> open(std::filesystem::path directory,
                                                const LogLimits& limits = {});
  virtual ~LogStore() = default;

  // Of the function that has this name now.
  virtual LogSourcePtr source(std::string_view function) = 0;
  struct Query {
    std::string function;
    std::size_t limit = 100;  // the newest so many, oldest first
    std::optional<std::string> request_id;
    std::optional<std::string> version;
  };
  // Everything appended before the call is seen, but for what a full disk or a flood lost.
  virtual std::vector<LogLine> recent(const Query& query) = 0;
  // After its deletion: its lines go, and those of its sources from now on.
  virtual void forget(std::string_view function) = 0;
};

}  // namespace lambda::observe
