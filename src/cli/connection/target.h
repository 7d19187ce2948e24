// Where the server is, and with which key. Reads the environment and files; blocking.
#pragma once

#include "base/result.h"
#include "cli/connection/settings_file.h"
#include "http/client.h"

#include <string>
#include <string_view>

namespace lambda::cli {

// --host, --context, --insecure: what may stand with every command.
struct ConnectionOptions {
  std::string host;
  std::string context;
  bool insecure = false;
};

struct Target {
  http::ParsedUrl url;
  std::string key;         // "lam_<id>_<secret>", or "" over a unix socket
  std::string source;      // where the host came from, for messages
  std::string key_source;  // "" without a key
  std::string context;     // the one that was in use, whether or not the host came from it
  bool named = false;      // by somebody; else found on this machine
};

// --host, --context, LAMBDA_HOST, LAMBDA_CONTEXT, the data directory that LAMBDA_DATA_DIR names,
// the context that the configuration file says is used, then the server on this machine (its
// server.json and admin.key, or its unix socket). Errors: unavailable (none found, or none in the
// named directory; says how to name one), denied (a key over plain HTTP to another machine; no key
// at all by its shape; a key, or a named directory, that cannot be read), invalid (no URL, no such
// context).
Result<Target> find_target(const ConnectionOptions& options);

// Which context commands use, and who said so.
struct ChosenContext {
  std::string name;
  std::string source;
};
[[nodiscard]] ChosenContext chosen_context(const ConnectionOptions& options,
                                           const SettingsFile& settings);

// "http://HOST:PORT", "https://HOST", "unix:/PATH", or "HOST:PORT" alone.
Result<http::ParsedUrl> parse_host(const std::string& text);
// By its text alone: an address, or a name that needs no DNS.
[[nodiscard]] bool is_loopback(const http::Endpoint& endpoint);
// lam_<20 of A-Z0-9>_<40 of A-Za-z0-9>
[[nodiscard]] bool looks_like_key(std::string_view key);

}  // namespace lambda::cli
