// Tells programs for another system or CPU before they fail at the first call with a riddle. Looked
// at: `bootstrap` at the root of a package, and native libraries (*.so, *.so.N, *.node) anywhere
// but below a `prebuilds` folder, where npm packages keep builds for every platform side by side.
// Pure functions; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace lambda::function {

// So many bytes from the beginning of a file decide.
inline constexpr std::size_t kProgramHeadBytes = 256;

// `path` is relative to the package's root.
[[nodiscard]] bool is_program_path(std::string_view path);

// Error: invalid; says what the file was built for and how to build it for this server.
[[nodiscard]] Result<Done> check_program(std::string_view path, std::string_view head);

}  // namespace lambda::function
