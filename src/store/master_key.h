// The key that seals secrets in the database: 32 random bytes as hex in <data>/master.key, mode
// 0600, made at the first start. Without that file sealed secrets are lost, so it is never replaced
// silently. Immutable; any thread.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace lambda::store {

class MasterKey {
 public:
  // `needed`: something in the database is sealed already, and a new key would not open it.
  // Errors: denied (cannot be read, or others can read or replace it), invalid (not a key, or
  // missing though needed), internal (disk full).
  static Result<MasterKey> load(const std::filesystem::path& data_directory, bool needed);
  // A random one that is stored nowhere, for tests.
  static MasterKey ephemeral();

  [[nodiscard]] std::string seal(std::string_view plain, std::string_view context) const;
  [[nodiscard]] Result<std::string> unseal(std::string_view sealed, std::string_view context) const;
  // 32 bytes that only who has this key can make: another secret for each label.
  [[nodiscard]] std::string derive(std::string_view label) const;

 private:
  explicit MasterKey(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

}  // namespace lambda::store
