// What several of `lambda config`'s commands do to a context. Main thread.
#pragma once

#include "base/result.h"
#include "cli/connection/settings_file.h"

#include <initializer_list>
#include <string>

namespace lambda::cli {

// One server's key is nobody else's to see: it goes with the host, whose name is returned then,
// else
// "". `url` may be "local". Error: invalid (no URL).
Result<std::string> change_host(Context& context, const std::string& url);
// Of those environment variables, the first that is set comes before what was just changed.
void warn_of_variables(std::initializer_list<const char*> names);

}  // namespace lambda::cli
