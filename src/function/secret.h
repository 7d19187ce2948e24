// What a secret is, and the rules for it. Pure; any thread.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::function {

// How it reaches an instance: as an environment variable, or as the file /run/secrets/NAME.
enum class SecretForm { environment, file };
[[nodiscard]] std::string_view to_string(SecretForm form);  // "env", "file"
[[nodiscard]] std::optional<SecretForm> parse_secret_form(std::string_view text);

// The secrets that a version asks for, by name; without a form in the secret's own.
using SecretReferences = std::map<std::string, std::optional<SecretForm>>;

// One value: what an environment variable can hold beside others (sandbox/init takes 160 KiB).
inline constexpr std::size_t kMaxSecretBytes = 64 * 1024;
inline constexpr std::size_t kMaxSecretName = 128;

// What is shown of a secret: never its value.
struct Secret {
  std::string function;  // whose own it is; "": shared by those that ask for it
  std::string name;
  SecretForm form = SecretForm::environment;
  std::string digest;  // changes with the value; says nothing of it without the master key
  WallTime changed{};
};

// Values for one instance.
struct SecretValues {
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> files;
};

// Named like an environment variable, and not one that the server sets. Error: invalid.
[[nodiscard]] Result<Done> check_secret_name(std::string_view name);
// Error: invalid (empty, or NUL in what becomes an environment variable), too_large. Never with the
// value.
[[nodiscard]] Result<Done> check_secret_value(std::string_view name, std::string_view value,
                                              SecretForm form);

}  // namespace lambda::function
