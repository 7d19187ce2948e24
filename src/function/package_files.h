// Files and folders of a package on disk: writing so that it lasts, and removing what is read-only.
// Blocking; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <string_view>

namespace lambda::function {

// An Error for a failed system call, in words where the disk is full. Call it on the next line.
[[nodiscard]] Error disk_error(std::string_view what, const std::filesystem::path& path);

// All bytes or an error.
Result<Done> write_all(int file, std::string_view bytes, const std::filesystem::path& path);

// fsync of one file or directory.
Result<Done> sync_path(const std::filesystem::path& path);

// Deletes a tree with read-only folders in it. What is not there is fine.
Result<Done> remove_tree(const std::filesystem::path& path);

}  // namespace lambda::function
