// Packing a folder: a zip of the function's code, or a tar of a build context. The same folder
// gives the same bytes: sorted, with fixed times and plain modes. Blocking.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lambda::cli {

struct Packed {
  std::filesystem::path file;  // a temporary one; the caller removes it
  std::size_t files = 0;
  std::uint64_t bytes = 0;         // of the files in it
  std::vector<std::string> notes;  // what was skipped and why
};

// AWS's limit, unpacked.
inline constexpr std::uint64_t kMaxUnpacked = 262'144'000;

// Errors: invalid (no folder, empty, a link that leaves it, too large), internal (disk).
Result<Packed> pack_code(const std::filesystem::path& folder,
                         const std::vector<std::filesystem::path>& include);
Result<Packed> pack_context(const std::filesystem::path& folder);

}  // namespace lambda::cli
