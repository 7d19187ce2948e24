// lambda versions, rollback, promote.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/live_share.h"
#include "cli/output.h"

#include <cstdio>

namespace lambda::cli {
namespace {

// Only where the versions say that it is shared.
std::optional<LiveShare> share_of(ServerConnection& server, const std::string& name,
                                  const boost::json::object& versions) {
  const auto* live = versions.if_contains("live");
  if (live == nullptr || !live->is_object() || !flag_in(live->as_object(), "weighted"))
    return std::nullopt;
  auto function = server.json("GET", function_path(name));
  return function ? live_share(*function) : std::nullopt;
}

std::string live_text(const boost::json::object& version, const std::optional<LiveShare>& share) {
  const bool live = flag_in(version, "live");
  if (!share) return live ? "live" : "";
  if (std::to_string(number_in(version, "version")) == share->version)
    return "live " + share->percent;
  return live ? "live " + share->rest : "";
}

}  // namespace

int versions(const ConnectionOptions& connection, const std::string& name, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("GET", function_path(name, "/versions"));
  if (!reply) return explain(reply.error());
  if (as_json) {
    print_json(*reply);
    return kDone;
  }
  const auto& all = array_in(*reply, "versions");
  if (all.empty()) {
    std::fprintf(stderr,
                 "\"%s\" has no published version; `lambda promote %s` publishes $LATEST and makes "
                 "it live.\n",
                 name.c_str(), name.c_str());
    return kDone;
  }
  const auto share = share_of(*connected.server, name, *reply);
  Table table({"VERSION", "LIVE", "CREATED", "SIZE", "CODE", "MESSAGE"});
  for (const auto& item : all) {
    const auto& version = item.as_object();
    table.add({std::to_string(number_in(version, "version")), live_text(version, share),
               ago_text(text_in(version, "created"), now_seconds()),
               size_text(static_cast<std::uint64_t>(number_in(version, "codeSize"))),
               text_in(version, "codeSha256").substr(0, 12), text_in(version, "message")});
  }
  std::fputs(table.text().c_str(), stdout);
  if (flag_in(*reply, "latestNewerThanLive")) {
    std::fprintf(stderr,
                 "$LATEST is newer than the live version; `lambda promote %s` makes it live.\n",
                 name.c_str());
  }
  return kDone;
}

int move_live(const ConnectionOptions& connection, const std::string& name,
              std::optional<std::uint64_t> version, bool back, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  boost::json::object body;
  if (version) body["version"] = *version;
  auto reply =
      connected.server->json("POST", function_path(name, back ? "/rollback" : "/promote"), &body);
  if (!reply) return explain(reply.error());
  const auto from = number_in(*reply, "from");
  const auto to = number_in(*reply, "to");
  const auto ended = ended_share_text(*reply, to);
  if (!ended.empty()) std::fprintf(stderr, "%s.\n", ended.c_str());
  if (as_json) {
    print_json(*reply);
    return kDone;
  }
  if (from == to && ended.empty()) {
    std::printf("Unchanged: version %lld of \"%s\" is live already.\n", static_cast<long long>(to),
                name.c_str());
  } else {
    const auto before = from == 0 ? std::string("$LATEST") : std::to_string(from);
    std::printf("%s \"%s\": version %s \xE2\x86\x92 %lld\n", back ? "Rolled back" : "Promoted",
                name.c_str(), before.c_str(), static_cast<long long>(to));
    if (text_in(*reply, "urlAuth") == "closed") {
      std::fprintf(stderr, "Its URL is closed; open it with: lambda url %s open\n", name.c_str());
    } else {
      std::printf("%s\n", text_in(*reply, "url").c_str());
    }
  }
  return kDone;
}

}  // namespace lambda::cli
