#include "cli/missing_variable.h"

#include "base/environment_rules.h"

#include <spdlog/fmt/fmt.h>

namespace lambda::cli {
namespace {

// Whether the traceback ends in os.environ[NAME]; any other dictionary has no frame of its own.
bool ends_in_environ(std::string_view output) {
  const auto frame = output.rfind("  File \"");
  if (frame == std::string_view::npos) return false;
  const auto line = output.substr(frame, output.find('\n', frame) - frame);
  return line.ends_with(", in __getitem__") &&
         (line.find("<frozen os>\"") != std::string_view::npos ||
          line.find("/os.py\"") != std::string_view::npos);
}

std::string_view missing_key(std::string_view output) {
  constexpr std::string_view kError = "KeyError: '";
  const auto at = output.rfind(kError);
  if (at == std::string_view::npos) return {};
  const auto name = output.substr(at + kError.size());
  return name.substr(0, name.find('\''));
}

}  // namespace

std::string missing_variable_remedy(std::string_view output) {
  if (!ends_in_environ(output)) return {};
  const auto name = missing_key(output);
  if (name == "AWS_LAMBDA_RUNTIME_API") {
    return "AWS_LAMBDA_RUNTIME_API is there for a handler and its runtime, not for an HTTP "
           "function. Code that serves the Runtime API itself is deployed with --kind handler";
  }
  if (!is_variable_name(name) || is_reserved_variable(name)) return {};
  return fmt::format(
      "{0} is not in the function's environment. Set it with -e {0}=VALUE, or in lambda.toml: "
      "environment = {{ {0} = \"VALUE\" }}",
      name);
}

}  // namespace lambda::cli
