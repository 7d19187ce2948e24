// For messages about a path that cannot be used: what on the way to it is in the way. Blocking.
#pragma once

#include <filesystem>
#include <string>

namespace lambda {

// Who this process is: "ann (uid 1000)".
[[nodiscard]] std::string own_user();

// "/root is closed to lambda (uid 104)..., with what to do about it" where a directory above `path`
// may not be walked through by this process, or "/a/b is not a directory"; "" where it is neither.
[[nodiscard]] std::string what_is_in_the_way(const std::filesystem::path& path);

}  // namespace lambda
