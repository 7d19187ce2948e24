#include "cli/version_command.h"

#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>

namespace lambda::cli {
namespace {

Result<std::string> server_version(const ConnectionOptions& connection) {
  auto target = find_target(connection);
  if (!target) return fail(std::move(target.error()));
  auto status = ServerConnection(std::move(*target)).json("GET", "/_lambda/status");
  if (!status) return fail(std::move(status.error()));
  return text_in(*status, "version");
}

}  // namespace

int show_versions(const ConnectionOptions& connection, const std::string& own, bool as_json) {
  // At once: the server may take its time.
  if (!as_json) {
    std::printf("client  %s\n", own.c_str());
    std::fflush(stdout);
  }
  const auto server = server_version(connection);
  if (as_json) {
    print_json(
        {{"client", own}, {"server", server ? boost::json::value(*server) : boost::json::value()}});
  } else if (server) {
    std::printf("server  %s\n", server->c_str());
  }
  return server ? kDone : explain(server.error());
}

}  // namespace lambda::cli
