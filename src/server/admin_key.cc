#include "server/admin_key.h"

#include "base/crypto.h"
#include "server/server_files.h"

#include <spdlog/spdlog.h>

#include <fstream>
#include <string>
#include <sys/stat.h>
#include <utility>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

fs::path path_in(const fs::path& data_directory) {
  return data_directory / "admin.key";
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// An administrator's key of any name: somebody may have put another into the file.
bool is_taken(const store::KeyTable& keys, const Clock& clock, const std::string& token) {
  const auto parsed = store::KeyTable::parse_token(token);
  if (!parsed) return false;
  const auto key = keys.find(parsed->first);
  return key && key->is_live(clock.now()) && key->grants.is_whole_admin() &&
         equals_in_constant_time(key->secret, parsed->second);
}

void warn_of_others(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & 077) == 0) return;
  spdlog::warn(
      "{} can be read by others (mode {:o}): run `chmod 600 {}`, and if somebody may have read it, "
      "stop the server and run `lambdad --replace-keys`",
      path.string(), status.st_mode & 0777, path.string());
}

Result<Done> note(store::AuditTable& audit, const Clock& clock, std::string operation,
                  std::string what) {
  store::AuditRow row;
  row.time = clock.now();
  row.kind = "lambdad";
  row.actor = "lambdad";
  row.operation = std::move(operation);
  row.note = std::move(what);
  row.status = 200;
  return audit.append(row);
}

Result<Done> make(store::KeyTable& keys, store::AuditTable& audit, const Clock& clock,
                  const fs::path& path) {
  auto noted = note(audit, clock, "CreateKey", "the administrator's key");
  if (!noted) return noted;
  auto key = keys.create(std::string(store::kAdminName), store::Grants::everything());
  if (!key) return fail(std::move(key.error()), "make the administrator's key");
  return write_file(path, (*key)->token() + "\n", 0600);
}

}  // namespace

Result<Done> ensure_admin_key(store::KeyTable& keys, store::AuditTable& audit, const Clock& clock,
                              const fs::path& data_directory) {
  const auto path = path_in(data_directory);
  std::error_code ignored;
  const bool there = fs::exists(path, ignored);
  if (there && is_taken(keys, clock, first_line(path))) {
    warn_of_others(path);
    return Done{};
  }
  if (there) {
    spdlog::warn(
        "{} does not hold a key that this server takes (it belongs to another account or region, "
        "was revoked, may less, or was changed by hand): it is written anew",
        path.string());
  }
  const auto admin = keys.find_named(store::kAdminName);
  if (!admin) return make(keys, audit, clock, path);
  if (!there) {
    spdlog::warn(
        "{} was missing and is written again, with the same key: deleting the file revokes "
        "nothing. "
        "To have a new key, stop the server and run `lambdad --replace-keys`",
        path.string());
  }
  return write_file(path, admin->token() + "\n", 0600);
}

Result<Done> replace_keys(store::KeyTable& keys, store::AuditTable& audit, const Clock& clock,
                          const fs::path& data_directory) {
  auto noted = note(audit, clock, "ReplaceKeys", "lambdad --replace-keys: every key is revoked");
  if (!noted) return noted;
  for (const auto& listed : keys.list()) {
    if (listed.key->revoked) continue;
    auto revoked = keys.revoke(listed.key->id);
    if (!revoked) return revoked;
  }
  return make(keys, audit, clock, path_in(data_directory));
}

}  // namespace lambda::server
