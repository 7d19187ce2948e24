// lambda trace: one call as a waterfall, or a function's calls as a list.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/waterfall.h"

#include <cstdio>
#include <unistd.h>

namespace lambda::cli {
namespace {

int list_calls(ServerConnection& server, const TraceOptions& options) {
  auto path =
      function_path(options.function, "/traces") + "?limit=" + std::to_string(options.limit);
  if (options.slow) path += "&slow";
  if (options.failed) path += "&failed";
  auto reply = server.json("GET", std::move(path));
  if (!reply) return explain(reply.error());
  if (options.json) {
    print_json(*reply);
    return kDone;
  }
  const auto& calls = array_in(*reply, "calls");
  if (calls.empty()) {
    std::fprintf(stderr, "No %scall of \"%s\" is known.\n",
                 options.slow && options.failed ? "slow or failed "
                 : options.slow                 ? "slow "
                 : options.failed               ? "failed "
                                                : "",
                 options.function.c_str());
    return kDone;
  }
  std::printf("%s", call_table(calls).c_str());
  return kDone;
}

}  // namespace

int trace(const ConnectionOptions& connection, const TraceOptions& options) {
  if (options.id.empty() == options.function.empty()) {
    return explain(Error(ErrorCode::invalid,
                         options.id.empty()
                             ? "which call? Give its request id, or list those of a function with "
                               "--function NAME"
                             : "give a request id or --function NAME, not both"));
  }
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  if (!options.function.empty()) return list_calls(*connected.server, options);
  auto reply = connected.server->json("GET", "/_lambda/traces/" + percent_encode(options.id));
  if (!reply) return explain(reply.error());
  if (options.json) {
    print_json(*reply);
  } else {
    std::printf("%s",
                waterfall(array_in(*reply, "calls"), waterfall_canvas(STDOUT_FILENO)).c_str());
  }
  return kDone;
}

}  // namespace lambda::cli
