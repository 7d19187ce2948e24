// The output of one instance: reads the sandbox's log pipe, cuts it into lines, ties each to the
// call that runs, and keeps the tail that AWS's LogType=Tail returns.
//
// Threads: the instance's loop. Reading goes on between calls; whatever writes a line of the
// platform's own drains what is in the pipe at that moment first, so that everything a function
// wrote before it answered comes before END. What a function writes may be 1 MiB of empty lines: a
// turn of the loop works through some of it, then others have theirs.
#pragma once

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "function/function.h"
#include "observe/log_store.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lambda::pool {

// AWS returns the last 4 KB.
inline constexpr std::size_t kTailBytes = 4096;

class InstanceLog {
 public:
  struct Owner {
    std::string version;
    std::string instance;
  };
  // `clock` outlives it; without a log nothing is kept but the tail. Errors: internal (the loop
  // cannot watch the pipe).
  static Result<std::unique_ptr<InstanceLog>> open(LoopExecutor executor, UniqueFd pipe,
                                                   Owner owner, observe::LogSourcePtr log,
                                                   const Clock& clock);
  ~InstanceLog();
  InstanceLog(const InstanceLog&) = delete;
  InstanceLog& operator=(const InstanceLog&) = delete;

  // What comes from now on belongs to this call, until end_call(). Writes the START line.
  Task<void> begin_call(std::string request_id);
  // A line of the platform's own ("Task timed out ..."), after everything the function wrote so
  // far.
  Task<void> platform_line(std::string text);
  // The same of one of several requests that run at once.
  Task<void> platform_line_of(std::string request_id, std::string text);
  // Drains, writes END and `report`, and returns the call's tail.
  Task<std::string> end_call(std::string report);
  // Drains, and returns the end of what was written since the start or the last call (an init that
  // failed).
  Task<std::string> drain_outside_call();
  // Drains and ends the reading. (A destroyed log does not drain.)
  Task<void> close();

 private:
  struct Impl;
  explicit InstanceLog(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lambda::pool
