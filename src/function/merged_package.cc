// Steps: every entry of the zip, its name noted -> every entry of the tar that has no such name ->
// the writer's bytes go to an upload, which checks and unpacks them.
#include "function/merged_package.h"

#include "base/unique_fd.h"
#include "function/archive.h"
#include "function/archive_locale.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <unistd.h>

namespace lambda::function {
namespace {

struct FreeReader {
  void operator()(struct archive* archive) const { ::archive_read_free(archive); }
};
struct FreeWriter {
  void operator()(struct archive* archive) const { ::archive_write_free(archive); }
};
struct FreeEntry {
  void operator()(struct archive_entry* entry) const { ::archive_entry_free(entry); }
};
using Reader = std::unique_ptr<struct archive, FreeReader>;
using Writer = std::unique_ptr<struct archive, FreeWriter>;

constexpr std::size_t kBlockBytes = 64 * 1024;

Error failure_of(struct archive* archive, std::string_view what) {
  const char* text = ::archive_error_string(archive);
  return Error(ErrorCode::invalid,
               fmt::format("{}: {}", what, text == nullptr ? "unknown reason" : text));
}

class Merge {
 public:
  Merge(PackageUpload& upload, std::string_view left_out) : upload_(upload), left_out_(left_out) {}

  Result<Done> run(int zip, int tar);
  [[nodiscard]] std::vector<std::string> kept_own() const { return {kept_.begin(), kept_.end()}; }

 private:
  enum class From { zip, tar };

  static la_ssize_t write(struct archive*, void* self, const void* bytes, std::size_t count);
  Result<Done> open_writer();
  Result<Done> copy(struct archive* reader, From from);
  Result<Done> copy_entry(struct archive* reader, struct archive_entry* entry, From from);
  Result<Done> write_entry(struct archive* reader, const std::string& name,
                           struct archive_entry* entry);
  Result<Done> copy_bytes(struct archive* reader, const std::string& name);
  [[nodiscard]] bool is_left_out(std::string_view name) const;
  [[nodiscard]] bool is_taken(const std::string& name) const;
  // The upload's own reason, where it refused bytes.
  Error writer_failure(std::string_view what);

  PackageUpload& upload_;
  std::string left_out_;
  Writer writer_;
  std::optional<Error> refused_;
  std::set<std::string, std::less<>> files_;    // of the zip, links among them
  std::set<std::string, std::less<>> folders_;  // of the zip, those only implied, too
  std::set<std::string> kept_;
};

la_ssize_t Merge::write(struct archive*, void* self, const void* bytes, std::size_t count) {
  auto* merge = static_cast<Merge*>(self);
  auto appended = merge->upload_.append({static_cast<const char*>(bytes), count});
  if (appended) return static_cast<la_ssize_t>(count);
  merge->refused_ = std::move(appended.error());
  return -1;
}

Error Merge::writer_failure(std::string_view what) {
  if (refused_) return *refused_;
  return failure_of(writer_.get(), fmt::format("pack {}", what)).as(ErrorCode::internal);
}

Result<Done> Merge::open_writer() {
  writer_.reset(::archive_write_new());
  ::archive_write_set_format_zip(writer_.get());
  ::archive_write_set_options(writer_.get(), "zip:hdrcharset=UTF-8");
  ::archive_write_set_bytes_in_last_block(writer_.get(), 1);
  if (::archive_write_open2(writer_.get(), this, nullptr, &Merge::write, nullptr, nullptr) !=
      ARCHIVE_OK)
    return fail(writer_failure("the package"));
  return Done{};
}

Result<Done> Merge::run(int zip, int tar) {
  if (auto opened = open_writer(); !opened) return opened;
  const Reader uploaded(::archive_read_new());
  ::archive_read_support_format_zip_seekable(uploaded.get());
  if (::archive_read_open_fd(uploaded.get(), zip, kBlockBytes) != ARCHIVE_OK)
    return fail(failure_of(uploaded.get(), "read the uploaded package"));
  if (auto copied = copy(uploaded.get(), From::zip); !copied) return copied;
  if (::lseek(tar, 0, SEEK_SET) != 0) return fail(Error::from_errno("rewind what was installed"));
  const Reader installed(::archive_read_new());
  ::archive_read_support_format_tar(installed.get());
  if (::archive_read_open_fd(installed.get(), tar, kBlockBytes) != ARCHIVE_OK)
    return fail(failure_of(installed.get(), "read what was installed"));
  if (auto copied = copy(installed.get(), From::tar); !copied)
    return fail(std::move(copied.error()), "what was installed");
  if (::archive_write_close(writer_.get()) != ARCHIVE_OK) return fail(writer_failure("its end"));
  return Done{};
}

Result<Done> Merge::copy(struct archive* reader, From from) {
  struct archive_entry* entry = nullptr;
  while (true) {
    const int status = ::archive_read_next_header(reader, &entry);
    if (status == ARCHIVE_EOF) return Done{};
    if (status == ARCHIVE_RETRY) continue;
    if (status < ARCHIVE_WARN) return fail(failure_of(reader, "read its next entry"));
    if (auto done = copy_entry(reader, entry, from); !done) return done;
  }
}

bool Merge::is_left_out(std::string_view name) const {
  return !left_out_.empty() && name.starts_with(left_out_) &&
         (name.size() == left_out_.size() || name[left_out_.size()] == '/');
}

// Of an installed file: by one of its name, by a folder of its name, or by a file where one of its
// folders would be.
bool Merge::is_taken(const std::string& name) const {
  if (files_.contains(name) || folders_.contains(name)) return true;
  for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    if (files_.contains(std::string_view(name).substr(0, slash))) return true;
  }
  return false;
}

Result<Done> Merge::copy_entry(struct archive* reader, struct archive_entry* entry, From from) {
  const char* raw = ::archive_entry_pathname_utf8(entry);
  if (raw == nullptr) raw = ::archive_entry_pathname(entry);
  if (raw == nullptr) return fail(ErrorCode::invalid, "an entry's name is not valid UTF-8");
  auto name = normalise_entry_path(raw);
  if (!name) return fail(std::move(name.error()));
  const auto type = ::archive_entry_filetype(entry);
  const bool folder = type == AE_IFDIR;
  if (name->empty()) return Done{};
  if (::archive_entry_hardlink(entry) != nullptr ||
      (!folder && type != AE_IFLNK && type != AE_IFREG && type != 0))
    return fail(ErrorCode::invalid, "{} is neither a file, folder nor link", *name);
  if (from == From::zip) {
    if (is_left_out(*name)) return Done{};
    for (auto slash = name->find('/'); slash != std::string::npos;
         slash = name->find('/', slash + 1))
      folders_.insert(name->substr(0, slash));
    (folder ? folders_ : files_).insert(*name);
  } else if (folder && folders_.contains(*name)) {
    return Done{};
  } else if (is_taken(*name)) {
    kept_.insert(name->substr(0, name->find('/')));
    return Done{};
  }
  return write_entry(reader, *name, entry);
}

Result<Done> Merge::write_entry(struct archive* reader, const std::string& name,
                                struct archive_entry* entry) {
  const std::unique_ptr<struct archive_entry, FreeEntry> header(::archive_entry_new());
  const auto type = ::archive_entry_filetype(entry);
  const bool runs = (::archive_entry_perm(entry) & 0111) != 0;
  ::archive_entry_set_pathname(header.get(), name.c_str());
  ::archive_entry_set_uid(header.get(), 0);
  ::archive_entry_set_gid(header.get(), 0);
  ::archive_entry_set_size(header.get(), 0);
  if (type == AE_IFDIR) {
    ::archive_entry_set_filetype(header.get(), AE_IFDIR);
    ::archive_entry_set_perm(header.get(), 0755);
  } else if (type == AE_IFLNK) {
    const char* target = ::archive_entry_symlink(entry);
    if (target == nullptr) return fail(ErrorCode::invalid, "the link {} has no target", name);
    ::archive_entry_set_filetype(header.get(), AE_IFLNK);
    ::archive_entry_set_perm(header.get(), 0777);
    ::archive_entry_set_symlink(header.get(), target);
  } else {
    ::archive_entry_set_filetype(header.get(), AE_IFREG);
    ::archive_entry_set_perm(header.get(), runs ? 0755 : 0644);
    ::archive_entry_set_size(header.get(), ::archive_entry_size(entry));
  }
  if (::archive_write_header(writer_.get(), header.get()) != ARCHIVE_OK)
    return fail(writer_failure(name));
  if (type == AE_IFDIR || type == AE_IFLNK) return Done{};
  return copy_bytes(reader, name);
}

Result<Done> Merge::copy_bytes(struct archive* reader, const std::string& name) {
  std::array<char, kBlockBytes> block{};
  while (true) {
    const auto length = ::archive_read_data(reader, block.data(), block.size());
    if (length < 0) return fail(failure_of(reader, fmt::format("read {}", name)));
    if (length == 0) return Done{};
    if (::archive_write_data(writer_.get(), block.data(), static_cast<std::size_t>(length)) < 0)
      return fail(writer_failure(name));
  }
}

}  // namespace

Result<MergedPackage> merge_package(PackageStore& store, std::string_view digest,
                                    std::string_view left_out, int tar) {
  auto zip = store.open_zip(digest);
  if (!zip) return fail(std::move(zip.error()));
  auto upload = store.begin_upload();
  if (!upload) return fail(std::move(upload.error()));
  const Utf8Locale locale;
  Merge merge(**upload, left_out);
  if (auto merged = merge.run(zip->get(), tar); !merged) return fail(std::move(merged.error()));
  auto package = (*upload)->finish();
  if (!package) return fail(std::move(package.error()));
  MergedPackage made;
  made.package = std::move(*package);
  made.kept_own = merge.kept_own();
  return made;
}

}  // namespace lambda::function
