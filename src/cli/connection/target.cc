// Steps: a host by name (--host, --context, LAMBDA_HOST, LAMBDA_CONTEXT) -> else the data directory
// that LAMBDA_DATA_DIR names, and no other -> else the context of the configuration file -> else
// the server on this machine -> a key for it -> no key in the clear to another machine.
#include "cli/connection/target.h"

#include "base/blocking.h"
#include "base/encoding.h"
#include "cli/connection/local_server.h"
#include "cli/connection/settings_file.h"

#include <arpa/inet.h>
#include <cstdlib>
#include <optional>

namespace lambda::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

struct Host {
  std::string url;
  std::string source;
};

// As somebody named it, or nothing. A directory that is named for this command comes before a host
// that is kept for all.
std::optional<Host> named_host(const ConnectionOptions& options, const ChosenContext& chosen,
                               const Context& context) {
  if (!options.host.empty()) return Host{options.host, "--host"};
  const auto of_context = [&]() -> std::optional<Host> {
    if (context.host.empty()) return std::nullopt;
    return Host{context.host, chosen.source};
  };
  if (!options.context.empty()) return of_context();
  if (auto host = variable("LAMBDA_HOST"); !host.empty()) return Host{host, "LAMBDA_HOST"};
  if (!variable("LAMBDA_CONTEXT").empty()) return of_context();
  if (!variable("LAMBDA_DATA_DIR").empty()) return std::nullopt;
  return of_context();
}

// Whether that endpoint is this server: another port of this machine may be a tunnel to a stranger,
// and a name that leads here is `localhost` on whatever address the server listens.
bool is_same_server(const http::Endpoint& endpoint, const LocalServer& local) {
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

// Whether the key that is kept belongs to that endpoint: one that is kept with a host is that
// host's alone.
bool is_key_of(const Context& context, const http::Endpoint& endpoint) {
  if (context.host.empty()) return true;
  const auto kept = parse_host(context.host);
  if (!kept) return false;
  const auto& host = kept->endpoint;
  return to_lower(host.host) == to_lower(endpoint.host) && host.port == endpoint.port &&
         host.tls == endpoint.tls && host.unix_path == endpoint.unix_path;
}

// Who says which server, and with which key.
struct Asked {
  const ConnectionOptions& options;
  const SettingsFile& settings;
  ChosenContext chosen;
  Context context;
};

// The context in use, else one that was made for that very host.
std::string kept_key(const Asked& asked, const http::Endpoint& endpoint) {
  if (!asked.context.key.empty() && is_key_of(asked.context, endpoint)) return asked.context.key;
  for (const auto& [name, context] : asked.settings.contexts) {
    if (!context.host.empty() && !context.key.empty() && is_key_of(context, endpoint))
      return context.key;
  }
  return {};
}

// One that stands beside LAMBDA_HOST is that host's, and no context's.
bool variable_is_for_another(const ConnectionOptions& options) {
  return options.host.empty() && !options.context.empty() && !variable("LAMBDA_HOST").empty();
}

void choose_key(const Asked& asked, const std::optional<LocalServer>& local, Target& target) {
  if (!variable_is_for_another(asked.options)) target.key = variable("LAMBDA_API_KEY");
  target.key_source = "LAMBDA_API_KEY";
  // The local server's own key comes before a kept one only where no host was named.
  const auto take_local = [&] {
    if (!target.key.empty() || !local || local->key.empty()) return;
    target.key = local->key;
    target.key_source = local->place + "/admin.key";
  };
  if (!target.named) take_local();
  if (target.key.empty()) {
    target.key = kept_key(asked, target.url.endpoint);
    target.key_source = settings_path().string();
  }
  if (target.named && local && is_same_server(target.url.endpoint, *local)) take_local();
  if (target.key.empty()) target.key_source.clear();
}

}  // namespace

ChosenContext chosen_context(const ConnectionOptions& options, const SettingsFile& settings) {
  if (!options.context.empty())
    return {options.context, fmt::format("the context {}", options.context)};
  if (const auto name = variable("LAMBDA_CONTEXT"); !name.empty()) return {name, "LAMBDA_CONTEXT"};
  return {settings.current, settings_path().string()};
}

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
  const auto chosen = chosen_context(options, *settings);
  auto context = settings->context(chosen.name, chosen.source);
  // A host that comes before it needs no context.
  const bool not_needed =
      !options.host.empty() || (options.context.empty() && !variable("LAMBDA_HOST").empty());
  if (!context && !not_needed) return fail(std::move(context.error()));
  const Asked asked{options, *settings, chosen, context ? std::move(*context) : Context{}};
  auto host = named_host(options, chosen, asked.context);
  auto found = find_local_server(variable("LAMBDA_DATA_DIR"));
  if (!host && !found) return fail(std::move(found.error()));
  const auto local = found ? std::move(*found) : std::nullopt;
  Target target;
  target.context = chosen.name;
  target.named = host.has_value();
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
  choose_key(asked, local, target);
  if (!target.named && target.key.empty() && target.url.endpoint.unix_path.empty()) {
    return fail(
        ErrorCode::denied,
        "the server of {0} runs at {1}, but its key {0}/admin.key is not there, or this user may "
        "not read it: give a key of it with LAMBDA_API_KEY, or restart the server, which writes "
        "that file again",
        target.source, target.url.host_header);
  }
  if (target.named && target.key.empty() && !asked.context.key.empty() &&
      target.url.endpoint.unix_path.empty()) {
    return fail(ErrorCode::denied,
                "the key that is kept in {} is for {}, and is sent to no other host: give the key "
                "of {} (from {}) with LAMBDA_API_KEY",
                settings_path().string(), asked.context.host, target.url.host_header,
                target.source);
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
