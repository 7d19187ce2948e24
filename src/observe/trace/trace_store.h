// TraceStore: the calls that were told, for whoever asks what became of one: the recent ones in
// memory, the slow and the failed ones on disk as well.
//
// Every loop has a ring of its own, which its sink fills without a lock and queries visit by a
// message; what goes to disk is handed to the thread **traces**, which writes it within a moment.
// Calls that were throttled or refused come in floods: some of them a second go to disk.
// Threads: sink_of() before the loops run; find() and list() on any loop; record() on its own.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "observe/call_record.h"
#include "observe/trace/trace_files.h"

#include <boost/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::observe {

struct TraceLimits {
  std::size_t recent = 1000;                  // of each loop, in memory: at most 1 KB each
  std::chrono::microseconds slow{1'000'000};  // a call that took longer is slow; 0: none is by that
  TraceFileLimits files;
};

class TraceStore {
 public:
  // `directory`: <data>/traces. Loops, pool and clock outlive it; on `readers` the files are read.
  // Errors: denied.
  static Result<std::unique_ptr<TraceStore>> open(std::filesystem::path directory,
                                                  std::vector<Loop*> loops, BlockingPool& readers,
                                                  const Clock& clock, TraceLimits limits);
  virtual ~TraceStore() = default;

  [[nodiscard]] virtual CallSink& sink_of(std::size_t loop) = 0;

  // Every attempt of that request that is known, in their order.
  virtual Task<std::vector<boost::json::object>> find(std::string request_id) = 0;
  struct Query {
    std::string function;
    bool slow = false;  // with both, one of them suffices
    bool failed = false;
    std::size_t limit = 20;
  };
  // Newest first.
  virtual Task<std::vector<boost::json::object>> list(Query query) = 0;
  // How many slow and failed calls did not get to disk, because it took them too slowly or not at
  // all. Any thread.
  [[nodiscard]] virtual std::uint64_t lost() const = 0;
  // Writes what was told so far, and ends the thread. After the loops have stopped.
  virtual void finish() = 0;
};

}  // namespace lambda::observe
