// What an alias is to point to, as it is typed. Pure.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lambda::cli {

struct AliasTargets {
  std::string version;  // "7", "$LATEST"
  std::optional<std::string> second;
  double weight = 0;  // of the second, 0 to 1
};

// "7", "7=100", or "7=90" and "8=10". `first`: the version that the alias points to now stays its
// first where it is one of them, as it is the one that a rollback goes back to.
// One that gets no calls is left out. Error: invalid.
Result<AliasTargets> parse_alias_targets(const std::vector<std::string>& words,
                                         const std::string& first);

// 1 to 128 letters, digits, '-' and '_', and not digits alone. Error: invalid.
Result<Done> check_alias_name(const std::string& name);

// "7 90 %, 8 10 %": of an alias as GET /_lambda/functions/NAME tells it.
[[nodiscard]] std::string alias_text(const boost::json::object& alias);

}  // namespace lambda::cli
