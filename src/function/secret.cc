#include "function/secret.h"

#include "base/environment_rules.h"

namespace lambda::function {

std::string_view to_string(SecretForm form) {
  return form == SecretForm::file ? "file" : "env";
}

std::optional<SecretForm> parse_secret_form(std::string_view text) {
  for (const auto form : {SecretForm::environment, SecretForm::file}) {
    if (text == to_string(form)) return form;
  }
  return std::nullopt;
}

Result<Done> check_secret_name(std::string_view name) {
  if (!is_variable_name(name) || name.size() > kMaxSecretName) {
    return fail(ErrorCode::invalid,
                "a secret cannot be called \"{}\": like an environment variable's, its name has 2 "
                "to {} letters, digits and \"_\", and begins with a letter",
                name.substr(0, kMaxSecretName), kMaxSecretName);
  }
  if (is_reserved_variable(name)) {
    return fail(ErrorCode::invalid,
                "a secret cannot be called {}: the server sets the environment variable of that "
                "name for every function. Choose another name",
                name);
  }
  return Done{};
}

Result<Done> check_secret_value(std::string_view name, std::string_view value, SecretForm form) {
  if (value.empty()) {
    return fail(ErrorCode::invalid,
                "the secret {} would be empty: give its value on standard input, or delete it with "
                "`lambda secret delete {}`",
                name, name);
  }
  if (value.size() > kMaxSecretBytes) {
    return fail(ErrorCode::too_large,
                "the secret {} has more than {} bytes, the most that is kept: keep a key to the "
                "data as the secret, and the data elsewhere",
                name, kMaxSecretBytes);
  }
  if (form == SecretForm::environment && value.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid,
                "the secret {} contains a NUL character, which no environment variable can hold: "
                "give it to functions as a file (--as file)",
                name);
  }
  return Done{};
}

}  // namespace lambda::function
