#include "sandbox/native/uid_block.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

// Whoever else could open a lock file could hold it, or swap it for another.
Result<UniqueFd> open_directory_of_ours(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Error::from_errno("make " + path).as(ErrorCode::unavailable));
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail(Error::from_errno("open " + path).as(ErrorCode::unavailable));
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0 || status.st_uid != ::geteuid() ||
      (status.st_mode & 077) != 0) {
    return fail(ErrorCode::unavailable,
                "{} must belong to the user of lambda-spawn and be open to nobody else: remove it",
                path);
  }
  return directory;
}

}  // namespace

Result<UidClaim> claim_uid_block(const std::string& directory, uid_t wanted, uid_t blocks) {
  auto opened = open_directory_of_ours(directory);
  if (!opened) return fail(std::move(opened.error()));
  for (uid_t i = 0; i < blocks; ++i) {
    const uid_t block = (wanted + i) % blocks;
    const auto name = std::to_string(block);
    UidClaim claim;
    claim.first = kFirstUid + block * kUidBlock;
    claim.lock.reset(
        ::openat(opened->get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!claim.lock) {
      return fail(
          Error::from_errno(fmt::format("open {}/{}", directory, name)).as(ErrorCode::unavailable));
    }
    if (::flock(claim.lock.get(), LOCK_EX | LOCK_NB) == 0) return claim;
  }
  return fail(ErrorCode::conflict, "every block of uids for sandboxes is in use ({})", directory);
}

std::optional<uid_t> UidBlock::take() {
  if (used_.size() >= size_) return std::nullopt;
  while (true) {
    const uid_t uid = first_ + next_;
    next_ = (next_ + 1) % size_;
    if (used_.insert(uid).second) return uid;
  }
}

}  // namespace lambda::sandbox::native
