#include "server/data_directory.h"

#include "base/closed_directory.h"
#include "base/encoding.h"
#include "base/unique_fd.h"

#include <algorithm>
#include <array>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kServersMode = 0711;
constexpr mode_t kPersonsMode = 0700;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

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

// What stands in it, but for what every new file system has.
Result<std::vector<std::string>> names_in(int directory) {
  UniqueFd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, CloseDirectory> listing(copy ? ::fdopendir(copy.get()) : nullptr);
  if (!listing) return fail(Error::from_errno("list the data directory"));
  (void)copy.release();  // it is the listing's
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && name != "lost+found") names.push_back(name);
  }
  return names;
}

// A file by which a directory is known to be lambdad's: root's, the user's or the directory's
// owner's, for anybody may put one of that name into a directory like /tmp. Alone after a start
// that came no further are spawn.lock, of lambda-spawn, and lambdad.log, of whoever has it write
// there (./run).
bool is_marked(int directory, const struct stat& info, uid_t user) {
  return std::ranges::any_of(
      std::array{"lambda.db", "lambda.lock", "spawn.lock", "lambdad.log"}, [&](const char* name) {
        struct stat mark {};
        return ::fstatat(directory, name, &mark, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(mark.st_mode) &&
               (mark.st_uid == 0 || mark.st_uid == user || mark.st_uid == info.st_uid);
      });
}

Error not_ours(const fs::path& directory, const std::string& name) {
  return Error(
      ErrorCode::denied,
      fmt::format("{} is no data directory of lambdad: it holds \"{}\", and nothing of a server's. "
                  "Nothing was changed in it. Choose an empty or a new directory with --data-dir "
                  "(LAMBDA_DATA_DIR)",
                  directory.string(), escape_controls(name)));
}

Result<Done> may_be_given(const fs::path& directory, const struct stat& info, const User& user) {
  if (info.st_uid == 0 || info.st_uid == user.uid) return Done{};
  return fail(
      ErrorCode::denied,
      "{} is the data directory of another user (id {}): start lambdad as that user, give "
      "the directory to the other with `chown -R {}: {}`, or choose another with --data-dir",
      directory.string(), info.st_uid, user.name, directory.string());
}

// A directory, by descriptor: what is looked at is what is changed.
struct Opened {
  UniqueFd fd;
  fs::path place;  // without links
  struct stat info {};
  std::vector<std::string> names;
};

// One that is empty, or lambdad's.
Result<Opened> open_ours(const fs::path& directory, uid_t user) {
  std::error_code error;
  Opened opened;
  opened.place = fs::canonical(directory, error);
  if (error) {
    return fail(ErrorCode::denied, "look for the data directory {}: {}", directory.string(),
                error.message());
  }
  const auto& place = opened.place;
  opened.fd.reset(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened.fd) return fail(Error::from_errno("open " + place.string()));
  if (::fstat(opened.fd.get(), &opened.info) != 0)
    return fail(Error::from_errno("look at " + place.string()));
  auto names = names_in(opened.fd.get());
  if (!names) return fail(std::move(names.error()));
  opened.names = std::move(*names);
  if (!opened.names.empty() && !is_marked(opened.fd.get(), opened.info, user))
    return fail(not_ours(place, opened.names.front()));
  return opened;
}

// What a first start that went wrong has left there: files and directories of root's, and those by
// no other name of theirs.
Result<Done> give_entries(int directory, const User& user, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    struct stat info {};
    if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      return fail(Error::from_errno("look at " + name));
    const bool plain = S_ISDIR(info.st_mode) || (S_ISREG(info.st_mode) && info.st_nlink == 1);
    if (info.st_uid != 0 || !plain) continue;
    if (::fchownat(directory, name.c_str(), user.uid, user.gid, AT_SYMLINK_NOFOLLOW) != 0)
      return fail(Error::from_errno("give " + name + " to " + user.name));
  }
  return Done{};
}

Result<Done> give_to(const User& user, const Opened& opened) {
  const auto& [fd, place, info, names] = opened;
  if (!names.empty()) {
    auto may = may_be_given(place, info, user);
    if (!may) return may;
  }
  if (info.st_uid != user.uid) {
    if (info.st_uid == 0) {
      auto given = give_entries(fd.get(), user, names);
      if (!given) return given;
    }
    if (::fchown(fd.get(), user.uid, user.gid) != 0)
      return fail(Error::from_errno("give " + place.string() + " to " + user.name));
  }
  if (::fchmod(fd.get(), kServersMode) != 0)
    return fail(Error::from_errno("set the mode of " + place.string()));
  return Done{};
}

}  // namespace

Result<Done> prepare_data_directory(const fs::path& directory, const std::optional<User>& owner) {
  auto made = make(directory);
  if (!made) return made;
  const auto opened = open_ours(directory, owner ? owner->uid : ::geteuid());
  if (!opened) return fail(Error(opened.error()));
  if (owner) return give_to(*owner, *opened);
  // Best effort: it may be somebody else's, in whose group we are.
  (void)!::fchmod(opened->fd.get(), kPersonsMode);
  return Done{};
}

}  // namespace lambda::server
