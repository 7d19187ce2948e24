// Tells a file from any other that has, or later gets, the same name.
#pragma once

#include <string>
#include <sys/stat.h>

namespace lambda {

// "device.inode.seconds.nanoseconds" of its last change. A new mode or owner makes it another, too.
[[nodiscard]] std::string file_identity(const struct stat& info);

}  // namespace lambda
