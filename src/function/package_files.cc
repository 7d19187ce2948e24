#include "function/package_files.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lambda::function {

namespace fs = std::filesystem;

Error disk_error(std::string_view what, const fs::path& path) {
  const int number = errno;
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) {
    return Error(
        ErrorCode::internal,
        fmt::format("the disk that holds {} is full: nothing was kept; free some space (or "
                    "inodes) and try again",
                    path.parent_path().string()));
  }
  // A path of our own that vanished is our fault, not a thing that the caller named.
  return Error::from_errno(fmt::format("{} {}", what, path.string()), number)
      .as(number == EACCES || number == EPERM ? ErrorCode::denied : ErrorCode::internal);
}

Result<Done> write_all(int file, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail(disk_error("write", path));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Done{};
}

Result<Done> sync_path(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return fail(disk_error("open", path));
  if (::fsync(file.get()) != 0) return fail(disk_error("sync", path));
  return Done{};
}

Result<Done> remove_tree(const fs::path& path) {
  // Whoever is not root needs write permission on a folder to empty it: grant it on the way down.
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return Done{};
  std::vector<fs::path> open{path};
  while (!open.empty()) {
    const fs::path directory = std::move(open.back());
    open.pop_back();
    if (!fs::is_directory(fs::symlink_status(directory, error))) continue;
    fs::permissions(directory, fs::perms::owner_all, error);
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      if (fs::is_directory(entry->symlink_status(error))) open.push_back(entry->path());
    }
  }
  fs::remove_all(path, error);
  if (error) {
    return fail(ErrorCode::internal, "remove {}: {}", path.string(), error.message());
  }
  return Done{};
}

}  // namespace lambda::function
