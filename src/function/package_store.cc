// An upload's steps: temporary file -> digest -> there already? -> unpack beside the place ->
// sync -> rename the tree -> rename the zip. The zip's name is the last to appear and the first to
// go: a package is there when its zip is, and then its tree is whole.
#include "function/package_store.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "function/archive.h"
#include "function/package_files.h"

#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::function {
namespace {

namespace fs = std::filesystem;

// Names that belong to nobody after a crash.
constexpr std::string_view kTemporary = ".incoming-";

fs::path temporary_in(const fs::path& directory) {
  return directory / (std::string(kTemporary) + random_uuid());
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<Done> make_store_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return fail(error == std::errc::permission_denied ? ErrorCode::denied : ErrorCode::internal,
                "cannot make {}: {}; the user that runs this server (uid {}) must be able to write "
                "there",
                directory.string(), error.message(), ::geteuid());
  }
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    return fail(Error::from_errno(fmt::format("write in {}", directory.string())));
  }
  // Functions' code is nobody else's to read; sandboxes get theirs mounted.
  if (::chmod(directory.c_str(), 0700) != 0)
    return fail(Error::from_errno(fmt::format("set the mode of {}", directory.string())));
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kTemporary)) continue;
    if (auto removed = remove_tree(entry->path()); !removed) return removed;
  }
  return Done{};
}

// Removes what was begun unless it was kept.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    // Best effort: what stays is removed at the next start.
    if (!path_.empty()) (void)remove_tree(path_);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

}  // namespace

struct PackageStore::Impl {
  fs::path packages;
  fs::path code;
  // Held while names appear or go, not while bytes are written.
  std::mutex names;
  // One for each package that gets derived files at this moment: its folders are writable
  // meanwhile, and read-only again for whoever comes next.
  std::mutex turns_lock;
  std::map<std::string, std::weak_ptr<std::mutex>, std::less<>> turns;

  [[nodiscard]] fs::path zip(std::string_view digest) const {
    return packages / (std::string(digest) + ".zip");
  }
  [[nodiscard]] fs::path info(std::string_view digest) const {
    return packages / (std::string(digest) + ".info");
  }
  [[nodiscard]] fs::path tree(std::string_view digest) const { return code / std::string(digest); }
  [[nodiscard]] bool has(std::string_view digest) const {
    std::error_code error;
    return is_digest(digest) && fs::exists(zip(digest), error) && fs::exists(tree(digest), error);
  }

  std::shared_ptr<std::mutex> turn_of(std::string_view digest);
  // The sizes of a package that is there, and its time set to now.
  Result<Done> reuse(Package& package);
  Result<Done> publish(const Package& package, Temporary& zip_file, Temporary& unpacked);
  Result<Done> write_info(const Package& package);
  Result<bool> remove(const std::string& digest, std::chrono::seconds age);
};

std::shared_ptr<std::mutex> PackageStore::Impl::turn_of(std::string_view digest) {
  const std::lock_guard guard(turns_lock);
  std::erase_if(turns, [](const auto& turn) { return turn.second.expired(); });
  auto& place = turns[std::string(digest)];
  auto turn = place.lock();
  if (!turn) {
    turn = std::make_shared<std::mutex>();
    place = turn;
  }
  return turn;
}

Result<Done> PackageStore::Impl::reuse(Package& package) {
  std::ifstream file(info(package.digest));
  if (!(file >> package.unpacked_size >> package.files)) {
    return fail(ErrorCode::internal,
                "{} cannot be read: delete it and {} to have the package unpacked again",
                info(package.digest).string(), zip(package.digest).string());
  }
  if (::utimensat(AT_FDCWD, zip(package.digest).c_str(), nullptr, 0) != 0) {
    return fail(disk_error("touch", zip(package.digest)));
  }
  return Done{};
}

Result<Done> PackageStore::Impl::write_info(const Package& package) {
  Temporary temporary(temporary_in(packages));
  const UniqueFd file(
      ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail(disk_error("create", temporary.path()));
  const auto text = fmt::format("{} {}\n", package.unpacked_size, package.files);
  if (auto written = write_all(file.get(), text, temporary.path()); !written) return written;
  if (::fsync(file.get()) != 0) return fail(disk_error("sync", temporary.path()));
  if (::rename(temporary.path().c_str(), info(package.digest).c_str()) != 0) {
    return fail(disk_error("rename", temporary.path()));
  }
  temporary.keep();
  return Done{};
}

Result<Done> PackageStore::Impl::publish(const Package& package, Temporary& zip_file,
                                         Temporary& unpacked) {
  const fs::path place = tree(package.digest);
  std::error_code error;
  // A tree without its zip is what a crash between the two renames left: whole, and the same.
  if (!fs::exists(place, error)) {
    if (::rename(unpacked.path().c_str(), place.c_str()) != 0) {
      return fail(disk_error("rename", unpacked.path()));
    }
    unpacked.keep();
  }
  if (auto synced = sync_path(code); !synced) return synced;
  if (auto written = write_info(package); !written) return written;
  if (::rename(zip_file.path().c_str(), zip(package.digest).c_str()) != 0) {
    return fail(disk_error("rename", zip_file.path()));
  }
  zip_file.keep();
  return sync_path(packages);
}

namespace {

class FileUpload final : public PackageUpload {
 public:
  FileUpload(PackageStore::Impl& store, UniqueFd file, fs::path path)
      : store_(store), zip_(std::move(path)), file_(std::move(file)) {}

  Result<Done> append(std::string_view bytes) override {
    package_.size += bytes.size();
    if (package_.size > kMaxZippedBytes) {
      return fail(ErrorCode::too_large,
                  "Zipped size must be smaller than {} bytes: leave out what the function does not "
                  "need, or deploy an image (a folder with a Dockerfile)",
                  kMaxZippedBytes);
    }
    digest_.update(bytes);
    return write_all(file_.get(), bytes, zip_.path());
  }

  Result<Package> finish() override {
    const std::string digest = digest_.finish();
    package_.digest = hex_encode(digest);
    package_.sha256_base64 = base64_encode(digest);
    if (auto there = reuse(); !there || *there) return outcome(there);
    Temporary unpacked(temporary_in(store_.code));
    if (::mkdir(unpacked.path().c_str(), 0700) != 0) {
      return fail(disk_error("make folder", unpacked.path()));
    }
    auto content = unpack_zip(file_.get(), unpacked.path());
    if (!content) return fail(std::move(content.error()));
    package_.unpacked_size = content->bytes;
    package_.files = content->files;
    if (::fsync(file_.get()) != 0) return fail(disk_error("sync", zip_.path()));
    // Somebody may have uploaded the same in the meantime.
    const std::lock_guard guard(store_.names);
    if (store_.has(package_.digest)) return package_;
    if (auto published = store_.publish(package_, zip_, unpacked); !published) {
      return fail(std::move(published.error()));
    }
    return package_;
  }

 private:
  Result<bool> reuse() {
    const std::lock_guard guard(store_.names);
    if (!store_.has(package_.digest)) return false;
    if (auto reused = store_.reuse(package_); !reused) return fail(std::move(reused.error()));
    return true;
  }
  Result<Package> outcome(Result<bool>& there) {
    if (!there) return fail(std::move(there.error()));
    return package_;
  }

  PackageStore::Impl& store_;
  Temporary zip_;
  UniqueFd file_;
  Sha256Stream digest_;
  Package package_;
};

}  // namespace

PackageStore::PackageStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackageStore::~PackageStore() = default;

Result<std::unique_ptr<PackageStore>> PackageStore::open(fs::path data_directory) {
  auto impl = std::make_unique<Impl>();
  impl->packages = data_directory / "packages";
  impl->code = data_directory / "code";
  for (const auto& directory : {impl->packages, impl->code}) {
    if (auto made = make_store_directory(directory); !made) return fail(std::move(made.error()));
  }
  if (auto synced = sync_path(data_directory); !synced) return fail(std::move(synced.error()));
  return std::unique_ptr<PackageStore>(new PackageStore(std::move(impl)));
}

Result<std::unique_ptr<PackageUpload>> PackageStore::begin_upload() {
  fs::path path = temporary_in(impl_->packages);
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail(disk_error("create", path));
  return std::make_unique<FileUpload>(*impl_, std::move(file), std::move(path));
}

bool PackageStore::has(std::string_view digest) const {
  return impl_->has(digest);
}

fs::path PackageStore::code_directory(std::string_view digest) const {
  return impl_->tree(digest);
}

fs::path PackageStore::zip_path(std::string_view digest) const {
  return impl_->zip(digest);
}

Result<UniqueFd> PackageStore::open_zip(std::string_view digest) const {
  if (!is_digest(digest)) return fail(ErrorCode::not_found, "there is no such package");
  UniqueFd file(::open(impl_->zip(digest).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(Error::from_errno(fmt::format("open package {}", digest)));
  return file;
}

namespace {

// Makes a folder of a read-only tree writable for its lifetime.
class WritableFolder {
 public:
  explicit WritableFolder(fs::path path) : path_(std::move(path)) { ::chmod(path_.c_str(), 0755); }
  ~WritableFolder() { ::chmod(path_.c_str(), 0555); }
  WritableFolder(const WritableFolder&) = delete;
  WritableFolder& operator=(const WritableFolder&) = delete;

 private:
  fs::path path_;
};

// The folders on the way to `path`, made where they are missing; none may be a link.
Result<Done> make_folders(const fs::path& tree, const fs::path& folder) {
  fs::path place = tree;
  for (const auto& part : folder) {
    const fs::path parent = place;
    place /= part;
    struct stat status {};
    if (::lstat(place.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode)) continue;
      return fail(ErrorCode::invalid, "{} is not a folder of the package", place.string());
    }
    const WritableFolder open(parent);
    if (::mkdir(place.c_str(), 0555) != 0) return fail(disk_error("make folder", place));
    if (auto synced = sync_path(parent); !synced) return synced;
  }
  return Done{};
}

// Whole or not there, also after a crash; an existing file stays.
Result<Done> add_file(const fs::path& place, std::string_view bytes) {
  const WritableFolder open(place.parent_path());
  Temporary temporary(temporary_in(place.parent_path()));
  const UniqueFd file(
      ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail(disk_error("create", temporary.path()));
  if (auto written = write_all(file.get(), bytes, temporary.path()); !written) return written;
  if (::fchmod(file.get(), 0444) != 0 || ::fsync(file.get()) != 0) {
    return fail(disk_error("sync", temporary.path()));
  }
  // link, unlike rename, replaces nothing.
  if (::link(temporary.path().c_str(), place.c_str()) != 0 && errno != EEXIST) {
    return fail(disk_error("link", place));
  }
  return Done{};
}

// Not time(): it is the time of the last tick, and a file can be newer than that.
std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Result<Done> PackageStore::add_derived_files(std::string_view digest,
                                             const std::vector<ExtraFile>& files) {
  if (!has(digest)) return fail(ErrorCode::not_found, "there is no package {}", digest);
  const auto turn = impl_->turn_of(digest);
  const std::lock_guard guard(*turn);
  const fs::path tree = impl_->tree(digest);
  std::set<fs::path> folders;
  for (const auto& extra : files) {
    auto path = normalise_entry_path(extra.path);
    if (!path) return fail(std::move(path.error()));
    if (path->empty()) return fail(ErrorCode::invalid, "a derived file has no name");
    const fs::path place = tree / *path;
    if (auto made = make_folders(tree, fs::path(*path).parent_path()); !made) return made;
    if (auto added = add_file(place, extra.bytes); !added) return added;
    folders.insert(place.parent_path());
  }
  for (const auto& folder : folders) {
    if (auto synced = sync_path(folder); !synced) return synced;
  }
  return Done{};
}

Result<bool> PackageStore::Impl::remove(const std::string& digest, std::chrono::seconds age) {
  Temporary doomed(temporary_in(code));
  {
    const std::lock_guard guard(names);
    struct stat status {};
    const bool there =
        ::stat(zip(digest).c_str(), &status) == 0 || ::stat(tree(digest).c_str(), &status) == 0;
    if (!there || seconds_now() - status.st_mtime < age.count()) return false;
    ::unlink(zip(digest).c_str());
    ::unlink(info(digest).c_str());
    if (auto synced = sync_path(packages); !synced) return fail(std::move(synced.error()));
    if (::rename(tree(digest).c_str(), doomed.path().c_str()) != 0 && errno != ENOENT) {
      return fail(disk_error("rename", tree(digest)));
    }
  }
  return true;
}

Result<std::size_t> PackageStore::collect_garbage(const std::vector<std::string>& used,
                                                  std::chrono::seconds age) {
  const std::set<std::string, std::less<>> kept(used.begin(), used.end());
  std::set<std::string> unused;
  std::error_code error;
  for (const auto& directory : {impl_->packages, impl_->code}) {
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string digest = entry->path().stem().string();
      if (is_digest(digest) && !kept.contains(digest)) unused.insert(digest);
    }
    if (error) {
      return fail(ErrorCode::internal, "list {}: {}", directory.string(), error.message());
    }
  }
  std::size_t removed = 0;
  for (const auto& digest : unused) {
    auto gone = impl_->remove(digest, age);
    if (!gone) return fail(std::move(gone.error()), "delete package {}", digest);
    if (*gone) ++removed;
  }
  return removed;
}

}  // namespace lambda::function
