// The event that a person gives: JSON, and what the shell has left of it. Pure.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <string_view>

namespace lambda::cli {

// Error: invalid; says how --data is written.
Result<Done> check_event(std::string_view text);

}  // namespace lambda::cli
