// lambda delete: says what goes, asks, deletes.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>
#include <unistd.h>

namespace lambda::cli {
namespace {

std::string schedules_that_go(const boost::json::object& reply) {
  std::string names;
  const auto& schedules = array_in(reply, "schedules");
  for (const auto& item : schedules)
    names += (names.empty() ? "" : ", ") + text_in(item.as_object(), "name");
  if (names.empty()) return "";
  return fmt::format("  {}: {}\n", counted(schedules.size(), "schedule"), shortened(names, 200));
}

// Shared ones stay.
std::string secrets_that_go(const boost::json::object& reply, const std::string& function) {
  std::string names;
  std::uint64_t count = 0;
  for (const auto& item : array_in(reply, "secrets")) {
    const auto& secret = item.as_object();
    if (text_in(secret, "function") != function) continue;
    names += (count++ == 0 ? "" : ", ") + text_in(secret, "name");
  }
  if (count == 0) return "";
  return fmt::format("  {}: {}\n", counted(count, "secret"), shortened(names, 200));
}

std::string events_that_go(const boost::json::object& reply) {
  std::string text;
  for (const auto& item : array_in(reply, "functions")) {
    const auto& depth = item.as_object();
    const auto number = [&depth](std::string_view member) {
      return static_cast<std::uint64_t>(number_in(depth, member));
    };
    for (const char* state : {"waiting", "running", "dead"}) {
      if (number(state) > 0)
        text += fmt::format("  {}\n", counted(number(state), fmt::format("{} event", state)));
    }
  }
  return text;
}

std::string what_goes(const boost::json::object& function) {
  std::string text =
      fmt::format("  {}, with code and settings\n",
                  counted(static_cast<std::uint64_t>(number_in(function, "versions")), "version"));
  for (const auto& item : array_in(function, "aliases")) {
    const auto& alias = item.as_object();
    text += fmt::format("  the alias {} (version {})\n", text_in(alias, "name"),
                        text_in(alias, "version"));
  }
  const bool closed = text_in(function, "urlAuth") == "closed";
  return text +
         fmt::format("  its URL {}\n", closed ? "(which is closed)" : text_in(function, "url"));
}

Result<std::string> everything_that_goes(ServerConnection& server, const std::string& name) {
  auto function = server.json("GET", function_path(name));
  if (!function) return fail(std::move(function.error()));
  auto schedules = server.json("GET", function_path(name, "/schedules"));
  if (!schedules) return fail(std::move(schedules.error()));
  auto queue = server.json("GET", "/_lambda/queue?function=" + percent_encode(name));
  if (!queue) return fail(std::move(queue.error()));
  auto secrets = server.json("GET", "/_lambda/secrets?function=" + percent_encode(name));
  if (!secrets) return fail(std::move(secrets.error()));
  return what_goes(*function) + schedules_that_go(*schedules) + secrets_that_go(*secrets, name) +
         events_that_go(*queue) + "  its logs, and results of events and settings for them\n";
}

}  // namespace

int remove(const ConnectionOptions& connection, const std::string& name, bool yes, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto goes = everything_that_goes(*connected.server, name);
  if (!goes) return explain(goes.error());
  std::fprintf(stderr, "Deleting \"%s\" deletes with it:\n%s", name.c_str(), goes->c_str());
  if (!yes) {
    if (!is_terminal(STDIN_FILENO)) {
      return explain(Error(ErrorCode::invalid,
                           "nothing was deleted: nobody is there to ask. Add -y to delete without "
                           "being asked"));
    }
    if (!agreed("Delete it?")) {
      std::fputs("Nothing was deleted.\n", stderr);
      return kFailed;
    }
  }
  auto deleted = connected.server->json("DELETE", function_path(name));
  if (!deleted) return explain(deleted.error());
  tell(as_json, {{"name", name}, {"deleted", true}}, fmt::format("Deleted \"{}\"", name));
  return kDone;
}

}  // namespace lambda::cli
