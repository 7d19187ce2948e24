// The code in the body of CreateFunction and UpdateFunctionCode: a zip in base64, or the name of a
// local image.
#pragma once

#include "api/operation.h"

namespace lambda::api {

// AWS's limits for a zip in a request, and for a whole request.
inline constexpr std::size_t kMaxZipBytes = 52'428'800;
inline constexpr std::size_t kMaxRequestBytes = 70'167'211;

// `members` is Code of CreateFunction, or the body of UpdateFunctionCode; `settings` those of the
// function. Errors: invalid (not a zip, S3, neither), too_large, the image's; denied: an image that
// the caller may not name.
Task<Result<TakenCode>> take_code(Services& services, const Exchange& exchange,
                                  const boost::json::object& members,
                                  const function::Configuration& settings);

}  // namespace lambda::api
