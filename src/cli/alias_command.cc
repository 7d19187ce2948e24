// lambda alias list, set, delete.
#include "base/encoding.h"
#include "cli/alias_targets.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <unistd.h>

namespace lambda::cli {
namespace {

using boost::json::object;

// AWS's operations on an alias.
std::string aws_alias_path(const std::string& function, const std::string& alias) {
  return "/2015-03-31/functions/" + percent_encode(function) + "/aliases/" + percent_encode(alias);
}

const object* find_alias(const object& function, const std::string& name) {
  for (const auto& item : array_in(function, "aliases")) {
    if (text_in(item.as_object(), "name") == name) return &item.as_object();
  }
  return nullptr;
}

// As the server has them now. The name is checked there, and a near one is suggested.
Result<object> function_of(ServerConnection& server, const std::string& name) {
  return server.json("GET", function_path(name));
}

Table table_of(const object& function, const std::string& only) {
  Table table({"ALIAS", "VERSIONS", "DESCRIPTION"});
  for (const auto& item : array_in(function, "aliases")) {
    const auto& alias = item.as_object();
    if (only.empty() || text_in(alias, "name") == only)
      table.add({text_in(alias, "name"), alias_text(alias), text_in(alias, "description")});
  }
  return table;
}

object request_for(const AliasTargets& targets, const AliasOptions& options) {
  object weights;
  if (targets.second) weights[*targets.second] = targets.weight;
  object body{{"FunctionVersion", targets.version},
              {"RoutingConfig", {{"AdditionalVersionWeights", std::move(weights)}}}};
  if (options.description) body["Description"] = *options.description;
  return body;
}

// AWS's words name no version that there is; nothing where all of them are there.
std::optional<Error> missing_version(ServerConnection& server, const std::string& function,
                                     const AliasTargets& targets) {
  auto reply = server.json("GET", function_path(function, "/versions"));
  if (!reply) return std::nullopt;
  std::vector<std::string> known{"$LATEST"};
  for (const auto& item : array_in(*reply, "versions"))
    known.push_back(std::to_string(number_in(item.as_object(), "version")));
  for (const auto& version : {targets.version, targets.second.value_or("$LATEST")}) {
    if (std::ranges::find(known, version) != known.end()) continue;
    return Error(ErrorCode::not_found, fmt::format("\"{}\" has no version {}: it has {}", function,
                                                   version, fmt::join(known, ", ")));
  }
  return std::nullopt;
}

Result<object> set(ServerConnection& server, const AliasOptions& options) {
  auto function = function_of(server, options.function);
  if (!function) return function;
  const auto* before = find_alias(*function, options.alias);
  auto targets =
      parse_alias_targets(options.targets, before == nullptr ? "" : text_in(*before, "version"));
  if (!targets) return fail(std::move(targets.error()));
  auto body = request_for(*targets, options);
  if (before != nullptr) {
    // Of what was looked at, so that nobody else's change is lost.
    auto known = server.json("GET", aws_alias_path(options.function, options.alias));
    if (!known) return known;
    body["RevisionId"] = text_in(*known, "RevisionId");
  }
  // Ours starts a version before it is live.
  auto done = server.json(
      "PUT", function_path(options.function, "/aliases/" + percent_encode(options.alias)), &body);
  if (done || done.error().code() != ErrorCode::not_found) return done;
  if (auto missing = missing_version(server, options.function, *targets))
    return fail(std::move(*missing));
  return done;
}

}  // namespace

int alias_list(const ConnectionOptions& connection, const AliasOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto function = function_of(*connected.server, options.function);
  if (!function) return explain(function.error());
  if (options.json) {
    print_json({{"aliases", array_in(*function, "aliases")}});
    return kDone;
  }
  if (array_in(*function, "aliases").empty()) {
    std::fprintf(stderr, "\"%s\" has no alias; make one: lambda alias set %s prod 1\n",
                 options.function.c_str(), options.function.c_str());
    return kDone;
  }
  std::fputs(table_of(*function, "").text().c_str(), stdout);
  return kDone;
}

int alias_set(const ConnectionOptions& connection, const AliasOptions& options) {
  // What can be told without the server is.
  if (auto good = check_alias_name(options.alias); !good) return explain(good.error());
  if (auto good = parse_alias_targets(options.targets, ""); !good) return explain(good.error());
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto done = set(*connected.server, options);
  if (!done) return explain(done.error());
  auto function = function_of(*connected.server, options.function);
  if (!function) return explain(function.error());
  if (options.json) {
    const auto* alias = find_alias(*function, options.alias);
    print_json(alias == nullptr ? object{} : *alias);
    return kDone;
  }
  std::fputs(table_of(*function, options.alias).text().c_str(), stdout);
  return kDone;
}

int alias_delete(const ConnectionOptions& connection, const AliasOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto function = function_of(*connected.server, options.function);
  if (!function) return explain(function.error());
  if (find_alias(*function, options.alias) == nullptr) {
    return explain(Error(ErrorCode::not_found,
                         fmt::format("\"{0}\" has no alias \"{1}\"; `lambda alias list {0}` shows "
                                     "those it has",
                                     options.function, options.alias)));
  }
  if (options.alias == "live" && !options.yes) {
    if (!is_terminal(STDIN_FILENO)) {
      return explain(
          Error(ErrorCode::invalid,
                "without live the URL follows $LATEST: say -y where nobody can be asked"));
    }
    if (!agreed(fmt::format("Without live, the URL of \"{}\" follows $LATEST. Delete it?",
                            options.function))) {
      std::fputs("Nothing was deleted.\n", stderr);
      return kFailed;
    }
  }
  auto done = connected.server->call("DELETE", aws_alias_path(options.function, options.alias));
  if (!done) return explain(done.error());
  tell(options.json, {{"function", options.function}, {"name", options.alias}, {"deleted", true}},
       fmt::format("Deleted the alias \"{}\" of \"{}\".", options.alias, options.function));
  return kDone;
}

}  // namespace lambda::cli
