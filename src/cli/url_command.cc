// lambda url.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"

#include <cstdio>

namespace lambda::cli {

int set_url(const ConnectionOptions& connection, const std::string& name, const std::string& auth) {
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
  std::printf("%s is %s\n", text_in(*reply, "url").c_str(), who);
  return kDone;
}

}  // namespace lambda::cli
