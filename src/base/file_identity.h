// Tells a file from any other that has, or later gets, the same name.
#pragma once

#include <string>
#include <sys/stat.h>

namespace lambda {

// "device.inode.seconds.nanoseconds" of when it was last written to: of a socket, when it was made.
// A new mode or owner makes it no other.
[[nodiscard]] std::string file_identity(const struct stat& info);

}  // namespace lambda
