#include "api/function_name.h"

#include "function/validation.h"

#include <algorithm>
#include <vector>

namespace lambda::api {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(':');
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

tl::unexpected<Error> not_a_function_name(std::string_view text) {
  return fail(ErrorCode::validation,
              "1 validation error detected: Value '{}' at 'functionName' failed to satisfy "
              "constraint: Member must satisfy regular expression pattern: "
              "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}(-gov)?-[a-z]+-\\d{{1}}:)?(\\d{{12}}:)?"
              "(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
              text);
}

Result<FunctionName> parse_function_name(std::string_view text,
                                         const std::optional<std::string>& query_qualifier,
                                         const function::Tenant& tenant) {
  auto parts = split(text);
  // arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]
  if (parts.size() >= 7 && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function") {
    if (parts[3] != tenant.region) {
      return fail(ErrorCode::not_found,
                  "Functions from '{}' are not reachable in this region ('{}')", parts[3],
                  tenant.region);
    }
    if (parts[4] != tenant.account)
      return fail(ErrorCode::not_found, "Function not found: {}", text);
    parts.erase(parts.begin(), parts.begin() + 6);
  } else if (parts.size() >= 3 && parts[1] == "function") {
    if (parts[0] != tenant.account)
      return fail(ErrorCode::not_found, "Function not found: {}", text);
    parts.erase(parts.begin(), parts.begin() + 2);
  } else if (parts.size() >= 2 && parts[0] == "function") {
    parts.erase(parts.begin());
  }
  FunctionName parsed;
  parsed.name = parts[0];
  if (parts.size() > 2) return not_a_function_name(text);
  if (parts.size() == 2) parsed.qualifier = parts[1];
  auto fits = function::check_function_name(parsed.name);
  if (!fits) return fail(std::move(fits.error()));
  if (query_qualifier && !query_qualifier->empty()) {
    if (!parsed.qualifier.empty() && parsed.qualifier != *query_qualifier) {
      return fail(
          ErrorCode::invalid,
          "The derived qualifier from the function name does not match the specified qualifier.");
    }
    parsed.qualifier = *query_qualifier;
  }
  return parsed;
}

}  // namespace lambda::api
