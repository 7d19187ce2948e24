// Steps: open the archive -> for each entry: its folder, opened beneath the target without
// following links; then the entry itself, made in that folder -> the mount points.
#include "sandbox/image/unpack_image.h"

#include "base/unique_fd.h"

#include <archive.h>
#include <archive_entry.h>

#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lambda::sandbox::image {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 128 * 1024;
constexpr uid_t kInsideUid = 993;
constexpr gid_t kInsideGid = 990;
constexpr const char* kMountPoints[] = {"proc", "dev", "tmp"};

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

Error disk_error(std::string_view what, std::string_view path) {
  const int number = errno;
  if (number == ENOSPC || number == EDQUOT) {
    return Error(
        ErrorCode::internal,
        "the disk that holds the data directory is full: free some space and deploy again");
  }
  return Error::from_errno(fmt::format("{} {}", what, path), number).as(ErrorCode::internal);
}

// What the sandbox's user may do with an entry must be told by its bits for others.
mode_t visible_mode(archive_entry* entry) {
  const mode_t mode = archive_entry_perm(entry);
  mode_t others = mode & 7;
  if (archive_entry_gid(entry) == kInsideGid) others |= mode >> 3 & 7;
  if (archive_entry_uid(entry) == kInsideUid) others |= mode >> 6 & 7;
  return (mode & (S_ISVTX | 0770)) | others;
}

// An archive's names: bytes, which libarchive hands out as such only where the locale can hold
// them.
std::string name_of(const char* utf8, const char* bytes) {
  if (utf8 != nullptr) return utf8;
  return bytes != nullptr ? bytes : "";
}

// "./a//b/" -> "a/b"; "" for the root itself. Error: `..`.
Result<std::string> clean(std::string_view path) {
  std::string cleaned;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(ErrorCode::invalid, "the image holds a name with ..");
    if (!cleaned.empty()) cleaned += '/';
    cleaned += part;
  }
  return cleaned;
}

class Unpacker {
 public:
  Unpacker(UniqueFd root, const ImageLimits& limits) : root_(std::move(root)), limits_(limits) {}

  Result<Done> unpack(archive* from);
  Result<Done> make_mount_points();

 private:
  Result<Done> make(archive* from, archive_entry* entry);
  Result<Done> make_directory(const std::string& name, mode_t mode);
  Result<Done> make_file(archive* from, archive_entry* entry, const std::string& name);
  Result<Done> make_hard_link(const std::string& target);
  // Makes folder_ the directory that holds `path`; the last part of `path`.
  Result<std::string> enter_folder_of(const std::string& path);
  Result<UniqueFd> open_beneath(const std::string& folder);

  UniqueFd root_;
  ImageLimits limits_;
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
  std::string path_;  // of the current entry, for messages
  std::string folder_name_ = "/";
  UniqueFd folder_;
};

Result<UniqueFd> Unpacker::open_beneath(const std::string& folder) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const char* path = folder.empty() ? "." : folder.c_str();
  UniqueFd opened(static_cast<int>(::syscall(SYS_openat2, root_.get(), path, &how, sizeof(how))));
  if (opened) return opened;
  const int number = errno;
  if (number == ELOOP || number == ENOTDIR || number == EXDEV) {
    return fail(ErrorCode::invalid, "the image writes {} through a link", path_);
  }
  return fail(Error::from_errno("open the folder of " + path_, number).as(ErrorCode::internal));
}

Result<std::string> Unpacker::enter_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const auto folder = slash == std::string::npos ? std::string() : path.substr(0, slash);
  if (!folder_ || folder != folder_name_) {
    auto opened = open_beneath(folder);
    if (!opened) return fail(std::move(opened.error()));
    folder_ = std::move(*opened);
    folder_name_ = folder;
  }
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Result<Done> Unpacker::make_directory(const std::string& name, mode_t mode) {
  if (::mkdirat(folder_.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(disk_error("make the folder", path_));
  // Ours to empty again, whatever the image says.
  const UniqueFd made(
      ::openat(folder_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made) return fail(ErrorCode::invalid, "the image makes {} twice", path_);
  if (::fchmod(made.get(), mode | 0700) != 0) return fail(disk_error("set the mode of", path_));
  return Done{};
}

Result<Done> Unpacker::make_file(archive* from, archive_entry* entry, const std::string& name) {
  const auto size = archive_entry_size(entry);
  bytes_ += size > 0 ? static_cast<std::uint64_t>(size) : 0;
  if (bytes_ > limits_.bytes) {
    return fail(ErrorCode::too_large, "the image holds more than {} MB", limits_.bytes >> 20);
  }
  const UniqueFd file(::openat(folder_.get(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail(disk_error("create", path_));
  if (archive_read_data_into_fd(from, file.get()) < ARCHIVE_WARN) {
    errno = archive_errno(from);
    return fail(disk_error("unpack", path_));
  }
  if (::fchmod(file.get(), visible_mode(entry)) != 0)
    return fail(disk_error("set the mode of", path_));
  return Done{};
}

Result<Done> Unpacker::make_hard_link(const std::string& target) {
  auto cleaned = clean(target);
  if (!cleaned) return fail(std::move(cleaned.error()));
  const std::string own_name = path_.substr(path_.rfind('/') + 1);
  const auto slash = cleaned->rfind('/');
  auto folder =
      open_beneath(slash == std::string::npos ? std::string() : cleaned->substr(0, slash));
  if (!folder) return fail(std::move(folder.error()));
  const auto other = slash == std::string::npos ? *cleaned : cleaned->substr(slash + 1);
  if (::linkat(folder->get(), other.c_str(), folder_.get(), own_name.c_str(), 0) != 0)
    return fail(disk_error("make the hard link", path_));
  return Done{};
}

Result<Done> Unpacker::make(archive* from, archive_entry* entry) {
  auto path = clean(name_of(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry)));
  if (!path) return fail(std::move(path.error()));
  if (path->empty()) return Done{};
  path_ = std::move(*path);
  auto name = enter_folder_of(path_);
  if (!name) return fail(std::move(name.error()));
  const auto hard_link = name_of(archive_entry_hardlink_utf8(entry), archive_entry_hardlink(entry));
  if (!hard_link.empty()) return make_hard_link(hard_link);
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return make_directory(*name, visible_mode(entry));
    case AE_IFREG:
      return make_file(from, entry, *name);
    case AE_IFLNK: {
      const auto target = name_of(archive_entry_symlink_utf8(entry), archive_entry_symlink(entry));
      if (::symlinkat(target.c_str(), folder_.get(), name->c_str()) != 0)
        return fail(disk_error("make the link", path_));
      return Done{};
    }
    default:
      // Devices, pipes and sockets: a sandbox has its own /dev.
      return Done{};
  }
}

Result<Done> Unpacker::unpack(archive* from) {
  archive_entry* entry = nullptr;
  while (true) {
    const int state = archive_read_next_header(from, &entry);
    if (state == ARCHIVE_EOF) break;
    if (state < ARCHIVE_WARN) {
      const char* text = archive_error_string(from);
      return fail(ErrorCode::invalid, "the exported image cannot be read: {}",
                  text != nullptr ? text : "no tar");
    }
    if (++entries_ > limits_.entries)
      return fail(ErrorCode::too_large, "the image holds more than {} files", limits_.entries);
    if (auto made = make(from, entry); !made) return made;
  }
  if (entries_ == 0) return fail(ErrorCode::invalid, "the exported image is empty");
  return Done{};
}

Result<Done> Unpacker::make_mount_points() {
  for (const char* name : kMountPoints) {
    path_ = name;
    if (::mkdirat(root_.get(), name, 0755) != 0 && errno != EEXIST)
      return fail(disk_error("make the folder", path_));
  }
  return Done{};
}

}  // namespace

Result<Done> unpack_image(int tar, const fs::path& target, const ImageLimits& limits) {
  UniqueFd root(::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail(disk_error("open", target.string()));
  const Archive from(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(from.get());
  if (archive_read_open_fd(from.get(), tar, kBlock) != ARCHIVE_OK)
    return fail(ErrorCode::invalid, "the exported image is no tar archive");
  Unpacker unpacker(std::move(root), limits);
  auto done = unpacker.unpack(from.get());
  if (done) done = unpacker.make_mount_points();
  return done;
}

}  // namespace lambda::sandbox::image
