// lambda config set-host, set-key, show, aws.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/connection/settings_file.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/project/dependencies.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <termios.h>
#include <unistd.h>

namespace lambda::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

// A line from the terminal that nobody sees. Ctrl-C gives nothing, with the echo on again.
std::optional<std::string> read_secret(const char* prompt) {
  struct sigaction noted {};
  struct sigaction usual {};
  noted.sa_handler = [](int) { interrupted = 1; };
  ::sigaction(SIGINT, &noted, &usual);
  termios before{};
  const bool known = ::tcgetattr(STDIN_FILENO, &before) == 0;
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  // Before the prompt: what is typed or pasted after it is neither shown nor thrown away.
  if (known) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::fputs(prompt, stderr);
  std::string line;
  char c = 0;
  while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') line += c;
  if (known) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  ::sigaction(SIGINT, &usual, nullptr);
  std::fputc('\n', stderr);
  if (interrupted != 0) return std::nullopt;
  while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
  return line;
}

// What comes before the configuration file, in the order in which it does.
const char* named_before() {
  for (const char* name : {"LAMBDA_HOST", "LAMBDA_DATA_DIR"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return name;
  }
  return nullptr;
}

}  // namespace

int config_set_host(const std::string& url) {
  const bool local = url == "local";
  if (!local) {
    auto parsed = parse_host(url);
    if (!parsed) return explain(parsed.error());
  }
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  const auto before = settings->host;
  settings->host = local ? "" : url;
  // One server's key is nobody else's to see.
  const bool forget_key = !settings->key.empty() && !before.empty() && before != settings->host;
  if (forget_key) settings->key.clear();
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  std::fprintf(stderr, "Commands go to %s from now on (%s).\n",
               local ? "the server on this machine" : url.c_str(), settings_path().c_str());
  if (const char* name = named_before(); name != nullptr) {
    std::fprintf(
        stderr,
        "But %s is set here, and comes first: until `unset %s` commands go where it says.\n", name,
        name);
  }
  if (forget_key) {
    std::fprintf(stderr,
                 "The key of %s is forgotten; set this one's with `lambda config set-key`.\n",
                 before.c_str());
  }
  return kDone;
}

int config_set_key() {
  const auto key = is_terminal(STDIN_FILENO) ? read_secret("Key (lam_..., it is not shown): ")
                                             : read_line().value_or("");
  if (!key) return kInterrupted;
  if (!looks_like_key(*key)) {
    return explain(Error(ErrorCode::invalid,
                         "that is no key: a key is lam_, 20 characters, _, and 40 characters; the "
                         "administrator's is in admin.key of the server's data directory"));
  }
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  settings->key = *key;
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  std::fprintf(stderr, "The key %s... is kept in %s.\n", key->substr(0, 12).c_str(),
               settings_path().c_str());
  return kDone;
}

int config_show(const ConnectionOptions& connection, bool as_json) {
  auto target = find_target(connection);
  if (!target) return explain(target.error());
  const auto& endpoint = target->url.endpoint;
  const auto host = endpoint.unix_path.empty()
                        ? (endpoint.tls ? "https://" : "http://") + target->url.host_header
                        : "unix:" + endpoint.unix_path;
  const auto key = target->key.empty() ? std::string("none") : target->key.substr(0, 12) + "...";
  if (as_json) {
    print_json({{"host", host},
                {"hostSource", target->source},
                {"key", target->key.empty() ? boost::json::value() : boost::json::value(key)},
                {"keySource", target->key_source}});
    return kDone;
  }
  Table table({"WHAT", "VALUE", "FROM"});
  table.add({"host", host, target->source});
  table.add({"key", key, target->key_source});
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

int config_aws(const ConnectionOptions& connection) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  const auto& target = connected.server->target();
  if (target.key.empty()) {
    return explain(Error(ErrorCode::denied,
                         "AWS's clients need a key, which the unix socket does not: set one with "
                         "`lambda config set-key`"));
  }
  auto status = connected.server->json("GET", "/_lambda/status");
  if (!status) return explain(status.error());
  // AWS's clients know no unix socket: then the port of the same server.
  const auto& url = target.url;
  std::string endpoint = (url.endpoint.tls ? "https://" : "http://") + url.host_header;
  if (!url.endpoint.unix_path.empty() && number_in(*status, "port") != 80)
    endpoint += ":" + std::to_string(number_in(*status, "port"));
  std::printf("# For AWS's clients; use it with: eval \"$(lambda config aws)\"\n");
  std::printf("export AWS_ACCESS_KEY_ID=%s\n", target.key.substr(4, 20).c_str());
  std::printf("export AWS_SECRET_ACCESS_KEY=%s\n", target.key.substr(25).c_str());
  // The SDK for JavaScript reads the first alone, boto3 the second.
  const auto region = shell_quoted(text_in(*status, "region"));
  std::printf("export AWS_REGION=%s\n", region.c_str());
  std::printf("export AWS_DEFAULT_REGION=%s\n", region.c_str());
  std::printf("export AWS_ENDPOINT_URL_LAMBDA=%s\n", shell_quoted(endpoint).c_str());
  std::printf("unset AWS_SESSION_TOKEN AWS_PROFILE\n");
  std::printf(
      "# The AWS CLI of Debian 12 does not read the endpoint from there:\n"
      "# aws --endpoint-url %s lambda list-functions\n",
      endpoint.c_str());
  return kDone;
}

}  // namespace lambda::cli
