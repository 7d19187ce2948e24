// Whether a key that somebody has shown is still one. Pure; any thread.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/key_table.h"

#include <string_view>

namespace lambda::access {

// AWS's words for a key that is none.
inline constexpr std::string_view kInvalidToken =
    "The security token included in the request is invalid.";

// Of a key whose secret was right. Errors: unauthenticated (revoked, expired), with AWS's types.
[[nodiscard]] Result<Done> check_standing(const store::Key& key, WallTime now);

// The same for somebody who has named the key and not shown yet that its secret is theirs: without
// what it is called and when it ended.
[[nodiscard]] Result<Done> check_standing_unproven(const store::Key& key, WallTime now);

}  // namespace lambda::access
