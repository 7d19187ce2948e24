// Writes a list of files as a zip (a function's code) or a tar (a build context). The same list
// with the same bytes gives the same archive: sorted, with fixed times and plain modes, whatever
// the time zone and the locale. Blocking.
#pragma once

#include "base/unique_fd.h"
#include "cli/project/contents.h"

#include <cstdint>
#include <functional>

namespace lambda::cli {

enum class ArchiveFormat { zip, tar };

// A file without a name in $TMPDIR: it is gone when this program ends, however that comes about.
struct Archive {
  UniqueFd file;
  std::uint64_t size = 0;
};

// `on_bytes` is told how many more of the files' bytes are in it. Errors: invalid (a file that
// cannot be read, or changed on the way), internal (disk full).
Result<Archive> write_archive(
    const Contents& contents, ArchiveFormat format,
    const std::function<void(std::uint64_t)>& on_bytes = [](std::uint64_t) {});

}  // namespace lambda::cli
