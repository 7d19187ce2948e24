// The spellings of a function in a path: a name, name:qualifier, a partial or a full ARN. Pure.
#pragma once

#include "base/result.h"
#include "function/catalog.h"

#include <optional>
#include <string>
#include <string_view>

namespace lambda::api {

struct FunctionName {
  std::string name;
  std::string qualifier;  // "" where none was given
};

// `text` is decoded; `query_qualifier` is ?Qualifier=. Errors: AWS's for a qualifier that differs,
// another region, or a name that is none.
Result<FunctionName> parse_function_name(std::string_view text,
                                         const std::optional<std::string>& query_qualifier,
                                         const function::Tenant& tenant);

// AWS's error for a text that names no function.
[[nodiscard]] tl::unexpected<Error> not_a_function_name(std::string_view text);

}  // namespace lambda::api
