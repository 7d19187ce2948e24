// lambda secret put, list, delete.
#include "base/crypto.h"
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/hidden_input.h"
#include "cli/output.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <unistd.h>

namespace lambda::cli {
namespace {

using boost::json::object;

// The server keeps no more; one more shows that there is more.
constexpr std::size_t kMostBytes = 64 * 1024 + 1;

std::string secret_path(const SecretOptions& options, const std::string& name) {
  auto path = "/_lambda/secrets/" + percent_encode(name);
  char joint = '?';
  const auto add = [&path, &joint](const char* parameter, const std::string& value) {
    if (value.empty()) return;
    path += std::exchange(joint, '&');
    path += std::string(parameter) + "=" + percent_encode(value);
  };
  add("function", options.function);
  add("as", options.form);
  return path;
}

// One line is its text, as `echo` and the end of a file leave it; more lines are kept as they are.
std::string without_line_end(std::string value) {
  if (std::ranges::count(value, '\n') != 1 || !value.ends_with('\n')) return value;
  value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  return value;
}

std::string read_input() {
  std::string value;
  char buffer[4096];
  while (value.size() < kMostBytes) {
    const auto count = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    value.append(buffer, static_cast<std::size_t>(count));
  }
  return without_line_end(std::move(value));
}

// `lambda secret put TOKEN abc`, `lambda secret put TOKEN=abc`: told why not, without the value.
Result<std::string> checked_name(const SecretOptions& options) {
  const auto equals = options.name.find('=');
  if (options.values.empty() && equals == std::string::npos) return options.name;
  const auto name = options.name.substr(0, equals);
  return fail(ErrorCode::invalid,
              "the value of a secret is no argument: the shell's history would keep it, and "
              "everybody on this machine could see it in `ps`. Leave it out to be asked for it, or "
              "give it on standard input: `lambda secret put {}{} < FILE`. What was typed here is "
              "in your shell's history by now",
              name, options.function.empty() ? "" : " --function " + options.function);
}

std::string names_in(const object& reply, std::string_view member) {
  std::vector<std::string> names;
  for (const auto& item : array_in(reply, member)) {
    if (item.is_string()) names.emplace_back(item.get_string());
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string called(const object& secret) {
  const auto function = text_in(secret, "function");
  return fmt::format("{} {}", function.empty() ? "the shared secret" : "the secret",
                     text_in(secret, "name")) +
         (function.empty() ? "" : fmt::format(" of \"{}\"", function));
}

void show_put(const object& secret) {
  const auto what = called(secret);
  const auto digest = text_in(secret, "digest");
  if (flag_in(secret, "unchanged")) {
    std::printf("Unchanged: %s has this value already (digest %s).\n", what.c_str(),
                digest.c_str());
    return;
  }
  std::printf("%s %s (digest %s).\n", flag_in(secret, "replaced") ? "Changed" : "Made",
              what.c_str(), digest.c_str());
  const auto users = names_in(secret, "usedBy");
  const auto name = text_in(secret, "name");
  if (users.empty()) {
    std::fprintf(stderr,
                 "No function asks for it yet: write secrets = [\"%s\"] into its lambda.toml, or "
                 "deploy it with --secret %s.\n",
                 name.c_str(), name.c_str());
    return;
  }
  std::fprintf(stderr,
               "%s get%s it with the next call, %s: instances with the old value end once their "
               "calls are done.\n",
               users.c_str(), array_in(secret, "usedBy").size() == 1 ? "s" : "",
               text_in(secret, "as") == "file"
                   ? fmt::format("as the file /run/secrets/{}", name).c_str()
                   : fmt::format("as the environment variable {}", name).c_str());
  if (const auto hiding = names_in(secret, "hidesVariableOf"); !hiding.empty()) {
    std::fprintf(stderr,
                 "Of %s it hides the environment variable of that name; remove that with: lambda "
                 "env unset %s %s\n",
                 hiding.c_str(), hiding.c_str(), name.c_str());
  }
}

Result<object> find_secret(ServerConnection& server, const SecretOptions& options) {
  auto reply = server.json("GET", "/_lambda/secrets");
  if (!reply) return reply;
  for (const auto& item : array_in(*reply, "secrets")) {
    const auto& secret = item.as_object();
    if (text_in(secret, "name") == options.name && text_in(secret, "function") == options.function)
      return secret;
  }
  return object();
}

// "greet (versions 3, 4)": what would not start after a rollback.
std::string resting_users(const object& secret) {
  std::vector<std::string> users;
  for (const auto& item : array_in(secret, "askedForBy")) {
    const auto& user = item.as_object();
    std::vector<std::int64_t> numbers;
    for (const auto& number : array_in(user, "versions"))
      numbers.push_back(number.to_number<std::int64_t>());
    users.push_back(fmt::format("{} (version{} {})", text_in(user, "function"),
                                numbers.size() == 1 ? "" : "s", fmt::join(numbers, ", ")));
  }
  return fmt::format("{}", fmt::join(users, ", "));
}

// Only where something uses it, or would again, is there something to ask.
bool may_delete(const object& secret, const SecretOptions& options, int& code) {
  const auto users = names_in(secret, "usedBy");
  const auto resting = resting_users(secret);
  code = kDone;
  if ((users.empty() && resting.empty()) || options.yes) return true;
  if (!users.empty()) {
    std::fprintf(
        stderr, "%s use%s it, and %s.\n", users.c_str(),
        array_in(secret, "usedBy").size() == 1 ? "s" : "",
        options.function.empty() ? "will not start without it" : "will not have it any more");
  }
  if (!resting.empty()) {
    std::fprintf(stderr,
                 "Older versions ask for it and will not start after a rollback to them: %s.\n",
                 resting.c_str());
  }
  if (!is_terminal(STDIN_FILENO)) {
    code = explain(Error(ErrorCode::invalid,
                         "nothing was deleted: nobody is there to ask. Add -y to delete without "
                         "being asked"));
    return false;
  }
  if (agreed("Delete it?")) return true;
  std::fputs("Nothing was deleted.\n", stderr);
  code = kFailed;
  return false;
}

}  // namespace

int secret_put(const ConnectionOptions& connection, const SecretOptions& options) {
  auto name = checked_name(options);
  if (!name) return explain(name.error());
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto value = is_terminal(STDIN_FILENO)
                   ? read_hidden_line(fmt::format("Value of {} (it is not shown): ", *name))
                   : read_input();
  if (!value) return kInterrupted;
  http::Headers headers;
  headers.add("Content-Type", "application/octet-stream");
  auto response = connected.server->call("PUT", secret_path(options, *name), *value, headers);
  wipe(*value);
  if (!response) return explain(response.error());
  boost::system::error_code error;
  const auto reply = boost::json::parse(response->body, error);
  if (error || !reply.is_object())
    return explain(Error(ErrorCode::internal, "the server's answer cannot be read"));
  if (options.json) {
    print_json(reply.get_object());
  } else {
    show_put(reply.get_object());
  }
  return kDone;
}

int secret_list(const ConnectionOptions& connection, const SecretOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  std::string path = "/_lambda/secrets";
  if (!options.function.empty()) path += "?function=" + percent_encode(options.function);
  auto reply = connected.server->json("GET", path);
  if (!reply) return explain(reply.error());
  if (options.json) {
    print_json(*reply);
    return kDone;
  }
  const auto& secrets = array_in(*reply, "secrets");
  if (secrets.empty()) {
    std::fprintf(stderr, "No secrets. Make one with: lambda secret put NAME%s\n",
                 options.function.empty() ? "" : (" --function " + options.function).c_str());
    return kDone;
  }
  Table table({"NAME", "FUNCTION", "AS", "DIGEST", "CHANGED", "USED BY"}, 2);
  for (const auto& item : secrets) {
    const auto& secret = item.as_object();
    const auto function = text_in(secret, "function");
    table.add({text_in(secret, "name"), function.empty() ? "(shared)" : function,
               text_in(secret, "as"), text_in(secret, "digest"),
               ago_text(text_in(secret, "changed"), now_seconds()),
               shortened(names_in(secret, "usedBy"), 60)});
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

int secret_delete(const ConnectionOptions& connection, const SecretOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto secret = find_secret(*connected.server, options);
  if (!secret) return explain(secret.error());
  int code = kDone;
  if (!may_delete(*secret, options, code)) return code;
  auto deleted = connected.server->call("DELETE", secret_path(options, options.name));
  if (!deleted) return explain(deleted.error());
  tell(options.json, {{"name", options.name}, {"function", options.function}, {"deleted", true}},
       fmt::format("Deleted {}.", called(*secret)));
  return kDone;
}

}  // namespace lambda::cli
