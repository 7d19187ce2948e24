// lambda config set-host, set-key, show, aws; and doctor.
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/settings_file.h"

#include <cstdio>
#include <iostream>
#include <netdb.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace json = boost::json;

// A line from the terminal that nobody sees.
std::string read_secret(const char* prompt) {
  std::fputs(prompt, stderr);
  termios before{};
  const bool known = ::tcgetattr(STDIN_FILENO, &before) == 0;
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  if (known) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::string line;
  std::getline(std::cin, line);
  if (known) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::fputc('\n', stderr);
  return line;
}

// lam_<20 of A-Z0-9>_<40 of A-Za-z0-9>
bool looks_like_key(const std::string& key) {
  return key.starts_with("lam_") && key.size() == 65 && key[24] == '_';
}

bool resolves(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

}  // namespace

int config_set_host(const std::string& url) {
  auto parsed = http::parse_url(
      url.find("://") == std::string::npos && !url.starts_with("unix:") ? "http://" + url : url);
  if (!parsed) return explain(parsed.error());
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  settings->host = url;
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  std::fprintf(stderr, "Commands go to %s from now on (%s).\n", url.c_str(),
               settings_path().c_str());
  return kDone;
}

int config_set_key() {
  std::string key;
  if (is_terminal(STDIN_FILENO)) {
    key = read_secret("Key (lam_..., it is not shown): ");
  } else {
    std::getline(std::cin, key);
  }
  while (!key.empty() && (key.back() == '\r' || key.back() == ' ')) key.pop_back();
  if (!looks_like_key(key)) {
    return explain(Error(ErrorCode::invalid,
                         "that is no key: a key is lam_, 20 characters, _, and 40 characters; the "
                         "administrator's is in "
                         "admin.key of the server's data directory"));
  }
  auto settings = read_settings();
  if (!settings) return explain(settings.error());
  settings->key = key;
  auto written = write_settings(*settings);
  if (!written) return explain(written.error());
  std::fprintf(stderr, "The key %s... is kept in %s.\n", key.substr(0, 12).c_str(),
               settings_path().c_str());
  return kDone;
}

int config_show(const ConnectionOptions& connection) {
  auto target = find_target(connection);
  if (!target) return explain(target.error());
  std::printf("host  %s  (from %s)\n",
              target->url.endpoint.unix_path.empty() ? target->url.host_header.c_str()
                                                     : target->url.endpoint.unix_path.c_str(),
              target->source.c_str());
  if (target->key.empty()) {
    std::printf("key   none\n");
  } else {
    std::printf("key   %s...  (from %s)\n", target->key.substr(0, 12).c_str(),
                target->key_source.c_str());
  }
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
  const auto endpoint =
      std::string(target.url.endpoint.tls ? "https://" : "http://") + target.url.host_header;
  std::printf("# For AWS's clients; use it with: eval \"$(lambda config aws)\"\n");
  std::printf("export AWS_ACCESS_KEY_ID=%s\n", target.key.substr(4, 20).c_str());
  std::printf("export AWS_SECRET_ACCESS_KEY=%s\n", target.key.substr(25).c_str());
  std::printf("export AWS_DEFAULT_REGION=%s\n", text_in(*status, "region").c_str());
  std::printf("export AWS_ENDPOINT_URL_LAMBDA=%s\n", endpoint.c_str());
  std::printf(
      "# Older clients do not know the last one: aws --endpoint-url %s lambda list-functions\n",
      endpoint.c_str());
  return kDone;
}

int doctor(const ConnectionOptions& connection, bool as_json) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto status = connected.server->json("GET", "/_lambda/status");
  if (!status) return explain(status.error());
  const auto domain = text_in(*status, "domain");
  const auto probe = "doctor." + domain;
  const bool resolved = resolves(probe);
  if (as_json) {
    (*status)["wildcardResolves"] = resolved;
    std::printf("%s\n", json::serialize(*status).c_str());
    return kDone;
  }
  std::string runtimes;
  if (const auto* names = status->if_contains("runtimes"); names != nullptr && names->is_array()) {
    for (const auto& name : names->as_array())
      runtimes += (runtimes.empty() ? "" : ", ") + std::string(name.as_string());
  }
  Table table({"WHAT", "STATE"});
  table.add({"server", "version " + text_in(*status, "version") + ", reached through " +
                           connected.server->target().source});
  table.add({"port", std::to_string(number_in(*status, "port")) +
                         (text_in(*status, "portReason").empty()
                              ? ""
                              : " (not 80: " + text_in(*status, "portReason") + ")")});
  table.add({"driver", text_in(*status, "driver") + ": " + text_in(*status, "driverReason")});
  table.add({"docker", text_in(*status, "docker")});
  table.add(
      {"runtimes", runtimes.empty() ? "none: run runtimes/build as root on the server" : runtimes});
  table.add({"instances", fmt::format("{} of at most {}", number_in(*status, "instances"),
                                      number_in(*status, "maxInstances"))});
  table.add({"names", resolved ? "*." + domain + " resolves here"
                               : "*." + domain +
                                     " does not resolve here for every program (curl and browsers "
                                     "know *.localhost by themselves): "
                                     "install libnss-myhostname, or use /fn/NAME/"});
  std::fputs(table.text().c_str(), stdout);
  return runtimes.empty() ? kFailed : kDone;
}

}  // namespace lambda::cli
