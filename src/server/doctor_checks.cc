#include "server/doctor_checks.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace lambda::server {
namespace {

// A function's processes, with room for one that starts some.
constexpr std::uint64_t kProcessesPerInstance = 4;
constexpr std::size_t kFewInstances = 16;

Check driver(const ServerState& server) {
  Check check{"driver", Health::ok, server.driver_text, "", ""};
  if (server.driver_works) return check;
  check.health = Health::fail;
  check.meaning = "No function can start.";
  check.mend = "sudo ./run restart    # as root, for the native driver";
  return check;
}

Check docker(const ServerState& server) {
  Check check{"docker", Health::ok, server.docker_text, "", ""};
  if (server.docker_works) return check;
  check.health = server.native ? Health::warn : Health::fail;
  check.meaning = "Dockerfiles cannot be built, and no function can run in a container.";
  check.mend = "sudo apt-get install docker.io && sudo systemctl start docker";
  return check;
}

Check egress(const ServerState& server) {
  Check check{"egress", Health::ok, server.egress, "", ""};
  if (server.egress_missing.empty()) return check;
  check.health = Health::warn;
  check.found = server.egress_missing;
  check.meaning = "No function on the native driver reaches anything outside its sandbox.";
  check.mend = server.egress_missing.find("slirp4netns is not installed") != std::string::npos
                   ? "sudo apt-get install slirp4netns && sudo ./run restart"
                   : "docs/egress.md#where-it-does-not-work";
  return check;
}

Check runtimes(const ServerState& server) {
  Check check{"runtimes", Health::ok, fmt::format("{}", fmt::join(server.runtimes, ", ")), "", ""};
  if (server.missing_runtimes.empty()) return check;
  check.health = server.runtimes.empty() ? Health::fail : Health::warn;
  if (server.runtimes.empty()) check.found = "none";
  check.meaning =
      fmt::format("Functions of these cannot start: {}.", fmt::join(server.missing_runtimes, ", "));
  check.mend = "sudo runtimes/build && sudo ./run restart";
  return check;
}

Check port(const ServerState& server) {
  Check check{"port", Health::ok, std::to_string(server.port), "", ""};
  if (server.port_reason.empty()) return check;
  check.health = Health::warn;
  check.found += fmt::format(" (not 80: {})", server.port_reason);
  check.meaning = fmt::format("URLs have a port in them: http://NAME.localhost:{}.", server.port);
  check.mend = "sudo ss -ltnp 'sport = :80'    # who has it; then start lambdad as root";
  return check;
}

Check reach(const ServerState& server) {
  Check check{"reach", Health::ok, fmt::format("{}", fmt::join(server.addresses, ", ")), "", ""};
  if (server.exposure.empty()) {
    check.found += " (this machine alone)";
    return check;
  }
  check.health = Health::warn;
  check.meaning = server.exposure;
  return check;
}

Check limits(const MachineFacts& machine, const ServerState& server) {
  Check check{
      "limits", Health::ok,
      fmt::format("at most {} instances ({} now); {} open files, pid_max {}", server.most_instances,
                  server.instances, machine.open_files, machine.pid_max),
      "", ""};
  if (machine.pid_max != 0 && machine.pid_max / kProcessesPerInstance < server.most_instances) {
    check.health = Health::warn;
    check.meaning = fmt::format("pid_max leaves processes for some {} instances.",
                                machine.pid_max / kProcessesPerInstance);
    check.mend = "sudo sysctl -w kernel.pid_max=4194304";
  } else if (server.most_instances < kFewInstances) {
    check.health = Health::warn;
    check.meaning = "Few calls can be answered at once.";
    check.mend = "ulimit -n 1048576 && ./run restart    # as root; or more memory";
  }
  return check;
}

Check loops(const ServerState& server) {
  Check check{"loops", Health::ok, "never late", "", ""};
  if (server.stalls == 0) return check;
  check.found = fmt::format("late {} times since the start, by {} ms at most", server.stalls,
                            server.longest_stall_ms);
  if (server.longest_stall_ms >= 1'000) {
    check.health = Health::warn;
    check.meaning = "All calls waited that long: the machine was overloaded or suspended.";
    check.mend = "cat /proc/pressure/cpu /proc/pressure/io";
  }
  return check;
}

}  // namespace

std::vector<Check> checks_of(const MachineFacts& machine, const ServerState& server) {
  return {driver(server),
          docker(server),
          egress(server),
          runtimes(server),
          kernel_check(machine, server.native),
          cgroups_check(machine, server.native),
          port(server),
          reach(server),
          disk_check(machine.data),
          clock_check(machine),
          limits(machine, server),
          loops(server)};
}

boost::json::array checks_json(const std::vector<Check>& checks) {
  boost::json::array all;
  for (const auto& check : checks) {
    all.push_back({{"name", check.name},
                   {"health", to_string(check.health)},
                   {"found", check.found},
                   {"meaning", check.meaning},
                   {"mend", check.mend}});
  }
  return all;
}

}  // namespace lambda::server
