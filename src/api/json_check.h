// Whether a text is JSON, without keeping what it says: events of any depth, at the cost of one
// pass. Pure.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <string_view>

namespace lambda::api {

// Error: bad_content, with AWS's beginning, and where the text stops being JSON.
Result<Done> check_json(std::string_view text);
// The same of one of our own members, in our own words: "data is not JSON: ...".
Result<Done> check_json_member(std::string_view member, std::string_view text);

}  // namespace lambda::api
