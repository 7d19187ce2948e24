#include "observe/metrics/gauges.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace lambda::observe {

void InstanceCounts::add(const InstanceCounts& other) {
  starting += other.starting;
  idle += other.idle;
  frozen += other.frozen;
  busy += other.busy;
  ending += other.ending;
  waiting_calls += other.waiting_calls;
  memory_bytes += other.memory_bytes;
}

void LoopGauges::add(const LoopGauges& other) {
  for (const auto& [key, counts] : other.instances) instances[key].add(counts);
  for (const auto& [function, count] : other.in_flight) in_flight[function] += count;
}

InstanceCounts LoopGauges::of_function(const std::string& function) const {
  InstanceCounts all;
  for (auto at = instances.lower_bound({function, {}});
       at != instances.end() && at->first.first == function; ++at) {
    all.add(at->second);
  }
  return all;
}

ProcessUsage usage_of_this_process() {
  ProcessUsage usage;
  rusage times{};
  if (::getrusage(RUSAGE_SELF, &times) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);
  }
  // Pages: all, resident.
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0, resident = 0;
  if (statm >> pages >> resident) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = pages * page;
    usage.resident_bytes = resident * page;
  }
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (!error)
    usage.open_files = static_cast<std::uint64_t>(std::distance(begin(files), end(files)));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.most_files = limit.rlim_cur;
  return usage;
}

}  // namespace lambda::observe
