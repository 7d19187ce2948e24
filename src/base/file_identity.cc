#include "base/file_identity.h"

#include <spdlog/fmt/fmt.h>

namespace lambda {

std::string file_identity(const struct stat& info) {
  return fmt::format("{}.{}.{}.{}", info.st_dev, info.st_ino, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace lambda
