// libFuzzer: bytes from anywhere are unpacked as a zip. Whatever they are, the unpacker returns,
// and in what it made no symlink leads out of the package and no folder or file is writable.
#include "base/unique_fd.h"
#include "function/archive.h"
#include "function/package_files.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using lambda::UniqueFd;

// On a file system in memory where there is one.
fs::path make_target() {
  std::string name =
      fs::exists("/dev/shm") ? "/dev/shm/archive-fuzz-XXXXXX" : "/tmp/archive-fuzz-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

void check_tree(const fs::path& target) {
  const std::string inside = fs::canonical(target).string();
  for (const auto& entry : fs::recursive_directory_iterator(target)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0) std::abort();
    if (!S_ISLNK(status.st_mode)) {
      if ((status.st_mode & 0222) != 0 || (status.st_mode & 0444) != 0444) std::abort();
      continue;
    }
    std::error_code error;
    const std::string place = fs::weakly_canonical(entry.path(), error).string();
    if (!error && place != inside && !place.starts_with(inside + "/")) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const UniqueFd zip(::memfd_create("zip", MFD_CLOEXEC));
  if (::ftruncate(zip.get(), 0) != 0 ||
      ::pwrite(zip.get(), data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const fs::path target = make_target();
  lambda::function::UnpackLimits limits;
  limits.bytes = 1 << 20;
  limits.entries = 200;
  if (lambda::function::unpack_zip(zip.get(), target, limits)) check_tree(target);
  if (!lambda::function::remove_tree(target)) std::abort();
  return 0;
}
