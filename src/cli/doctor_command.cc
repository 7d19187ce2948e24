// lambda doctor: whether the server is reached and can do its work.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>
#include <netdb.h>
#include <sys/socket.h>

namespace lambda::cli {
namespace {

bool resolves(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

std::string names_in(const boost::json::object& status, const char* key) {
  std::string names;
  for (const auto& name : array_in(status, key)) {
    if (name.is_string()) names += (names.empty() ? "" : ", ") + std::string(name.as_string());
  }
  return names;
}

std::string runtimes_text(const std::string& built, const std::string& missing) {
  const std::string how = "run runtimes/build as root on the server, then start it again";
  if (built.empty()) return "none: " + how;
  return missing.empty() ? built : fmt::format("{} (not built: {}; {})", built, missing, how);
}

}  // namespace

int doctor(const ConnectionOptions& connection, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto status = connected.server->json("GET", "/_lambda/status?docker=now");
  if (!status) return explain(status.error());
  const auto domain = text_in(*status, "domain");
  const auto probe = "doctor." + domain;
  const bool resolved = resolves(probe);
  const auto runtimes = names_in(*status, "runtimes");
  const bool can_run = flag_in(*status, "driverWorks");
  const int code = can_run && !runtimes.empty() ? kDone : kFailed;
  if (as_json) {
    (*status)["wildcardResolves"] = resolved;
    print_json(*status);
    return code;
  }
  Table table({"WHAT", "STATE"});
  table.add({"server", "version " + text_in(*status, "version") + ", reached through " +
                           connected.server->target().source});
  table.add({"port", std::to_string(number_in(*status, "port")) +
                         (text_in(*status, "portReason").empty()
                              ? ""
                              : " (not 80: " + text_in(*status, "portReason") + ")")});
  const auto exposure = text_in(*status, "exposure");
  table.add({"reach", exposure.empty() ? "this machine alone" : "WARNING: " + exposure});
  table.add({"driver", can_run
                           ? text_in(*status, "driver") + ": " + text_in(*status, "driverReason")
                           : text_in(*status, "driverReason") +
                                 ": no function can start. Start lambdad as root for the native "
                                 "driver, or Docker for the other"});
  table.add({"docker", text_in(*status, "docker")});
  table.add({"runtimes", runtimes_text(runtimes, names_in(*status, "missingRuntimes"))});
  table.add({"instances", fmt::format("{} of at most {}", number_in(*status, "instances"),
                                      number_in(*status, "maxInstances"))});
  table.add({"names", resolved ? "*." + domain + " resolves here"
                               : "*." + domain +
                                     " does not resolve here for every program (curl and browsers "
                                     "know *.localhost by themselves): "
                                     "install libnss-myhostname, or use /fn/NAME/"});
  std::fputs(table.text().c_str(), stdout);
  return code;
}

}  // namespace lambda::cli
