// Steps: a host by name (--host, LAMBDA_HOST) -> else the data directory that LAMBDA_DATA_DIR
// names, and no other -> else the configuration file -> else the server on this machine -> a key
// for it -> no key in the clear to another machine.
#include "cli/connection/target.h"

#include "base/blocking.h"
#include "cli/connection/json_fields.h"
#include "cli/connection/settings_file.h"

#include <boost/json.hpp>

#include <arpa/inet.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* kSocket = "/run/lambda/lambda.sock";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Where a server on this machine keeps its files when nobody says where.
std::vector<fs::path> usual_directories() {
  std::vector<fs::path> directories;
  if (const auto home = variable("HOME"); !home.empty())
    directories.push_back(fs::path(home) / ".local/share/lambda");
  directories.emplace_back("/var/lib/lambda");
  return directories;
}

// What the running server says of itself, which others may read, too; empty where it is not there.
json::object facts_in(const fs::path& server_file) {
  std::ifstream file(server_file);
  std::ostringstream text;
  text << file.rdbuf();
  boost::system::error_code error;
  auto value = json::parse(text.str(), error);
  return error || !value.is_object() ? json::object() : std::move(value.as_object());
}

struct Local {
  std::string url;
  std::string key;
  std::string place;
  std::string socket;
  std::vector<std::string> addresses;  // where it listens: "127.0.0.1:80", "[::1]:80"
};

Local local_from(const json::object& facts, std::string key, const fs::path& directory) {
  Local local;
  local.url = text_in(facts, "url");
  local.key = std::move(key);
  local.place = directory.string();
  local.socket = text_in(facts, "socket");
  for (const auto& address : array_in(facts, "addresses")) {
    if (address.is_string()) local.addresses.emplace_back(address.as_string());
  }
  return local;
}

// One of which no more is known than its socket; that needs no key.
Local local_at(const std::string& socket) {
  Local local;
  local.url = "unix:" + socket;
  local.place = socket;
  local.socket = socket;
  return local;
}

Error no_server_in(const fs::path& directory) {
  const auto file = directory / "server.json";
  std::error_code error;
  const bool there = fs::exists(file, error);
  const auto why = error ? fmt::format("{} cannot be looked at: {}", file.string(), error.message())
                   : there ? fmt::format("{} cannot be read, or names no URL", file.string())
                           : fmt::format("there is no {}", file.string());
  return Error(ErrorCode::unavailable,
               fmt::format("no server runs on this machine with the data directory that "
                           "LAMBDA_DATA_DIR names: {}. Start one there (./run with the same "
                           "LAMBDA_DATA_DIR, or lambdad --data-dir {}), or reach another: unset "
                           "LAMBDA_DATA_DIR, or name its URL with LAMBDA_HOST",
                           why, directory.string()));
}

// The server of a data directory: by its files where its key can be read and sent, which over plain
// HTTP is to loopback alone; else by its socket.
Result<Local> local_in(const fs::path& directory) {
  const auto facts = facts_in(directory / "server.json");
  const auto url = text_in(facts, "url");
  if (url.empty()) return fail(no_server_in(directory));
  auto key = first_line(directory / "admin.key");
  const auto socket = text_in(facts, "socket");
  std::error_code error;
  const bool has_socket = !socket.empty() && fs::exists(socket, error);
  if (key.empty() && has_socket) return local_at(socket);
  auto local = local_from(facts, std::move(key), directory);
  const auto parsed = http::parse_url(url);
  if (has_socket && parsed && !is_loopback(parsed->endpoint)) local.url = "unix:" + socket;
  return local;
}

// Nothing where there is none that could be called. Error: none in the directory that was named.
Result<std::optional<Local>> find_local() {
  std::error_code error;
  if (const auto named = variable("LAMBDA_DATA_DIR"); !named.empty()) {
    auto directory = fs::absolute(named, error);
    auto local = local_in(error ? fs::path(named) : directory);
    if (!local) return fail(std::move(local.error()));
    return std::optional(std::move(*local));
  }
  for (const auto& directory : usual_directories()) {
    auto local = local_in(directory);
    if (local && (!local->key.empty() || local->place == local->socket))
      return std::optional(std::move(*local));
  }
  if (fs::exists(kSocket, error)) return std::optional(local_at(kSocket));
  return std::optional<Local>();
}

struct Host {
  std::string url;
  std::string source;
};

// As somebody named it, or nothing. A directory that is named for this command comes before a host
// that is kept for all.
std::optional<Host> named_host(const ConnectionOptions& options, const SettingsFile& settings) {
  if (!options.host.empty()) return Host{options.host, "--host"};
  if (auto host = variable("LAMBDA_HOST"); !host.empty()) return Host{host, "LAMBDA_HOST"};
  if (!variable("LAMBDA_DATA_DIR").empty()) return std::nullopt;
  if (!settings.host.empty()) return Host{settings.host, settings_path().string()};
  return std::nullopt;
}

// Whether that endpoint is this server: another port of this machine may be a tunnel to a stranger,
// and a name that leads here is `localhost` on whatever address the server listens.
bool is_same_server(const http::Endpoint& endpoint, const Local& local) {
  if (!endpoint.unix_path.empty()) return endpoint.unix_path == local.socket;
  if (!is_loopback(endpoint)) return false;
  const bool numeric = endpoint.host.find_first_not_of("0123456789.") == std::string::npos ||
                       endpoint.host.find(':') != std::string::npos;
  for (const auto& address : local.addresses) {
    auto listens = http::parse_url("http://" + address);
    if (!listens || listens->endpoint.port != endpoint.port) continue;
    if (!numeric || listens->endpoint.host == endpoint.host) return true;
  }
  return false;
}

void choose_key(const SettingsFile& settings, const std::optional<Local>& local, Target& target) {
  target.key = variable("LAMBDA_API_KEY");
  target.key_source = "LAMBDA_API_KEY";
  // The local server's own key comes before a kept one only where no host was named.
  const auto take_local = [&] {
    if (!target.key.empty() || !local || local->key.empty()) return;
    target.key = local->key;
    target.key_source = local->place + "/admin.key";
  };
  if (!target.named) take_local();
  if (target.key.empty() && !settings.key.empty()) {
    target.key = settings.key;
    target.key_source = settings_path().string();
  }
  if (target.named && local && is_same_server(target.url.endpoint, *local)) take_local();
  if (target.key.empty()) target.key_source.clear();
}

}  // namespace

Result<http::ParsedUrl> parse_host(const std::string& text) {
  const bool bare = text.find("://") == std::string::npos && !text.starts_with("unix:");
  return http::parse_url(bare ? "http://" + text : text);
}

bool is_loopback(const http::Endpoint& endpoint) {
  const auto& host = endpoint.host;
  if (!endpoint.unix_path.empty() || host == "localhost" || host.ends_with(".localhost"))
    return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<Target> find_target(const ConnectionOptions& options) {
  auto settings = read_settings();
  if (!settings) return fail(std::move(settings.error()));
  auto host = named_host(options, *settings);
  auto found = find_local();
  if (!host && !found) return fail(std::move(found.error()));
  const auto local = found ? std::move(*found) : std::nullopt;
  Target target;
  target.named = host.has_value();
  // A key that is kept with a host is that host's.
  if (!target.named && !settings->host.empty()) settings->key.clear();
  if (!host && !local) {
    return fail(ErrorCode::unavailable,
                "no server was found on this machine. Start one (./run, or systemctl start "
                "lambdad), or name another: `lambda config set-host URL`, or LAMBDA_HOST. (A local "
                "server's key is readable by root and its own user alone: others need `lambda "
                "config set-key`, or to be members of the group lambda.)");
  }
  if (!host) host = Host{local->url, local->place};
  target.source = host->source;
  auto url = parse_host(host->url);
  if (!url) return fail(std::move(url.error()), "the host from {}", target.source);
  target.url = std::move(*url);
  choose_key(*settings, local, target);
  if (!target.named && target.key.empty() && target.url.endpoint.unix_path.empty()) {
    return fail(ErrorCode::denied,
                "the server of {0} runs at {1}, but this user may not read its key {0}/admin.key: "
                "be its owner or root, or give a key of it with LAMBDA_API_KEY",
                target.source, target.url.host_header);
  }
  if (!target.key.empty() && !looks_like_key(target.key)) {
    return fail(ErrorCode::denied,
                "the key from {} is no key of Lambda's: one is lam_, 20 characters, _, and 40 "
                "characters",
                target.key_source);
  }
  if (!target.key.empty() && !target.url.endpoint.tls && !is_loopback(target.url.endpoint) &&
      !options.insecure) {
    return fail(ErrorCode::denied,
                "the key would go to {} over plain HTTP, where it can be read on the way: use "
                "https://, an SSH tunnel (ssh -L 8080:localhost:80 HOST), or --insecure",
                target.url.host_header);
  }
  return target;
}

bool looks_like_key(std::string_view key) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view kSecret =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return key.size() == 65 && key.starts_with("lam_") && key[24] == '_' &&
         key.substr(4, 20).find_first_not_of(kDigits) == std::string_view::npos &&
         key.substr(25).find_first_not_of(kSecret) == std::string_view::npos;
}

}  // namespace lambda::cli
