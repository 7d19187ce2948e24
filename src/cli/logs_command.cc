// lambda logs.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>

namespace lambda::cli {

int logs(const ConnectionOptions& connection, const LogsOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto path = function_path(options.name, "/logs") + "?limit=" + std::to_string(options.lines);
  if (!options.request_id.empty()) path += "&requestId=" + percent_encode(options.request_id);
  if (!options.version.empty()) path += "&version=" + percent_encode(options.version);
  auto reply = connected.server->json("GET", std::move(path));
  if (!reply) return explain(reply.error());
  if (options.json) {
    print_json(*reply);
    return kDone;
  }
  if (array_in(*reply, "lines").empty()) {
    std::fprintf(stderr, "\"%s\" has written nothing%s.\n", options.name.c_str(),
                 options.request_id.empty() && options.version.empty() ? " yet" : " of that kind");
    return kDone;
  }
  for (const auto& item : array_in(*reply, "lines")) {
    const auto& line = item.as_object();
    std::printf("%s  %s\n", text_in(line, "time").c_str(), text_in(line, "text").c_str());
  }
  return kDone;
}

}  // namespace lambda::cli
