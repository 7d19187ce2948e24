// lambda list, versions, rollback, promote, url, delete, logs; and what the commands share.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <chrono>
#include <cstdio>
#include <iostream>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace json = boost::json;

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

const json::array& array_in(const json::object& object, std::string_view name) {
  static const json::array none;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->as_array() : none;
}

std::string live_text(const json::object& function) {
  const auto live = number_in(function, "live");
  auto text = live == 0 ? std::string("$LATEST") : std::to_string(live);
  if (flag_in(function, "latestNewerThanLive")) text += " ($LATEST is newer)";
  return text;
}

}  // namespace

Connected connect(const ConnectionOptions& options) {
  Connected connected;
  auto target = find_target(options);
  if (!target) {
    connected.code = explain(target.error());
  } else {
    connected.server.emplace(std::move(*target));
  }
  return connected;
}

std::string text_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::int64_t number_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  boost::system::error_code error;
  const auto number = value == nullptr ? 0 : value->to_number<std::int64_t>(error);
  return error ? 0 : number;
}

bool flag_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::string function_path(std::string_view name, std::string_view rest) {
  return "/_lambda/functions/" + percent_encode(name) + std::string(rest);
}

int list(const ConnectionOptions& connection, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("GET", "/_lambda/functions");
  if (!reply) return explain(reply.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*reply).c_str());
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

int versions(const ConnectionOptions& connection, const std::string& name, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("GET", function_path(name, "/versions"));
  if (!reply) return explain(reply.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*reply).c_str());
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
  Table table({"VERSION", "LIVE", "CREATED", "SIZE", "CODE", "MESSAGE"});
  for (const auto& item : all) {
    const auto& version = item.as_object();
    table.add({std::to_string(number_in(version, "version")),
               flag_in(version, "live") ? "live" : "",
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
  json::object body;
  if (version) body["version"] = *version;
  auto reply =
      connected.server->json("POST", function_path(name, back ? "/rollback" : "/promote"), &body);
  if (!reply) return explain(reply.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*reply).c_str());
    return kDone;
  }
  const auto from = number_in(*reply, "from");
  const auto to = number_in(*reply, "to");
  if (from == to) {
    std::printf("No change: version %lld of \"%s\" is live already.\n", static_cast<long long>(to),
                name.c_str());
  } else {
    const auto before = from == 0 ? std::string("$LATEST") : std::to_string(from);
    std::printf("%s \"%s\": version %s \xE2\x86\x92 %lld\n%s\n", back ? "Rolled back" : "Promoted",
                name.c_str(), before.c_str(), static_cast<long long>(to),
                text_in(*reply, "url").c_str());
  }
  return kDone;
}

int set_url(const ConnectionOptions& connection, const std::string& name, const std::string& auth) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  const json::object body{{"auth", auth}};
  auto reply = connected.server->json("PUT", function_path(name, "/url"), &body);
  if (!reply) return explain(reply.error());
  std::printf("%s is %s\n", text_in(*reply, "url").c_str(), text_in(*reply, "urlAuth").c_str());
  return kDone;
}

int remove(const ConnectionOptions& connection, const std::string& name, bool yes) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto function = connected.server->json("GET", function_path(name));
  if (!function) return explain(function.error());
  std::string with = fmt::format("{} version{}", number_in(*function, "versions"),
                                 number_in(*function, "versions") == 1 ? "" : "s");
  for (const auto& alias : array_in(*function, "aliases"))
    with += ", alias " + text_in(alias.as_object(), "name");
  std::fprintf(stderr, "Deleting \"%s\" deletes with it: %s, its logs, and its URL %s\n",
               name.c_str(), with.c_str(), text_in(*function, "url").c_str());
  if (!yes) {
    if (!is_terminal(STDIN_FILENO)) {
      return explain(
          Error(ErrorCode::invalid, "nobody is there to ask: add -y to delete without asking"));
    }
    std::fputs("Delete it? [y/N] ", stderr);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "Y" && answer != "yes") {
      std::fputs("Nothing was deleted.\n", stderr);
      return kFailed;
    }
  }
  auto deleted = connected.server->json("DELETE", function_path(name));
  if (!deleted) return explain(deleted.error());
  std::printf("Deleted \"%s\"\n", name.c_str());
  return kDone;
}

int logs(const ConnectionOptions& connection, const LogsOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto path = function_path(options.name, "/logs") + "?limit=" + std::to_string(options.lines);
  if (!options.request_id.empty()) path += "&requestId=" + percent_encode(options.request_id);
  if (!options.version.empty()) path += "&version=" + percent_encode(options.version);
  auto reply = connected.server->json("GET", std::move(path));
  if (!reply) return explain(reply.error());
  if (options.json) {
    std::printf("%s\n", json::serialize(*reply).c_str());
    return kDone;
  }
  for (const auto& item : array_in(*reply, "lines")) {
    const auto& line = item.as_object();
    std::printf("%s  %s\n", text_in(line, "time").c_str(), text_in(line, "text").c_str());
  }
  return kDone;
}

}  // namespace lambda::cli
