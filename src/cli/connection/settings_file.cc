#include "cli/connection/settings_file.h"

#include <toml++/toml.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace lambda::cli {

namespace fs = std::filesystem;

fs::path settings_path() {
  if (const char* base = std::getenv("XDG_CONFIG_HOME"); base != nullptr && *base != '\0')
    return fs::path(base) / "lambda/config.toml";
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "/" : home) / ".config/lambda/config.toml";
}

Result<SettingsFile> read_settings() {
  SettingsFile settings;
  const auto path = settings_path();
  std::error_code error;
  if (!fs::exists(path, error)) return settings;
  try {
    const auto table = toml::parse_file(path.string());
    settings.host = table["host"].value_or("");
    settings.key = table["key"].value_or("");
  } catch (const toml::parse_error& problem) {
    return fail(ErrorCode::invalid, "{} line {}: {}", path.string(), problem.source().begin.line,
                problem.description());
  }
  return settings;
}

Result<Done> write_settings(const SettingsFile& settings) {
  const auto path = settings_path();
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error)
    return fail(ErrorCode::denied, "make {}: {}", path.parent_path().string(), error.message());
  toml::table table;
  if (!settings.host.empty()) table.insert("host", settings.host);
  if (!settings.key.empty()) table.insert("key", settings.key);
  const fs::path temporary = path.string() + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    fs::permissions(temporary, fs::perms::owner_read | fs::perms::owner_write, error);
    file << table << "\n";
    if (!file) return fail(ErrorCode::denied, "write {}", temporary.string());
  }
  fs::rename(temporary, path, error);
  if (error) return fail(ErrorCode::denied, "write {}: {}", path.string(), error.message());
  return Done{};
}

}  // namespace lambda::cli
