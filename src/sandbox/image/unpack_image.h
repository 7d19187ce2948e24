// Unpacks the file system of a container, as Docker exports it (tar), into a directory of ours, so
// that the native driver can run the image. Blocking; any thread.
//
// Nothing is written outside of `target`, whatever names, links and hard links the archive holds:
// every entry's folder is opened beneath it, without following a link. Owners, devices, set-user-id
// bits and extended attributes are not kept. The sandbox's user is nobody here, so what an entry
// grants to that user's own ids (993, 990) it grants to others.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>

namespace lambda::sandbox::image {

struct ImageLimits {
  std::uint64_t bytes = 10ull << 30;  // AWS's largest image
  std::uint64_t entries = 2'000'000;
};

// `tar`: a descriptor that is read to its end. `target`: an empty directory. The directories that
// every sandbox mounts on are there afterwards. Errors: too_large, invalid (not a tar, a name that
// leads out), internal (disk full); the target is then left as it is.
Result<Done> unpack_image(int tar, const std::filesystem::path& target,
                          const ImageLimits& limits = {});

}  // namespace lambda::sandbox::image
