// lambda versions, rollback, promote.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/live_share.h"
#include "cli/log_settings.h"
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

std::string moved_text(const std::string& name, std::int64_t from, std::int64_t to, bool back) {
  const auto* what = back ? "Rolled back" : "Promoted";
  // It was shared with another, and is no more.
  if (from == to) return fmt::format("{} \"{}\": version {} has all calls", what, name, to);
  const auto before = from == 0 ? std::string("$LATEST") : std::to_string(from);
  return fmt::format("{} \"{}\": version {} \xE2\x86\x92 {}", what, name, before, to);
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
  if (const auto* logs = reply->if_contains("logs"); logs != nullptr && logs->is_object()) {
    const auto text = own_log_text(logs->get_object());
    if (!text.empty()) std::fprintf(stderr, "%s\n", text.c_str());
  }
  for (const auto& item : all) {
    const auto& version = item.as_object();
    const auto kept = number_in(version, "minInstances");
    if (kept == 0 || live_text(version, share).empty()) continue;
    std::fprintf(stderr, "%lld instance%s of version %lld %s kept ready.\n",
                 static_cast<long long>(kept), kept == 1 ? "" : "s",
                 static_cast<long long>(number_in(version, "version")), kept == 1 ? "is" : "are");
  }
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
    std::printf("%s\n", moved_text(name, from, to, back).c_str());
    if (text_in(*reply, "urlAuth") == "closed") {
      std::fprintf(stderr, "Its URL is closed; open it with: lambda url %s open\n", name.c_str());
    } else {
      std::printf("%s\n", text_in(*reply, "url").c_str());
    }
  }
  return kDone;
}

}  // namespace lambda::cli
