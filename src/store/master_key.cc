#include "store/master_key.h"

#include "base/blocking.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/unique_fd.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyBytes = 32;

// Written whole under another name and renamed: a crash leaves no half key.
Result<Done> write_key(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".new";
  auto failed = [&temporary](std::string_view step) {
    auto error = Error::from_errno(fmt::format("{} {}", step, temporary.string()));
    ::unlink(temporary.c_str());
    return fail(std::move(error), "make the master key");
  };
  ::unlink(temporary.c_str());
  const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return failed("create");
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return failed("write");
  }
  if (::fsync(file.get()) != 0) return failed("sync");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("rename");
  const UniqueFd directory(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return failed("sync the directory of");
  return Done{};
}

// Whose it is may read it and change it: root, who runs the server, or whose all of the data is.
Result<Done> check_owner(const struct stat& status, const fs::path& path) {
  struct stat directory {};
  const bool known = ::stat(path.parent_path().c_str(), &directory) == 0;
  const auto owner = status.st_uid;
  if (owner == 0 || owner == ::geteuid() || (known && owner == directory.st_uid)) return Done{};
  return fail(ErrorCode::denied,
              "{} belongs to another user (uid {}), who can read and change it: run `chown "
              "--reference={} {}` as root, and replace the API keys if that user may have read it "
              "(`lambdad --replace-keys`)",
              path.string(), owner, path.parent_path().string(), path.string());
}

Result<std::string> read_key(int file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return fail(Error::from_errno("stat " + path.string()));
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid,
                "{} is no file: put the master key there, from a backup of the data directory",
                path.string());
  }
  if (auto good = check_owner(status, path); !good) return fail(std::move(good.error()));
  if ((status.st_mode & 077) != 0) {
    return fail(ErrorCode::denied,
                "{} can be read by other users (mode {:o}): run `chmod 600 {}`, and replace the "
                "API keys if somebody may have read it",
                path.string(), status.st_mode & 0777, path.string());
  }
  std::array<char, 2 * kKeyBytes + 2> buffer{};
  const auto length = ::read(file, buffer.data(), buffer.size());
  if (length < 0) return fail(Error::from_errno("read " + path.string()));
  std::string_view text(buffer.data(), static_cast<std::size_t>(length));
  while (text.ends_with('\n')) text.remove_suffix(1);
  auto bytes = hex_decode(text);
  if (!bytes || bytes->size() != kKeyBytes) {
    return fail(ErrorCode::invalid,
                "{} is not a master key (64 hex digits; it has {} bytes): restore it from a backup "
                "of the data directory. It is not made anew, for a new one would open nothing that "
                "the database holds",
                path.string(), status.st_size);
  }
  return bytes;
}

}  // namespace

Result<MasterKey> MasterKey::load(const fs::path& data_directory, bool needed) {
  const fs::path path = data_directory / "master.key";
  // A pipe in its place is not waited for.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file) {
    auto bytes = read_key(file.get(), path);
    if (!bytes) return fail(std::move(bytes.error()));
    return MasterKey(std::move(*bytes));
  }
  const int reason = errno;
  if (reason == EACCES) {
    return fail(Error::from_errno("open " + path.string(), reason),
                "the master key must belong to the user that lambdad runs as, with mode 600 (as "
                "root: `chown --reference={} {}`)",
                path.parent_path().string(), path.string());
  }
  if (reason != ENOENT) return fail(Error::from_errno("open " + path.string(), reason));
  if (needed) {
    return fail(ErrorCode::invalid,
                "{} is missing, and the secrets in the database cannot be opened without it: "
                "restore it from a backup of the data directory",
                path.string());
  }
  std::string bytes = random_bytes(kKeyBytes);
  if (auto written = write_key(path, hex_encode(bytes) + "\n"); !written) {
    return fail(std::move(written.error()));
  }
  return MasterKey(std::move(bytes));
}

MasterKey MasterKey::ephemeral() {
  return MasterKey(random_bytes(kKeyBytes));
}

std::string MasterKey::seal(std::string_view plain, std::string_view context) const {
  return lambda::seal(bytes_, plain, context);
}

Result<std::string> MasterKey::unseal(std::string_view sealed, std::string_view context) const {
  return lambda::unseal(bytes_, sealed, context);
}

std::string MasterKey::derive(std::string_view label) const {
  return hmac_sha256(bytes_, label);
}

}  // namespace lambda::store
