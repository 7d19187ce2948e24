// Whether what the code says it depends on is in the package. Reads the two lists; blocking.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "cli/project/contents.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

// Looks at requirements.txt (Python) and package.json (Node) where they are in the package.
// Error: invalid, with the exact command to run.
Result<Done> check_dependencies(const std::filesystem::path& folder, const Contents& contents,
                                const std::string& runtime);

// Where none of the programs is in the PATH: a line that says so and names Debian's package, with a
// line's end before it; else "".
[[nodiscard]] std::string missing_tool(const std::vector<std::string>& programs,
                                       std::string_view package);

// For a line that is pasted into a shell.
[[nodiscard]] std::string shell_quoted(const std::string& text);

}  // namespace lambda::cli
