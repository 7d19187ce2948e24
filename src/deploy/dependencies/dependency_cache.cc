#include "deploy/dependencies/dependency_cache.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "function/package_files.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lambda::deploy {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 64;
constexpr std::size_t kBlockBytes = 256 * 1024;

bool is_entry(const std::string& name) {
  return name.size() == 2 * kDigits + 1 && name[kDigits] == '.';
}

Result<std::string> digest_of(int file) {
  Sha256Stream digest;
  std::string block(kBlockBytes, '\0');
  for (off_t offset = 0;;) {
    const auto count = ::pread(file, block.data(), block.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Error::from_errno("read what was installed"));
    if (count == 0) return hex_encode(digest.finish());
    digest.update({block.data(), static_cast<std::size_t>(count)});
    offset += count;
  }
}

}  // namespace

Result<std::unique_ptr<DependencyCache>> DependencyCache::open(fs::path directory,
                                                               std::uint64_t bytes) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (!error) fs::permissions(directory, fs::perms::owner_all, error);
  if (error) {
    return fail(error == std::errc::permission_denied ? ErrorCode::denied : ErrorCode::internal,
                "make {}: {}", directory.string(), error.message());
  }
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!is_entry(entry.path().filename().string())) fs::remove_all(entry.path(), error);
  }
  auto cache = std::unique_ptr<DependencyCache>(new DependencyCache(std::move(directory), bytes));
  cache->make_room(0);
  return cache;
}

std::optional<fs::path> DependencyCache::entry_of(std::string_view key) const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    const auto name = entry.path().filename().string();
    if (is_entry(name) && name.starts_with(key)) return entry.path();
  }
  return std::nullopt;
}

std::optional<UniqueFd> DependencyCache::find(std::string_view key) {
  fs::path place;
  UniqueFd file;
  {
    const std::lock_guard guard(mutex_);
    const auto there = entry_of(key);
    if (!there) return std::nullopt;
    place = *there;
    file = UniqueFd(::open(place.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return std::nullopt;
    ::futimens(file.get(), nullptr);
  }
  const auto digest = digest_of(file.get());
  if (digest && place.filename().string().ends_with(*digest)) return file;
  const std::lock_guard guard(mutex_);
  ::unlink(place.c_str());
  return std::nullopt;
}

Result<Done> DependencyCache::keep(std::string_view key, const fs::path& file) {
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!opened || ::fstat(opened.get(), &status) != 0)
    return fail(function::disk_error("open", file));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > bytes_) return Done{};
  const auto digest = digest_of(opened.get());
  if (!digest) return fail(Error(digest.error()));
  if (::fsync(opened.get()) != 0) return fail(function::disk_error("sync", file));
  const std::lock_guard guard(mutex_);
  if (const auto older = entry_of(key)) ::unlink(older->c_str());
  make_room(size);
  const auto place = directory_ / fmt::format("{}.{}", key, *digest);
  if (::rename(file.c_str(), place.c_str()) != 0) return fail(function::disk_error("rename", file));
  return function::sync_path(directory_);
}

void DependencyCache::make_room(std::uint64_t wanted) {
  struct Entry {
    std::int64_t used;
    std::int64_t used_nanoseconds;
    std::uint64_t size;
    fs::path path;
  };
  std::vector<Entry> entries;
  std::uint64_t total = wanted;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0) continue;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    entries.push_back({status.st_mtim.tv_sec, status.st_mtim.tv_nsec, size, entry.path()});
    total += size;
  }
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return std::pair(a.used, a.used_nanoseconds) < std::pair(b.used, b.used_nanoseconds);
  });
  for (const auto& entry : entries) {
    if (total <= bytes_) return;
    if (::unlink(entry.path.c_str()) == 0) total -= entry.size;
  }
}

}  // namespace lambda::deploy
