// The command line's own configuration: ~/.config/lambda/config.toml ($XDG_CONFIG_HOME), mode 0600,
// with `host` and `key`.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <string>

namespace lambda::cli {

struct SettingsFile {
  std::string host;
  std::string key;
};
[[nodiscard]] std::filesystem::path settings_path();
// Empty where there is none. Errors: a file that is not TOML.
Result<SettingsFile> read_settings();
Result<Done> write_settings(const SettingsFile& settings);

}  // namespace lambda::cli
