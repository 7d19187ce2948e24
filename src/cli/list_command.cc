// lambda list.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/live_share.h"
#include "cli/output.h"

#include <cstdio>

namespace lambda::cli {
namespace {

std::string live_text(const boost::json::object& function) {
  const auto live = number_in(function, "live");
  auto text = live == 0 ? std::string("$LATEST") : std::to_string(live);
  if (const auto share = live_share(function))
    text += fmt::format(" {}, {} {}", share->rest, share->version, share->percent);
  if (flag_in(function, "latestNewerThanLive")) text += " ($LATEST is newer)";
  return text;
}

}  // namespace

int list(const ConnectionOptions& connection, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("GET", "/_lambda/functions");
  if (!reply) return explain(reply.error());
  if (as_json) {
    print_json(*reply);
    return kDone;
  }
  const auto& functions = array_in(*reply, "functions");
  if (functions.empty()) {
    std::fputs("There are no functions yet. Deploy one: lambda deploy ./my-function --name hello\n",
               stderr);
    return kDone;
  }
  Table table({"NAME", "RUNTIME", "LIVE", "SIZE", "CHANGED", "URL"});
  for (const auto& item : functions) {
    const auto& function = item.as_object();
    auto runtime = text_in(function, "runtime");
    if (runtime.empty()) runtime = "image";
    if (text_in(function, "kind") == "http") runtime += " (http)";
    auto url = text_in(function, "url");
    const auto auth = text_in(function, "urlAuth");
    if (auth != "open") url += " (" + auth + ")";
    table.add({text_in(function, "name"), runtime, live_text(function),
               size_text(static_cast<std::uint64_t>(number_in(function, "codeSize"))),
               ago_text(text_in(function, "lastModified"), now_seconds()), url});
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

}  // namespace lambda::cli
