// `lambda queue NAME` and `lambda schedule NAME`, whose NAME is no function: it may have been meant
// for a command. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <vector>

namespace lambda::cli {

// What `error` says where it is not_found, and which of the `commands` of `parent` ("lambda queue")
// may have been meant.
[[nodiscard]] Error unknown_name(const Error& error, const std::string& name,
                                 const std::string& parent,
                                 const std::vector<std::string>& commands);

}  // namespace lambda::cli
