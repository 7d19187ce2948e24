// For tests: a directory of their own, which goes with all that is in it. One thread.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace lambda {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    auto pattern = (std::filesystem::temp_directory_path() / "lambda-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  // Read-only directories in it, too, which only root could remove as they are.
  ~TemporaryDirectory() {
    namespace fs = std::filesystem;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(path_, error), end; !error && entry != end;
         entry.increment(error)) {
      if (fs::is_directory(entry->symlink_status(error)))
        fs::permissions(entry->path(), fs::perms::owner_all, error);
    }
    fs::remove_all(path_, error);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace lambda
