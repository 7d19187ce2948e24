// lambda url.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

namespace lambda::cli {

int set_url(const ConnectionOptions& connection, const std::string& name, const std::string& auth,
            bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  const boost::json::object body{{"auth", auth}};
  auto reply = connected.server->json("PUT", function_path(name, "/url"), &body);
  if (!reply) return explain(reply.error());
  const auto now = text_in(*reply, "urlAuth");
  const char* who = now == "open"  ? "open to everybody"
                    : now == "key" ? "open to who sends a key in X-Lambda-Key"
                    : now == "iam" ? "open to who signs with SigV4"
                                   : "closed";
  tell(as_json, *reply, fmt::format("{} is {}", text_in(*reply, "url"), who));
  return kDone;
}

}  // namespace lambda::cli
