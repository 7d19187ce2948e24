// Detached mounts, owned by a descriptor, and where they are put. The kernel's new mount API
// (Linux 5.12): a mount is made, gets its attributes, and only then appears somewhere.
// Blocking; a single-threaded process.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lambda::sandbox::native {

// A directory strictly below `base` (an open directory or AT_FDCWD with an absolute `below`):
// no symlink on the way, no "..". Errors name the path.
Result<UniqueFd> open_below(const std::string& base, const std::string& below);

// A copy of the mount that an open directory or file lies on, rooted there.
Result<UniqueFd> copy_tree(int fd, bool with_submounts = false);
Result<UniqueFd> copy_tree(const std::string& path, bool with_submounts = false);

// A copy of a directory strictly below `base` (see open_below), with these MOUNT_ATTR_*.
Result<UniqueFd> copy_below(const std::string& base, const std::string& below,
                            std::uint64_t attributes);
// One that nobody can write to.
Result<UniqueFd> read_only_copy(const std::string& base, const std::string& below);

// MOUNT_ATTR_*.
Result<Done> set_attributes(int tree, std::uint64_t attributes);

// A new file system instance, options as key and value.
Result<UniqueFd> make_file_system(const char* type,
                                  const std::vector<std::pair<std::string, std::string>>& options,
                                  std::uint64_t attributes);

// Changes options of the file system that a mount shows, such as the size of a tmpfs.
Result<Done> change_file_system(int mount,
                                const std::vector<std::pair<std::string, std::string>>& options);

// A directory or file of the current root by its absolute path. No symlink on the way: whoever made
// the root file system does not choose where root mounts or writes.
Result<UniqueFd> open_target(const std::string& path);

// Puts a detached mount there.
Result<Done> place(int tree, const UniqueFd& target);
Result<Done> place(int tree, const std::string& path);

}  // namespace lambda::sandbox::native
