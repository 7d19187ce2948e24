// The command line's own configuration: ~/.config/lambda/config.toml ($XDG_CONFIG_HOME), mode 0600.
// Without $HOME it is in the home directory that the system knows. Main thread.
// It holds contexts (a host and its key, under a name), and which of them is used:
//
//   context = "prod"
//   [contexts.prod]
//   host = "https://lambda.example.com"
//   key = "lam_..."
//
// One that has `host` and `key` at its top is read as the context "default".
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace lambda::cli {

inline constexpr const char* kDefaultContext = "default";

struct Context {
  std::string host;  // "": the server on this machine
  std::string key;
};

struct SettingsFile {
  std::string current = kDefaultContext;
  std::map<std::string, Context> contexts;

  // The one of that name. "default" is always there: where nothing was set, it is the server on
  // this machine. Error: invalid; `source` says who named it.
  [[nodiscard]] Result<Context> context(const std::string& name, std::string_view source) const;
};

[[nodiscard]] std::filesystem::path settings_path();
// Empty where there is none. Errors: invalid (no TOML, or a value of another kind), denied (it
// cannot be read).
Result<SettingsFile> read_settings();
// What this version does not know stays in the file. Errors: those of read_settings(); denied.
Result<Done> write_settings(const SettingsFile& settings);
// 1 to 63 of letters, digits, '.', '_' and '-', the first a letter or digit. Error: invalid.
[[nodiscard]] Result<Done> check_context_name(std::string_view name);

}  // namespace lambda::cli
