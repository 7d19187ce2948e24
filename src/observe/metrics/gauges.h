// What is true of the server at one moment, beside what has been counted: gathered from the loops
// for one answer, or sampled in the background. Values.
#pragma once

#include "base/clock.h"
#include "observe/metrics/histogram.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::observe {

// The instances of a version, and the calls that want one.
struct InstanceCounts {
  std::uint64_t starting = 0;
  std::uint64_t idle = 0;
  std::uint64_t busy = 0;
  std::uint64_t ending = 0;
  std::uint64_t waiting_calls = 0;
  std::uint64_t memory_bytes = 0;  // of all of them, as it was sampled last
  std::uint64_t frozen = 0;        // no call, and standing still; not among `idle`

  void add(const InstanceCounts& other);
  [[nodiscard]] std::uint64_t all() const { return starting + idle + frozen + busy + ending; }
};

// One loop's.
struct LoopGauges {
  std::map<std::pair<std::string, std::string>, InstanceCounts> instances;  // function, version
  std::map<std::string, std::uint64_t> in_flight;  // calls by function, waiting ones too

  void add(const LoopGauges& other);
  // Of all versions of a function.
  [[nodiscard]] InstanceCounts of_function(const std::string& function) const;
};

// A function's asynchronous events.
struct QueueGauges {
  std::uint64_t waiting = 0;
  std::uint64_t running = 0;
  std::uint64_t dead = 0;
  std::optional<WallTime> oldest;  // of those that wait or run
};

struct LoopFacts {
  std::string name;
  std::uint64_t stalls = 0;
  std::chrono::microseconds longest{0};
};

// What this process takes of the machine.
struct ProcessUsage {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t most_files = 0;
};
// Blocking, but for no longer than /proc takes. What cannot be read is zero.
[[nodiscard]] ProcessUsage usage_of_this_process();

// What becomes of the traces of calls.
struct TraceFacts {
  std::uint64_t lost = 0;  // that should be on disk
  bool exports = false;    // to a collector; else the others are zero
  std::uint64_t exported = 0;
  std::uint64_t export_lost = 0;
  std::uint64_t export_waiting = 0;
};

// Sandboxes that wait for a function, by what is in them: a runtime's name, or "image".
struct StemFacts {
  std::uint64_t waiting = 0;
  std::uint64_t taken = 0;
  std::uint64_t missed = 0;  // starts that found none
};

struct ServerFacts {
  std::string version;
  std::string driver;
  WallTime started{};
  std::chrono::duration<double> uptime{0};
  std::uint64_t functions = 0;
  std::uint64_t instances = 0, most_instances = 0;
  std::uint64_t body_bytes = 0, most_body_bytes = 0;
  std::uint64_t connections = 0;
  std::vector<LoopFacts> loops;
  ProcessUsage process;
  TraceFacts traces;
  std::map<std::string, StemFacts> stems;  // empty where there are none
};

}  // namespace lambda::observe
