#include "base/closed_directory.h"

#include <spdlog/fmt/fmt.h>

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda {

namespace fs = std::filesystem;

std::string own_user() {
  const auto uid = ::geteuid();
  const passwd* entry = ::getpwuid(uid);
  return entry == nullptr ? fmt::format("uid {}", uid)
                          : fmt::format("{} (uid {})", entry->pw_name, uid);
}

std::string what_is_in_the_way(const fs::path& path) {
  fs::path way;
  for (const auto& part : path.lexically_normal()) {
    way /= part;
    struct stat info {};
    // What is not there, or cannot be seen, is no hindrance that could be named.
    if (::stat(way.c_str(), &info) != 0) return {};
    if (!S_ISDIR(info.st_mode)) return fmt::format("{} is not a directory", way.string());
    if (::faccessat(AT_FDCWD, way.c_str(), X_OK, AT_EACCESS) == 0) continue;
    return fmt::format("{} (mode {:04o}) is closed to {}: let it through with chmod o+x {}",
                       way.string(), info.st_mode & 07777u, own_user(), way.string());
  }
  return {};
}

}  // namespace lambda
