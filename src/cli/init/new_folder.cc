#include "cli/init/new_folder.h"

#include "base/unique_fd.h"

#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

Result<Done> check_free(const fs::path& folder, const std::vector<TemplateFile>& files) {
  std::error_code error;
  const auto status = fs::status(folder, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    return fail(ErrorCode::conflict, "{} is there already, and is no folder: name another",
                folder.string());
  }
  std::string taken;
  for (const auto& file : files) {
    if (fs::exists(fs::symlink_status(folder / file.name, error)))
      taken += (taken.empty() ? "" : ", ") + file.name;
  }
  if (taken.empty()) return Done{};
  return fail(ErrorCode::conflict,
              "{} has {} already, which would have to be replaced: nothing was written. Name "
              "another folder, or move them away",
              folder.string(), taken);
}

Result<Done> write_new(const fs::path& path, const TemplateFile& file) {
  const mode_t mode = file.executable ? 0777 : 0666;
  UniqueFd target(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!target) {
    const int number = errno;
    return fail(Error::from_errno("make " + path.string(), number));
  }
  std::string_view left = file.text;
  while (!left.empty()) {
    const auto count = ::write(target.get(), left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int number = errno;
      ::unlink(path.c_str());
      return fail(Error::from_errno("write " + path.string(), number));
    }
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  return Done{};
}

}  // namespace

Result<Done> write_new_files(const fs::path& folder, const std::vector<TemplateFile>& files) {
  if (auto free = check_free(folder, files); !free) return free;
  std::error_code error;
  const bool made = fs::create_directories(folder, error);
  if (error)
    return fail(ErrorCode::denied, "make the folder {}: {}", folder.string(), error.message());
  std::vector<fs::path> written;
  for (const auto& file : files) {
    const auto path = folder / file.name;
    auto done = write_new(path, file);
    if (done) {
      written.push_back(path);
      continue;
    }
    for (const auto& each : written) fs::remove(each, error);
    if (made) fs::remove(folder, error);
    return done;
  }
  return Done{};
}

}  // namespace lambda::cli
