// Code.Location of GetFunction, and the download that it links to. The link is its own key, for ten
// minutes.
#pragma once

#include "api/operation.h"

namespace lambda::api {

// An address that the caller of `request` can reach.
[[nodiscard]] std::string code_link(const Services& services, const http::Request& request,
                                    std::string_view digest);

// GET /_lambda/code/DIGEST.zip; needs no key.
Task<Answer> download_code(Services& services, Exchange& exchange);

}  // namespace lambda::api
