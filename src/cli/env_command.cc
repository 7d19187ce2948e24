// lambda env: what a function has of environment variables, and how they are changed.
#include "cli/assignments.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/hidden_input.h"
#include "cli/live_share.h"
#include "cli/output.h"
#include "cli/unknown_name.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <optional>
#include <unistd.h>
#include <utility>

namespace lambda::cli {
namespace {

using boost::json::object;

void add_variables(Table& table, const object& reply, bool values) {
  for (const auto& item : array_in(reply, "variables")) {
    const auto& variable = item.as_object();
    table.add({text_in(variable, "name"), text_in(variable, values ? "value" : "digest"), ""});
  }
}

void add_secrets(Table& table, const object& reply, bool values) {
  for (const auto& item : array_in(reply, "secrets")) {
    const auto& secret = item.as_object();
    auto digest = text_in(secret, "digest");
    std::string what = flag_in(secret, "shared") ? "shared secret" : "secret";
    if (text_in(secret, "as") == "file") what += ", /run/secrets/" + text_in(secret, "name");
    if (digest.empty()) what = "secret that does not exist";
    table.add({text_in(secret, "name"), values ? "" : digest, what});
  }
}

// For KEY=-: from standard input, or asked for. Ctrl-C gives nothing.
std::optional<std::string> read_value(const std::string& key) {
  if (is_terminal(STDIN_FILENO))
    return read_hidden_line(fmt::format("Value of {} (it is not shown): ", key));
  std::string value(std::istreambuf_iterator<char>(std::cin), {});
  if (value.ends_with('\n')) value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  return value;
}

// Nothing after Ctrl-C.
Result<std::optional<Variables>> assigned(const EnvOptions& options) {
  Variables variables;
  if (!options.file.empty()) {
    if (auto read = add_environment_file(options.file, variables); !read)
      return fail(std::move(read.error()));
  }
  bool from_input = false;
  for (const auto& word : options.words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorCode::invalid, "\"{}\" must be KEY=VALUE", word);
    const auto key = word.substr(0, equals);
    if (word.substr(equals + 1) != "-") {
      variables[key] = word.substr(equals + 1);
      continue;
    }
    if (std::exchange(from_input, true))
      return fail(ErrorCode::invalid, "one value alone can be read from standard input (KEY=-)");
    auto value = read_value(key);
    if (!value) return std::optional<Variables>();
    variables[key] = std::move(*value);
  }
  if (variables.empty())
    return fail(ErrorCode::invalid, "there is nothing to set: give KEY=VALUE, or --env-file FILE");
  return std::optional(std::move(variables));
}

void show_change(const object& reply, const std::string& name) {
  const auto version = text_in(reply, "version");
  if (flag_in(reply, "unchanged")) {
    std::printf("Unchanged: %s of \"%s\" has these variables already.\n",
                version == "$LATEST" ? "$LATEST" : ("version " + version).c_str(), name.c_str());
  } else if (version == "$LATEST") {
    std::printf("Changed $LATEST of \"%s\", which answers its calls.\n", name.c_str());
  } else {
    std::printf("Version %s of \"%s\" is live with the new environment.\n", version.c_str(),
                name.c_str());
    std::fprintf(stderr, "Back to what was before: lambda rollback %s\n", name.c_str());
  }
  if (flag_in(reply, "latestKept")) {
    std::fprintf(stderr,
                 "Note: $LATEST was changed since and is not live. It has the same change of its "
                 "variables now, and its own code and settings; make it live with: lambda promote "
                 "%s\n",
                 name.c_str());
  }
  for (const auto& item : array_in(reply, "hiddenBySecrets")) {
    if (!item.is_string()) continue;
    std::fprintf(stderr, "Note: %s is a secret, too, and the function gets the secret.\n",
                 std::string(item.get_string()).c_str());
  }
}

int change(const ConnectionOptions& connection, const EnvOptions& options, const object& body) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("PUT", function_path(options.name, "/environment"), &body);
  if (!reply) return explain(reply.error());
  const auto version = std::strtoll(text_in(*reply, "version").c_str(), nullptr, 10);
  const auto ended = ended_share_text(*reply, version);
  if (!ended.empty()) std::fprintf(stderr, "%s.\n", ended.c_str());
  if (options.json) {
    print_json(*reply);
  } else {
    show_change(*reply, options.name);
  }
  return kDone;
}

}  // namespace

int env(const ConnectionOptions& connection, const EnvOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json(
      "GET",
      function_path(options.name, options.show ? "/environment?values=true" : "/environment"));
  if (!reply) {
    return explain(unknown_name(reply.error(), options.name, "lambda env", options.commands));
  }
  if (options.json) {
    print_json(*reply);
    return kDone;
  }
  if (array_in(*reply, "variables").empty() && array_in(*reply, "secrets").empty()) {
    std::fprintf(stderr,
                 "\"%s\" has no environment variables. Set one with: lambda env set %s "
                 "KEY=VALUE\n",
                 options.name.c_str(), options.name.c_str());
    return kDone;
  }
  Table table({"NAME", options.show ? "VALUE" : "DIGEST", ""});
  add_variables(table, *reply, options.show);
  add_secrets(table, *reply, options.show);
  std::fputs(table.text().c_str(), stdout);
  if (flag_in(*reply, "latestDiffers")) {
    std::fprintf(stderr,
                 "$LATEST has others than the live version; `lambda promote %s` makes it live.\n",
                 options.name.c_str());
  }
  return kDone;
}

int env_set(const ConnectionOptions& connection, const EnvOptions& options) {
  auto variables = assigned(options);
  if (!variables) return explain(variables.error());
  if (!*variables) return kInterrupted;
  if (auto good = check_variables(**variables); !good) return explain(good.error());
  object set;
  for (const auto& [name, value] : **variables) set[name] = value;
  return change(connection, options, object{{"set", std::move(set)}});
}

int env_unset(const ConnectionOptions& connection, const EnvOptions& options) {
  boost::json::array names(options.words.begin(), options.words.end());
  return change(connection, options, object{{"unset", std::move(names)}});
}

}  // namespace lambda::cli
