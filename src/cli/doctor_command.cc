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

std::string runtimes_of(const boost::json::object& status) {
  std::string names;
  for (const auto& name : array_in(status, "runtimes")) {
    if (name.is_string()) names += (names.empty() ? "" : ", ") + std::string(name.as_string());
  }
  return names;
}

}  // namespace

int doctor(const ConnectionOptions& connection, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto status = connected.server->json("GET", "/_lambda/status");
  if (!status) return explain(status.error());
  const auto domain = text_in(*status, "domain");
  const auto probe = "doctor." + domain;
  const bool resolved = resolves(probe);
  const auto runtimes = runtimes_of(*status);
  const bool can_run = !text_in(*status, "driverReason").starts_with("none:");
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
  table.add({"driver", can_run
                           ? text_in(*status, "driver") + ": " + text_in(*status, "driverReason")
                           : text_in(*status, "driverReason") +
                                 ": no function can start. Start lambdad as root for the native "
                                 "driver, or Docker for the other"});
  table.add({"docker", text_in(*status, "docker")});
  table.add(
      {"runtimes", runtimes.empty() ? "none: run runtimes/build as root on the server" : runtimes});
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
