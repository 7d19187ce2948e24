#include "server/data_directory.h"

#include "base/closed_directory.h"

#include <sys/stat.h>
#include <unistd.h>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kServersMode = 0711;
constexpr mode_t kPersonsMode = 0700;

Result<Done> make(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (!error && fs::is_directory(directory, error)) return Done{};
  const auto why = what_is_in_the_way(directory);
  return fail(ErrorCode::denied,
              "the data directory {} cannot be made: {}. Choose another with --data-dir "
              "(LAMBDA_DATA_DIR)",
              directory.string(), why.empty() ? error.message() : why);
}

// Only what stands directly in a directory that was root's: it was made by a first start that went
// wrong.
Result<Done> give_to(const User& user, const fs::path& directory) {
  struct stat info {};
  if (::lstat(directory.c_str(), &info) != 0)
    return fail(Error::from_errno("look at " + directory.string()));
  if (info.st_uid == user.uid) return Done{};
  if (::lchown(directory.c_str(), user.uid, user.gid) != 0)
    return fail(Error::from_errno("give " + directory.string() + " to " + user.name));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (::lchown(entry.path().c_str(), user.uid, user.gid) != 0)
      return fail(Error::from_errno("give " + entry.path().string() + " to " + user.name));
  }
  return Done{};
}

}  // namespace

Result<Done> prepare_data_directory(const fs::path& directory, const std::optional<User>& owner) {
  auto made = make(directory);
  if (!made) return made;
  if (!owner) {
    // Best effort: it may be somebody else's, in whose group we are.
    (void)!::chmod(directory.c_str(), kPersonsMode);
    return Done{};
  }
  auto given = give_to(*owner, directory);
  if (!given) return given;
  if (::chmod(directory.c_str(), kServersMode) != 0)
    return fail(Error::from_errno("set the mode of " + directory.string()));
  return Done{};
}

}  // namespace lambda::server
