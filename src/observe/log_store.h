// What functions write: the recent lines of each, in memory and in segments on disk, with request
// id, version and instance; read by queries, and followed as it comes. Appending never blocks the
// caller; a slow disk or a flood costs lines (which is said in the log), not time. Segments are not
// synced: power loss may cost the last seconds. Threads: append and follow from any loop; what says
// so reads files, best on a worker.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "observe/log_filter.h"
#include "observe/log_limits.h"
#include "observe/log_line.h"
#include "observe/log_writer.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::observe {

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

// Somebody who reads a log as it comes. It holds no lines: it is woken, and reads on from the line
// that it read last. Destroyed before the store. Any thread.
class LogFollower {
 public:
  enum class End { none, deleted, stopped };
  virtual ~LogFollower() = default;
  // The newest line when it began to follow.
  [[nodiscard]] virtual std::uint64_t start() const = 0;
  // Asks to be woken once more; before reading.
  virtual void rearm() = 0;
  // Nothing comes any more: the function was deleted, or the server stops.
  [[nodiscard]] virtual End end() const = 0;
};

// What came after a line.
struct LogPage {
  std::vector<LogLine> lines;  // those that match, oldest first
  std::uint64_t position = 0;  // read up to here
  std::uint64_t missed = 0;    // lines that were gone before they could be read
  bool more = false;           // there may be newer ones already
};

class LogStore {
 public:
  // `directory`: <data>/logs; it holds <function>/<number>.jsonl. Lines of earlier runs of the
  // server are found again. `clock` outlives it. Errors: denied.
  static Result<std::unique_ptr<LogStore>> open(std::filesystem::path directory, const Clock& clock,
                                                const LogLimits& limits = {});
  virtual ~LogStore() = default;

  // Of the function that has this name now.
  virtual LogSourcePtr source(std::string_view function) = 0;
  struct Query : LogFilter {
    std::string function;
    std::size_t limit = 100;             // the newest so many, oldest first
    std::optional<std::uint64_t> after;  // then the oldest so many after that line
    std::optional<std::uint64_t> up_to;  // that line, and older ones
    std::optional<ReadingDeadline> deadline;
  };
  struct Reading {
    std::vector<LogLine> lines;  // the oldest first
    // Not all was looked through, for want of time or because it is too much at once, and with
    // `after` also at the limit: there may be more behind this line then, else before it.
    std::optional<std::uint64_t> rest;
  };
  // Everything appended before the call is seen, but for what a full disk or a flood lost. Reads
  // files.
  virtual Reading read(const Query& query) = 0;
  std::vector<LogLine> recent(const Query& query) { return read(query).lines; }

  // `wake` is called on any thread, under a lock: it posts to somewhere and no more.
  virtual std::unique_ptr<LogFollower> follow(std::string_view function,
                                              std::function<void()> wake) = 0;
  // A page of what came after that line; nothing where it is not in memory any more, or where
  // looking through it takes longer than a loop has time for.
  virtual std::optional<LogPage> newer_in_memory(const std::string& function, std::uint64_t after,
                                                 const LogFilter& filter) = 0;
  // The same from wherever it is. Reads files.
  virtual LogPage newer(const std::string& function, std::uint64_t after,
                        const LogFilter& filter) = 0;
  // Before the server ends.
  virtual void end_followers() = 0;

  // What the disk does not take, while that lasts.
  virtual std::optional<LogTrouble> trouble(std::string_view function) = 0;
  // Removes what is too old, now and then.
  virtual void tidy() = 0;
  // What functions say of their own logs, all of it; the others' are kept to the server's limits.
  // What is beyond a smaller limit goes soon after. Cheap where nothing has changed.
  virtual void set_own_limits(OwnLogLimitsByFunction own) = 0;
  // What is in effect.
  virtual LogLimits limits_of(std::string_view function) = 0;
  // At the start, of what a killed server left: the logs of other functions go.
  virtual void keep_only(const std::set<std::string, std::less<>>& functions) = 0;
  // After its deletion: its lines go, and those of its sources from now on.
  virtual void forget(std::string_view function) = 0;
};

}  // namespace lambda::observe
