// lambda delete: says what goes, asks, deletes.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>
#include <unistd.h>

namespace lambda::cli {
namespace {

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
  return text + fmt::format("  its URL {}\n  its logs\n",
                            closed ? "(which is closed)" : text_in(function, "url"));
}

}  // namespace

int remove(const ConnectionOptions& connection, const std::string& name, bool yes) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto function = connected.server->json("GET", function_path(name));
  if (!function) return explain(function.error());
  std::fprintf(stderr, "Deleting \"%s\" deletes with it:\n%s", name.c_str(),
               what_goes(*function).c_str());
  if (!yes) {
    if (!is_terminal(STDIN_FILENO)) {
      return explain(Error(ErrorCode::invalid,
                           "nothing was deleted: nobody is there to ask. Add -y to delete without "
                           "being asked"));
    }
    std::fputs("Delete it? [y/N] ", stderr);
    const auto answer = read_line().value_or("");
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

}  // namespace lambda::cli
