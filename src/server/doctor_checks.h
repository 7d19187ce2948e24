// What GET /_lambda/doctor says: of each thing that functions need, whether it is well, what that
// means, and how to mend it. Pure; any thread.
#pragma once

#include "base/machine_checks.h"

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lambda::server {

// What the server knows of itself.
struct ServerState {
  std::string version;
  bool native = false;  // functions run natively where they do not choose
  bool driver_works = false;
  std::string driver_text;
  bool docker_works = false;
  std::string docker_text;
  std::string egress;          // what functions reach that do not say so
  std::string egress_missing;  // why they reach nothing; "": they do
  std::vector<std::string> runtimes;
  std::vector<std::string> missing_runtimes;
  std::uint16_t port = 0;
  std::string port_reason;  // why not 80
  std::vector<std::string> addresses;
  std::string exposure;  // what other machines may do, "" where none reaches it
  std::size_t instances = 0;
  std::size_t most_instances = 0;
  std::size_t stalls = 0;  // of event loops, since the start
  std::int64_t longest_stall_ms = 0;
};

[[nodiscard]] std::vector<Check> checks_of(const MachineFacts& machine, const ServerState& server);
[[nodiscard]] boost::json::array checks_json(const std::vector<Check>& checks);

}  // namespace lambda::server
