#include "base/environment_rules.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

namespace lambda {
namespace {

constexpr std::array<std::string_view, 18> kReservedVariables = {
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool is_variable_name(std::string_view name) {
  return name.size() >= 2 && is_letter(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

bool is_reserved_variable(std::string_view name) {
  return std::ranges::find(kReservedVariables, name) != kReservedVariables.end();
}

std::string environment_text(const Variables& variables) {
  std::string text = "{";
  auto quote = [&text](std::string_view value) {
    text += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') {
        text += '\\';
        text += c;
      } else if (c == '\n') {
        text += "\\n";
      } else if (c == '\t') {
        text += "\\t";
      } else if (c == '\r') {
        text += "\\r";
      } else if (static_cast<unsigned char>(c) < 0x20) {
        text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      } else {
        text += c;
      }
    }
    text += '"';
  };
  for (const auto& [name, value] : variables) {
    if (text.size() > 1) text += ',';
    quote(name);
    text += ':';
    quote(value);
  }
  return text + "}";
}

Result<Done> check_variables(const Variables& variables) {
  for (const auto& [name, value] : variables) {
    if (!is_variable_name(name)) {
      return fail(ErrorCode::invalid,
                  "an environment variable cannot be called \"{}\": its name has two or more "
                  "letters, digits and \"_\", and begins with a letter",
                  name);
    }
    if (is_reserved_variable(name)) {
      return fail(ErrorCode::invalid,
                  "the environment variable {} is set by the server for every function: choose "
                  "another name",
                  name);
    }
  }
  const auto size = environment_text(variables).size();
  if (size <= kMaxEnvironmentBytes) return Done{};
  return fail(ErrorCode::invalid,
              "the environment variables have {} bytes in all, and at most {} are kept: put what "
              "is large into a file of the function",
              size, kMaxEnvironmentBytes);
}

}  // namespace lambda
