// lambda audit.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace lambda::cli {
namespace {

namespace json = boost::json;

std::string who(const json::object& entry) {
  const auto name = text_in(entry, "name");
  return name.empty() ? text_in(entry, "who") : name;
}

std::string outcome(const json::object& entry) {
  const auto status = number_in(entry, "status");
  if (status == 0) return "unfinished";
  const auto error = text_in(entry, "error");
  if (status < 300) return "done";
  return std::to_string(status) + (error.empty() ? "" : " " + error);
}

std::string second_text(const std::string& iso) {
  return iso.size() < 19 ? iso : iso.substr(0, 10) + " " + iso.substr(11, 8);
}

// As many as are wanted, the newest first: the server gives some at a time.
Result<json::array> find_entries(ServerConnection& server, const AuditOptions& options) {
  std::string which;
  if (!options.function.empty()) which += "&function=" + percent_encode(options.function);
  if (!options.key.empty()) which += "&key=" + percent_encode(options.key);
  if (!options.since.empty()) which += "&since=" + percent_encode(options.since);
  json::array entries;
  std::string before;
  while (entries.size() < options.limit) {
    const auto wanted = std::min<std::uint64_t>(options.limit - entries.size(), kMostListed);
    auto reply =
        server.json("GET", fmt::format("/_lambda/audit?limit={}{}{}", wanted, which, before));
    if (!reply) return fail(std::move(reply.error()));
    const auto& page = array_in(*reply, "entries");
    entries.insert(entries.end(), page.begin(), page.end());
    if (page.size() < wanted) break;
    before = fmt::format("&before={}", number_in(entries.back().as_object(), "id"));
  }
  return entries;
}

}  // namespace

int audit(const ConnectionOptions& connection, const AuditOptions& options, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto found = find_entries(*connected.server, options);
  if (!found) return explain(found.error());
  if (as_json) {
    json::object reply;
    reply["entries"] = std::move(*found);
    print_json(reply);
    return kDone;
  }
  const auto& entries = *found;
  if (entries.empty()) {
    std::fputs("Nothing of that kind was changed.\n", stderr);
    return kDone;
  }
  Table table({"TIME (UTC)", "WHO", "FROM", "WHAT", "FUNCTION", "RESULT", "NOTE"});
  for (const auto& item : entries) {
    const auto& entry = item.as_object();
    table.add({second_text(text_in(entry, "time")), who(entry), text_in(entry, "address"),
               text_in(entry, "operation"), text_in(entry, "function"), outcome(entry),
               shortened(text_in(entry, "note"), 80)});
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

int audit_verify(const ConnectionOptions& connection, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto verdict = connected.server->json("GET", "/_lambda/audit/verify");
  if (!verdict) return explain(verdict.error());
  const auto problem = text_in(*verdict, "problem");
  if (as_json) print_json(*verdict);
  if (!problem.empty()) {
    return explain(
        Error(ErrorCode::internal, "the audit is not what was written: " + problem +
                                       ". Compare it with a backup of the data directory"));
  }
  if (as_json) return kDone;
  std::printf("The audit is whole: %s, %lld to %lld.\nThe last is %s\n",
              counted(static_cast<std::uint64_t>(number_in(*verdict, "rows")), "row").c_str(),
              static_cast<long long>(number_in(*verdict, "first")),
              static_cast<long long>(number_in(*verdict, "last")),
              text_in(*verdict, "lastHash").c_str());
  return kDone;
}

}  // namespace lambda::cli
