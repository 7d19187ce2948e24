// Writes lines to segments, on a thread of its own and in the order in which they are given. A disk
// that does not take them costs lines and no time: what is lost, since when and why is told, and
// once it takes them again the function's log says it too.
//
// Threads: all of it on any thread.
#pragma once

#include "base/clock.h"
#include "observe/log_ids.h"
#include "observe/log_limits.h"
#include "observe/log_line.h"
#include "observe/log_segments.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace lambda::observe {

// Lines of one function that the disk did not take.
struct LogTrouble {
  WallTime since{};
  std::uint64_t lines = 0;
  std::string reason;
};

class LogWriter {
 public:
  // It is over: called on the writer's thread, without a lock.
  using Recovered = std::function<void(const std::string& function, const LogTrouble& trouble)>;
  LogWriter(LogSegments& segments, LogIds& ids, const LogLimits& limits, const Clock& clock,
            Recovered recovered, std::function<void()> reminded);
  // Writes what was given, then ends.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // False: there is no room for it on the way.
  bool write(const std::string& function, LinePtr line);
  // Whether a function that had no room has some again.
  [[nodiscard]] bool has_calmed(const std::string& function);
  void wake();  // after write()
  void forget(const std::string& function);
  void tidy();
  void set_own_limits(OwnLogLimitsByFunction own);
  // `reminded` is called in a moment, as `recovered` is.
  void remind();
  // Waits for everything that was given before, a while at the most: whether it is done.
  bool flush();
  // While it lasts.
  [[nodiscard]] std::optional<LogTrouble> trouble(std::string_view function);

 private:
  struct Job {
    enum class Kind { line, forget, tidy, limits } kind = Kind::line;
    std::string function;
    LinePtr line;
    OwnLogLimitsByFunction own = {};
  };
  struct Pending {
    std::string lines;
    std::uint64_t count = 0;
    WallTime newest{};
    std::size_t most = 0;  // bytes of one write
  };

  void add(Job job);
  void run();
  void carry_out(const std::deque<Job>& jobs);
  void write_out(const std::string& function, Pending& pending);
  void write_out(std::map<std::string, Pending>& pending);
  void note_failure(const std::string& function, std::uint64_t count, const Error& error);
  void note_success(const std::string& function);

  LogSegments& segments_;
  LogIds& ids_;
  const LogLimits limits_;
  const Clock& clock_;
  const Recovered recovered_;
  const std::function<void()> reminded_;

  std::mutex mutex_;  // held for moving pointers, never for I/O
  std::condition_variable work_;
  std::condition_variable written_;
  std::deque<Job> queue_;
  std::size_t queue_bytes_ = 0;
  std::map<std::string, std::size_t, std::less<>> function_bytes_;  // of the queue
  std::uint64_t queued_ = 0;                                        // jobs ever given and done
  std::uint64_t done_ = 0;
  bool stopping_ = false;
  std::optional<SteadyTime> reminder_;
  std::map<std::string, LogTrouble, std::less<>> troubles_;
  SteadyTime complained_{SteadyTime::min()};  // the last time; a disk may have room now and then
  std::thread thread_;
};

}  // namespace lambda::observe
