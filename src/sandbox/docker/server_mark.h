// ServerMark: what tells the containers and images of one server from those of another on the same
// Docker Engine, and the server's private directory for both.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <string>

namespace lambda::sandbox::docker {

struct ServerMark {
  std::string id;                   // stays the same for one data directory; a copy gets another
  std::string run;                  // of this load() alone: from one start of lambdad to its end
  std::filesystem::path directory;  // <data>/docker, 0700

  // Blocking, at the start.
  static Result<ServerMark> load(const std::filesystem::path& data_directory);
};

}  // namespace lambda::sandbox::docker
