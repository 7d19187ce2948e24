// Steps: a temporary file without a name -> one entry after the other, in the list's order.
#include "cli/project/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <locale.h>
#include <memory>
#include <sys/stat.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

struct FreeWriter {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// libarchive reads names in the thread's locale; ours are UTF-8 whatever the user's is.
class Utf8Names {
 public:
  Utf8Names() {
    for (const char* name : {"C.UTF-8", "en_US.UTF-8", "UTF-8"}) {
      locale_ = ::newlocale(LC_CTYPE_MASK, name, static_cast<locale_t>(nullptr));
      if (locale_ != nullptr) break;
    }
    if (locale_ != nullptr) before_ = ::uselocale(locale_);
  }
  ~Utf8Names() {
    if (locale_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t locale_ = nullptr;
  locale_t before_ = nullptr;
};

Result<UniqueFd> temporary_file() {
  std::error_code error;
  auto directory = fs::temp_directory_path(error);
  if (error) directory = "/tmp";
  auto name = (directory / "lambda-package-XXXXXX").string();
  UniqueFd file(::mkstemp(name.data()));
  if (!file) {
    const int number = errno;
    auto failed =
        Error::from_errno(fmt::format("make a temporary file in {} (TMPDIR chooses another place)",
                                      directory.string()),
                          number);
    return fail(std::move(failed));
  }
  ::unlink(name.c_str());
  return file;
}

Error failure_of(archive* writer, std::string_view what) {
  const char* reason = archive_error_string(writer);
  return Error(ErrorCode::internal,
               fmt::format("write the package ({}): {} (TMPDIR chooses another place)", what,
                           reason == nullptr ? "unknown error" : reason));
}

using OnBytes = std::function<void(std::uint64_t)>;

Result<Done> copy_bytes(archive* writer, const std::string& name, const Entry& entry,
                        const OnBytes& on_bytes) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(entry.path.c_str(), "rb"));
  if (!file) {
    const int number = errno;
    return fail(Error::from_errno("read " + entry.path.string(), number).as(ErrorCode::invalid));
  }
  std::array<char, 64 * 1024> buffer{};
  std::uint64_t left = entry.size;
  while (left > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const auto count = std::fread(buffer.data(), 1, wanted, file.get());
    if (count == 0) {
      return fail(ErrorCode::invalid, "{} changed while it was packed: deploy again",
                  entry.path.string());
    }
    if (archive_write_data(writer, buffer.data(), count) < 0) return fail(failure_of(writer, name));
    left -= count;
    on_bytes(count);
  }
  if (std::fgetc(file.get()) != EOF) {
    return fail(ErrorCode::invalid, "{} grew while it was packed: deploy again",
                entry.path.string());
  }
  return Done{};
}

Result<Done> write_entry(archive* writer, const std::string& name, const Entry& entry,
                         ArchiveFormat format, const OnBytes& on_bytes) {
  const std::unique_ptr<archive_entry, FreeEntry> header(archive_entry_new());
  archive_entry_set_pathname(header.get(), name.c_str());
  archive_entry_set_uid(header.get(), 0);
  archive_entry_set_gid(header.get(), 0);
  // A zip keeps local times, so that one with any time would differ between time zones: without one
  // it is the first day of 1980 everywhere.
  if (format == ArchiveFormat::tar) archive_entry_set_mtime(header.get(), 0, 0);
  archive_entry_set_size(header.get(), 0);
  switch (entry.kind) {
    case Entry::Kind::link:
      archive_entry_set_filetype(header.get(), AE_IFLNK);
      archive_entry_set_perm(header.get(), 0777);
      archive_entry_set_symlink(header.get(), entry.target.c_str());
      break;
    case Entry::Kind::directory:
      archive_entry_set_filetype(header.get(), AE_IFDIR);
      archive_entry_set_perm(header.get(), 0755);
      break;
    case Entry::Kind::file:
      archive_entry_set_filetype(header.get(), AE_IFREG);
      archive_entry_set_perm(header.get(), entry.executable ? 0755 : 0644);
      archive_entry_set_size(header.get(), static_cast<la_int64_t>(entry.size));
      break;
  }
  if (archive_write_header(writer, header.get()) != ARCHIVE_OK)
    return fail(failure_of(writer, name));
  if (entry.kind != Entry::Kind::file) return Done{};
  return copy_bytes(writer, name, entry, on_bytes);
}

}  // namespace

Result<Archive> write_archive(const Contents& contents, ArchiveFormat format,
                              const OnBytes& on_bytes) {
  auto file = temporary_file();
  if (!file) return fail(std::move(file.error()));
  const Utf8Names utf8;
  const std::unique_ptr<archive, FreeWriter> writer(archive_write_new());
  if (format == ArchiveFormat::zip) {
    archive_write_set_format_zip(writer.get());
    archive_write_set_options(writer.get(), "zip:hdrcharset=UTF-8");
  } else {
    archive_write_set_format_pax_restricted(writer.get());
  }
  archive_write_set_bytes_in_last_block(writer.get(), 1);
  if (archive_write_open_fd(writer.get(), file->get()) != ARCHIVE_OK)
    return fail(failure_of(writer.get(), "begin"));
  for (const auto& [name, entry] : contents.entries) {
    auto written = write_entry(writer.get(), name, entry, format, on_bytes);
    if (!written) return fail(std::move(written.error()));
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return fail(failure_of(writer.get(), "end"));
  struct stat facts {};
  if (::fstat(file->get(), &facts) != 0 || ::lseek(file->get(), 0, SEEK_SET) != 0) {
    const int number = errno;
    return fail(Error::from_errno("read the package again", number));
  }
  Archive made;
  made.size = static_cast<std::uint64_t>(facts.st_size);
  made.file = std::move(*file);
  return made;
}

}  // namespace lambda::cli
