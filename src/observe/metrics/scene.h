// Scene: everything that an answer about the metrics is made of. One thread, while it is made.
#pragma once

#include "observe/metrics/call_book.h"
#include "observe/metrics/gauges.h"
#include "observe/metrics/server_counters.h"

#include <map>
#include <string>
#include <vector>

namespace lambda::observe {

struct Scene {
  const CallBook& book;
  LoopGauges gauges;                          // of all loops
  std::map<std::string, QueueGauges> queues;  // by function; as they were sampled last
  std::vector<const HttpCounts*> http;
  ServerCounters::Values counters;
  ServerFacts facts;
  std::chrono::steady_clock::time_point now{};
  WallTime time{};
};

}  // namespace lambda::observe
