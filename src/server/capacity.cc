#include "server/capacity.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace lambda::server {
namespace {

// Descriptors that an idle instance costs, with room for its calls.
constexpr std::size_t kDescriptorsPerInstance = 6;
// A connection's, and that of the way on into a function.
constexpr std::size_t kDescriptorsPerConnection = 2;
// The server's own: files, loops, sockets that listen, and the unix socket's connections.
constexpr std::size_t kOwnDescriptors = 192;
constexpr std::size_t kLeastConnections = 64;
// The least an instance takes of the machine's memory.
constexpr std::size_t kBytesPerInstance = 24ull << 20;
// Of what lambda-spawn has room for, at most one in so many waits for a function.
constexpr std::size_t kStemShare = 8;
// Enough for functions that wait for others.
constexpr std::size_t kEventsPerCore = 16;

std::size_t bytes_of_the_machine() {
  return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t descriptors() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

std::size_t room_for_instances(const Configuration& configuration,
                               const sandbox::native::SpawnClient& spawn) {
  return spawn.sandbox_limit() - stem_limits(configuration, spawn).of_all_kinds;
}

// What memory and descriptors allow, of lambdad and of lambda-spawn.
std::size_t instances_that_fit(const Configuration& configuration,
                               const sandbox::native::SpawnClient* spawn) {
  // A quarter is for connections.
  const std::size_t for_instances = descriptors() / 4 * 3;
  std::size_t fit = std::min<std::size_t>(for_instances / kDescriptorsPerInstance,
                                          bytes_of_the_machine() / kBytesPerInstance);
  if (spawn != nullptr) {
    fit = std::min(fit, room_for_instances(configuration, *spawn));
    const std::size_t budget = configuration.memory_budget << 20;
    if (budget != 0) fit = std::min(fit, budget / kBytesPerInstance);
  }
  return std::max<std::size_t>(1, fit);
}

}  // namespace

std::size_t body_bytes(const Configuration& configuration) {
  const std::size_t wanted = configuration.body_memory << 20;
  return wanted != 0 ? wanted
                     : std::max<std::size_t>(bytes_of_the_machine() / 8, kLeastBodyMemory << 20);
}

observe::LogLimits log_limits(const Configuration& configuration) {
  observe::LogLimits limits;
  limits.set_bytes(configuration.function_log_size << 20);
  limits.age = configuration.function_log_age;
  limits.rate_bytes = configuration.function_log_rate << 10;
  limits.burst_bytes = configuration.function_log_burst << 10;
  return limits;
}

observe::OwnLogLimitsByFunction own_log_limits(const function::Snapshot& functions) {
  observe::OwnLogLimitsByFunction all;
  for (const auto& [name, function] : functions.functions) {
    if (function->logs == function::LogSettings()) continue;
    observe::OwnLogLimits own;
    if (const auto size = function->logs.size_mb)
      own.bytes = static_cast<std::uint64_t>(*size) << 20;
    own.age = function->logs.age;
    all.emplace(name, own);
  }
  return all;
}

http::ServerLimits connection_limits(std::size_t instances) {
  const std::size_t taken = instances * kDescriptorsPerInstance + kOwnDescriptors;
  const std::size_t left = descriptors() > taken ? descriptors() - taken : 0;
  http::ServerLimits limits;
  limits.connections =
      std::clamp(left / kDescriptorsPerConnection, kLeastConnections, limits.connections);
  limits.unix_connections = std::min(limits.unix_connections, kOwnDescriptors / 3);
  return limits;
}

std::size_t events_at_once(const Configuration& configuration, std::size_t instances) {
  const auto half = std::max<std::size_t>(1, instances / 2);
  const auto wanted = configuration.async_concurrency;
  if (wanted == 0)
    return std::min(half, kEventsPerCore * std::max(1u, std::thread::hardware_concurrency()));
  if (wanted > half) {
    spdlog::warn(
        "async_concurrency is {}, and there are at most {} instances: while many events wait, "
        "synchronous calls may find no room. {} leaves them half",
        wanted, instances, half);
  }
  return wanted;
}

sandbox::native::StemLimits stem_limits(const Configuration& configuration,
                                        const sandbox::native::SpawnClient& spawn) {
  sandbox::native::StemLimits limits;
  limits.most = configuration.stems;
  limits.of_all_kinds =
      limits.most == 0 ? 0 : std::min(limits.of_all_kinds, spawn.sandbox_limit() / kStemShare);
  return limits;
}

std::size_t instance_limit(const Configuration& configuration,
                           const sandbox::native::SpawnClient* spawn) {
  const auto wanted = configuration.max_instances;
  if (wanted == 0) return instances_that_fit(configuration, spawn);
  if (spawn == nullptr) return wanted;
  const auto room = room_for_instances(configuration, *spawn);
  if (wanted <= room) return wanted;
  spdlog::warn(
      "max_instances is {}, but the hard limit of open files is enough for {} native sandboxes: "
      "that is the limit now. Raise that one (ulimit -Hn, LimitNOFILE=) to have more",
      wanted, room);
  return room;
}

}  // namespace lambda::server
