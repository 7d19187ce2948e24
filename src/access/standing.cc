#include "access/standing.h"

#include "base/time_text.h"

#include <string>
#include <string_view>

namespace lambda::access {
namespace {

constexpr std::string_view kExpiredToken = "The security token included in the request is expired";

}  // namespace

Result<Done> check_standing(const store::Key& key, WallTime now) {
  if (key.revoked) {
    return fail(Error(ErrorCode::unauthenticated,
                      fmt::format("{} The key \"{}\" was revoked at {}Z.", kInvalidToken, key.name,
                                  format_iso(*key.revoked)))
                    .with_aws_type("UnrecognizedClientException"));
  }
  if (key.is_expired(now)) {
    return fail(Error(ErrorCode::unauthenticated,
                      fmt::format("{}: the key \"{}\" ended at {}Z. Make another: `lambda keys "
                                  "create`",
                                  kExpiredToken, key.name, format_iso(*key.expires)))
                    .with_aws_type("ExpiredTokenException"));
  }
  return Done{};
}

Result<Done> check_standing_unproven(const store::Key& key, WallTime now) {
  auto good = check_standing(key, now);
  if (good) return good;
  const bool ended = !key.revoked;
  return fail(Error(ErrorCode::unauthenticated, std::string(ended ? kExpiredToken : kInvalidToken))
                  .with_aws_type(good.error().aws_type()));
}

}  // namespace lambda::access
