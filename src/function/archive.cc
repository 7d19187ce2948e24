// Steps: open -> for each entry: check its name and kind -> file, folder, or remember a link ->
// check the links together -> make them -> modes -> sync.
//
// Links are made last. While files are written there is no symlink in the target, so nothing can be
// written through one, whatever the order of the entries.
#include "function/archive.h"

#include "base/unique_fd.h"
#include "function/archive_locale.h"
#include "function/package_files.h"
#include "function/program_check.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lambda::function {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kLongestPath = 2048;
constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestLink = 1024;
// Work that following links may take, so that a package of links to links cannot keep a thread
// busy.
constexpr std::size_t kLinkSteps = 500'000;
// Up to so many files are synced one by one; for more, one sync of the file system is quicker.
constexpr std::size_t kSyncedOneByOne = 128;

struct ArchiveFree {
  void operator()(struct archive* archive) const { ::archive_read_free(archive); }
};
using Reader = std::unique_ptr<struct archive, ArchiveFree>;

// AWS's sentence, and what we know beyond it.
template <class... Args>
tl::unexpected<Error> bad_zip(fmt::format_string<Args...> format, Args&&... args) {
  return fail(
      ErrorCode::invalid,
      "Could not unzip uploaded file. Please check your file, then try to upload again. ({})",
      fmt::format(format, std::forward<Args>(args)...));
}

std::string reason(struct archive* archive) {
  const char* text = ::archive_error_string(archive);
  return text == nullptr ? "unknown reason" : text;
}

tl::unexpected<Error> no_files() {
  return fail(ErrorCode::invalid, "Uploaded file must be a non-empty zip: it holds no file");
}

// A name from outside, fit to be shown.
std::string shown(std::string_view path) {
  std::string text;
  for (const char c : path.substr(0, 200)) text += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return path.size() > 200 ? text + "..." : text;
}

class Unpacker {
 public:
  Unpacker(fs::path target, const UnpackLimits& limits)
      : target_(std::move(target)), limits_(limits), block_(kBlockBytes) {}

  Result<Unpacked> run(int zip);

 private:
  Result<Done> open(int zip);
  Result<Done> entry(struct archive_entry* entry);
  Result<Done> add_directory(const std::string& path);
  Result<Done> add_parents(const std::string& path);
  Result<Done> add_link(const std::string& path, struct archive_entry* entry);
  Result<Done> add_file(const std::string& path, struct archive_entry* entry);
  Result<Done> write_file(int file, const std::string& path);
  Result<Done> compare_file(const std::string& path);
  Result<std::string_view> next_block(const std::string& path);
  Result<Done> count_entry();
  Result<Done> make_links();
  Result<Done> close_directories();
  Result<Done> sync();
  [[nodiscard]] fs::path place(const std::string& path) const { return target_ / path; }

  fs::path target_;
  UnpackLimits limits_;
  Reader reader_;
  std::vector<char> block_;
  std::size_t entries_ = 0;
  Unpacked unpacked_;
  std::set<std::string, std::less<>> directories_;
  Links links_;
  std::vector<std::string> files_;  // the first kSyncedOneByOne + 1
};

Result<Unpacked> Unpacker::run(int zip) {
  if (auto opened = open(zip); !opened) return fail(std::move(opened.error()));
  struct archive_entry* header = nullptr;
  while (true) {
    const int status = ::archive_read_next_header(reader_.get(), &header);
    if (status == ARCHIVE_EOF) break;
    if (status == ARCHIVE_RETRY) continue;
    if (status < ARCHIVE_WARN) return bad_zip("{}", reason(reader_.get()));
    if (auto done = entry(header); !done) return fail(std::move(done.error()));
  }
  if (unpacked_.files == 0) return no_files();
  for (auto step : {&Unpacker::make_links, &Unpacker::close_directories, &Unpacker::sync}) {
    if (auto done = (this->*step)(); !done) return fail(std::move(done.error()));
  }
  return unpacked_;
}

Result<Done> Unpacker::open(int zip) {
  if (::lseek(zip, 0, SEEK_SET) != 0) return fail(Error::from_errno("rewind the uploaded file"));
  std::array<char, 4> magic{};
  const auto length = ::pread(zip, magic.data(), magic.size(), 0);
  if (length == 0) return bad_zip("it is empty");
  const std::string_view begin(magic.data(),
                               static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  if (begin == "PK\x05\x06") return no_files();
  if (begin.starts_with("\x1f\x8b")) return bad_zip("it is a gzip file, not a zip");
  if (begin.starts_with("Rar!")) return bad_zip("it is a RAR file, not a zip");
  if (begin.starts_with("7z\xbc\xaf")) return bad_zip("it is a 7-Zip file, not a zip");
  reader_.reset(::archive_read_new());
  // The central directory decides, as with every other tool: the streaming reader would take what
  // is cut off.
  ::archive_read_support_format_zip_seekable(reader_.get());
  if (::archive_read_open_fd(reader_.get(), zip, kBlockBytes) != ARCHIVE_OK) {
    return bad_zip("{}", reason(reader_.get()));
  }
  return Done{};
}

Result<Done> Unpacker::count_entry() {
  if (++entries_ <= limits_.entries) return Done{};
  return fail(ErrorCode::invalid, "the zip holds more than {} files and folders: leave some out",
              limits_.entries);
}

Result<Done> Unpacker::entry(struct archive_entry* entry) {
  const char* name = ::archive_entry_pathname(entry);
  if (name == nullptr) name = ::archive_entry_pathname_utf8(entry);
  if (name == nullptr) return bad_zip("an entry's name is not valid UTF-8");
  if (::archive_entry_is_encrypted(entry) > 0) {
    return fail(ErrorCode::invalid, "the zip is encrypted ({}): make one without a password",
                shown(name));
  }
  auto path = normalise_entry_path(name);
  if (!path) return fail(std::move(path.error()));
  if (auto counted = count_entry(); !counted) return counted;
  const auto type = ::archive_entry_filetype(entry);
  if (type == AE_IFDIR) return add_directory(*path);
  if (path->empty()) return bad_zip("an entry has no name");
  if (auto parents = add_parents(*path); !parents) return parents;
  if (type == AE_IFLNK) return add_link(*path, entry);
  if (type == AE_IFREG || type == 0) return add_file(*path, entry);
  return fail(ErrorCode::invalid, "the zip holds {}, which is neither a file, folder nor link",
              shown(*path));
}

Result<Done> Unpacker::add_parents(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return Done{};
  const std::string parent = path.substr(0, slash);
  if (directories_.contains(parent)) return Done{};
  if (auto counted = count_entry(); !counted) return counted;
  return add_directory(parent);
}

Result<Done> Unpacker::add_directory(const std::string& path) {
  if (path.empty() || directories_.contains(path)) return Done{};
  if (links_.contains(path)) {
    return fail(ErrorCode::invalid,
                "the zip writes through the symlink {}: an entry's folder must not be a link",
                shown(path));
  }
  if (auto parents = add_parents(path); !parents) return parents;
  if (::mkdir(place(path).c_str(), 0700) != 0) {
    if (errno == EEXIST) return bad_zip("{} is both a file and a folder", shown(path));
    return fail(disk_error("make folder", place(path)));
  }
  directories_.insert(path);
  return Done{};
}

Result<Done> Unpacker::add_link(const std::string& path, struct archive_entry* entry) {
  const char* text = ::archive_entry_symlink(entry);
  const std::string target = text == nullptr ? "" : text;
  // A target compressed otherwise than by deflate comes out as the compressed bytes.
  const char* format = ::archive_format_name(reader_.get());
  const std::string_view compression = format == nullptr ? "uncompressed" : format;
  const bool readable = compression.find("uncompressed") != std::string_view::npos ||
                        compression.find("deflation") != std::string_view::npos;
  if (!readable || target.empty() || target.size() > kLongestLink) {
    return bad_zip("the symlink {} has no readable target: store it without compression",
                   shown(path));
  }
  const auto before = links_.find(path);
  if (before != links_.end() && before->second == target) return Done{};
  struct stat status {};
  if (before != links_.end() || ::lstat(place(path).c_str(), &status) == 0) {
    return bad_zip("{} is there twice, and different", shown(path));
  }
  links_.emplace(path, target);
  return Done{};
}

Result<Done> Unpacker::add_file(const std::string& path, struct archive_entry* entry) {
  if (links_.contains(path)) return bad_zip("{} is there twice, and different", shown(path));
  const UniqueFd file(
      ::open(place(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) {
    if (errno == EEXIST) return compare_file(path);
    return fail(disk_error("create", place(path)));
  }
  ++unpacked_.files;
  if (files_.size() <= kSyncedOneByOne) files_.push_back(path);
  if (auto written = write_file(file.get(), path); !written) return written;
  if (::archive_entry_mtime_is_set(entry) != 0) {
    std::array<struct timespec, 2> times{};
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = ::archive_entry_mtime(entry);
    ::futimens(file.get(), times.data());
  }
  const bool runs = (::archive_entry_perm(entry) & 0111) != 0 || path == "bootstrap";
  if (::fchmod(file.get(), runs ? 0555 : 0444) != 0) return fail(disk_error("chmod", place(path)));
  return Done{};
}

// The next bytes of the current entry; empty at its end.
Result<std::string_view> Unpacker::next_block(const std::string& path) {
  const auto length = ::archive_read_data(reader_.get(), block_.data(), block_.size());
  if (length < 0) return bad_zip("{}: {}", shown(path), reason(reader_.get()));
  unpacked_.bytes += static_cast<std::uint64_t>(length);
  if (unpacked_.bytes > limits_.bytes) {
    return fail(ErrorCode::invalid,
                "Unzipped size must be smaller than {} bytes: leave out what the function does not "
                "need, or deploy an image (a folder with a Dockerfile)",
                limits_.bytes);
  }
  return std::string_view(block_.data(), static_cast<std::size_t>(length));
}

Result<Done> Unpacker::write_file(int file, const std::string& path) {
  const bool is_program = is_program_path(path);
  std::string head;
  while (true) {
    auto block = next_block(path);
    if (!block) return fail(std::move(block.error()));
    if (block->empty()) break;
    if (is_program && head.size() < kProgramHeadBytes) {
      head.append(block->substr(0, kProgramHeadBytes - head.size()));
    }
    if (auto written = write_all(file, *block, place(path)); !written) return written;
  }
  return is_program ? check_program(path, head) : Done{};
}

// The same file twice does no harm; two of one name would leave open which counts.
Result<Done> Unpacker::compare_file(const std::string& path) {
  const UniqueFd file(::open(place(path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file || directories_.contains(path)) {
    return bad_zip("{} is both a file and a folder", shown(path));
  }
  std::vector<char> before(kBlockBytes);
  off_t offset = 0;
  bool same = true;
  while (same) {
    auto block = next_block(path);
    if (!block) return fail(std::move(block.error()));
    const auto length =
        ::pread(file.get(), before.data(), std::max<std::size_t>(block->size(), 1), offset);
    same =
        length >= 0 && std::string_view(before.data(), static_cast<std::size_t>(length)) == *block;
    if (block->empty()) break;
    offset += length;
  }
  if (same) return Done{};
  return bad_zip("{} is there twice, and different", shown(path));
}

Result<Done> Unpacker::make_links() {
  if (auto good = check_links(links_); !good) return good;
  for (const auto& [path, target] : links_) {
    if (::symlink(target.c_str(), place(path).c_str()) != 0) {
      return fail(disk_error("link", place(path)));
    }
  }
  return Done{};
}

Result<Done> Unpacker::close_directories() {
  // From the leaves up: a set has every folder after its parent.
  for (auto path = directories_.rbegin(); path != directories_.rend(); ++path) {
    if (::chmod(place(*path).c_str(), 0555) != 0) return fail(disk_error("chmod", place(*path)));
  }
  if (::chmod(target_.c_str(), 0555) != 0) return fail(disk_error("chmod", target_));
  return Done{};
}

Result<Done> Unpacker::sync() {
  if (files_.size() + directories_.size() > kSyncedOneByOne) {
    const UniqueFd directory(::open(target_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || ::syncfs(directory.get()) != 0) return fail(disk_error("sync", target_));
    return Done{};
  }
  for (const auto& path : files_) {
    if (auto synced = sync_path(place(path)); !synced) return synced;
  }
  for (const auto& path : directories_) {
    if (auto synced = sync_path(place(path)); !synced) return synced;
  }
  return sync_path(target_);
}

}  // namespace

Result<Unpacked> unpack_zip(int zip, const fs::path& target, const UnpackLimits& limits) {
  const Utf8Locale locale;
  return Unpacker(target, limits).run(zip);
}

Result<std::string> normalise_entry_path(std::string_view path) {
  auto refuse = [whole = path](std::string_view why) {
    return fail(ErrorCode::invalid, "the zip holds \"{}\", {}", shown(whole), why);
  };
  if (path.starts_with('/') || path.starts_with('\\')) {
    return refuse("an absolute path: entries must lie inside the package");
  }
  if (path.size() > 2 && path[1] == ':' && (path[2] == '/' || path[2] == '\\')) {
    return refuse("a path with a drive letter: entries must lie inside the package");
  }
  if (path.size() > kLongestPath) return refuse("a path that is too long");
  std::string normal;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.starts_with("..\\") || part.find("\\..") != std::string_view::npos) {
      return refuse("a path with \"..\": entries must lie inside the package");
    }
    if (part.size() > kLongestName) return refuse("a name longer than 255 bytes");
    for (const char c : part) {
      if (static_cast<unsigned char>(c) < 0x20) return refuse("a name with a control character");
    }
    if (!normal.empty()) normal += '/';
    normal += part;
  }
  return normal;
}

namespace {

// Where `path` is in the package, one name a step.
class LinkWalk {
 public:
  LinkWalk(const Links& links, std::size_t& steps) : links_(links), steps_(steps) {}

  // False: it leaves the package. A circle of links ends nowhere and is harmless.
  Result<bool> stays_inside(const std::string& link, const std::string& target) {
    constexpr int most_links = 40;  // as the kernel
    place_ = link;
    leave_name();
    if (!enter(target)) return false;
    int followed = 0;
    while (!ahead_.empty()) {
      if (++steps_ > kLinkSteps) {
        return fail(ErrorCode::invalid, "the zip's symlinks are too entangled to follow");
      }
      const std::string part = std::move(ahead_.front());
      ahead_.pop_front();
      if (part == "..") {
        if (place_.empty()) return false;
        leave_name();
        continue;
      }
      if (!place_.empty()) place_ += '/';
      place_ += part;
      const auto next = links_.find(place_);
      if (next == links_.end()) continue;
      if (++followed > most_links) return true;
      leave_name();
      if (!enter(next->second)) return false;
    }
    return true;
  }

 private:
  void leave_name() {
    const auto slash = place_.rfind('/');
    place_.resize(slash == std::string::npos ? 0 : slash);
  }
  // Puts the parts of a target before what is still ahead.
  bool enter(std::string_view target) {
    if (target.starts_with('/')) return false;
    std::vector<std::string> parts;
    while (!target.empty()) {
      const auto slash = target.find('/');
      const auto part = target.substr(0, slash);
      target.remove_prefix(slash == std::string_view::npos ? target.size() : slash + 1);
      if (!part.empty() && part != ".") parts.emplace_back(part);
    }
    ahead_.insert(ahead_.begin(), parts.begin(), parts.end());
    return true;
  }

  const Links& links_;
  std::size_t& steps_;
  std::string place_;
  std::deque<std::string> ahead_;
};

}  // namespace

Result<Done> check_links(const Links& links) {
  std::size_t steps = 0;
  for (const auto& [path, target] : links) {
    LinkWalk walk(links, steps);
    auto inside = walk.stays_inside(path, target);
    if (!inside) return fail(std::move(inside.error()));
    if (!*inside) {
      return fail(ErrorCode::invalid,
                  "the zip's symlink {} -> {} leaves the package: put a copy of the file in its "
                  "place",
                  shown(path), shown(target));
    }
  }
  return Done{};
}

}  // namespace lambda::function
