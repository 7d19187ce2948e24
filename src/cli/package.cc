// Steps: walk the folder (with what is left out) -> sort -> write one archive entry after the
// other.
#include "cli/package.h"

#include "base/blocking.h"
#include "base/crypto.h"
#include "cli/ignore_rules.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <sstream>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

// 1980-01-01, the first day that a zip can name.
constexpr std::time_t kFixedTime = 315'532'800;

struct Item {
  std::string name;  // inside, with '/'
  fs::path path;
  bool link = false;
  bool executable = false;
  std::uint64_t size = 0;
};

struct Walk {
  const IgnoreRules& rules;
  std::vector<Item> items;
  std::vector<std::string> notes;
  std::uint64_t bytes = 0;
};

bool leaves(const fs::path& root, const fs::path& link, const fs::path& target) {
  if (target.is_absolute()) return true;
  const auto resolved =
      (link.parent_path() / target).lexically_normal().lexically_relative(root.lexically_normal());
  return resolved.empty() || *resolved.begin() == "..";
}

Result<Done> add_file(const fs::path& root, const fs::directory_entry& entry,
                      const std::string& name, Walk& walk) {
  std::error_code error;
  Item item;
  item.name = name;
  item.path = entry.path();
  if (entry.is_symlink(error)) {
    item.link = true;
    const auto target = fs::read_symlink(entry.path(), error);
    if (leaves(root, entry.path(), target)) {
      return fail(ErrorCode::invalid,
                  "{} is a symbolic link to {}, outside of the folder: copy what it points to, or "
                  "leave it out in .lambdaignore",
                  name, target.string());
    }
  } else if (entry.is_regular_file(error)) {
    item.size = entry.file_size(error);
    item.executable =
        (entry.status(error).permissions() & fs::perms::owner_exec) != fs::perms::none;
    walk.bytes += item.size;
  } else {
    walk.notes.push_back(name + " was left out: it is neither a file nor a folder");
    return Done{};
  }
  walk.items.push_back(std::move(item));
  return Done{};
}

Result<Done> walk_folder(const fs::path& root, const fs::path& folder, const std::string& prefix,
                         Walk& walk) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry);
  if (error) return fail(ErrorCode::denied, "read {}: {}", folder.string(), error.message());
  for (const auto& entry : entries) {
    const auto name = prefix + entry.path().filename().string();
    const bool directory = entry.is_directory(error) && !entry.is_symlink(error);
    const bool ignored = walk.rules.ignores(name, directory);
    if (ignored && !(directory && walk.rules.has_negation())) continue;
    auto done = directory ? walk_folder(root, entry.path(), name + "/", walk)
                          : add_file(root, entry, name, walk);
    if (!done) return done;
  }
  return Done{};
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct CloseArchive {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

Error archive_failure(archive* writer, std::string_view what) {
  const char* reason = archive_error_string(writer);
  return Error(ErrorCode::internal, fmt::format("write the package ({}): {}", what,
                                                reason == nullptr ? "unknown error" : reason));
}

Result<Done> write_item(archive* writer, const Item& item) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), item.name.c_str());
  archive_entry_set_mtime(entry.get(), kFixedTime, 0);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  std::error_code error;
  if (item.link) {
    archive_entry_set_filetype(entry.get(), AE_IFLNK);
    archive_entry_set_perm(entry.get(), 0777);
    archive_entry_set_symlink(entry.get(), fs::read_symlink(item.path, error).c_str());
    archive_entry_set_size(entry.get(), 0);
  } else {
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), item.executable ? 0755 : 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(item.size));
  }
  if (archive_write_header(writer, entry.get()) != ARCHIVE_OK)
    return fail(archive_failure(writer, item.name));
  if (item.link) return Done{};
  std::ifstream file(item.path, std::ios::binary);
  std::array<char, 64 * 1024> buffer{};
  std::uint64_t left = item.size;
  while (left > 0 && file.read(buffer.data(), static_cast<std::streamsize>(
                                                  std::min<std::uint64_t>(left, buffer.size())))) {
    const auto count = static_cast<std::size_t>(file.gcount());
    if (archive_write_data(writer, buffer.data(), count) < 0)
      return fail(archive_failure(writer, item.name));
    left -= count;
  }
  if (left > 0)
    return fail(ErrorCode::invalid, "{} changed, or could not be read, while it was packed",
                item.path.string());
  return Done{};
}

enum class Format { zip, tar };

Result<fs::path> write_archive(const std::vector<Item>& items, Format format) {
  std::error_code error;
  const auto path = fs::temp_directory_path(error) / ("lambda-package-" + random_uuid());
  const std::unique_ptr<archive, CloseArchive> writer(archive_write_new());
  if (format == Format::zip) {
    archive_write_set_format_zip(writer.get());
    archive_write_set_options(writer.get(), "zip:hdrcharset=UTF-8");
  } else {
    archive_write_set_format_pax_restricted(writer.get());
  }
  if (archive_write_open_filename(writer.get(), path.c_str()) != ARCHIVE_OK)
    return fail(archive_failure(writer.get(), path.string()));
  for (const auto& item : items) {
    auto written = write_item(writer.get(), item);
    if (!written) {
      fs::remove(path, error);
      return fail(std::move(written.error()));
    }
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) {
    fs::remove(path, error);
    return fail(archive_failure(writer.get(), path.string()));
  }
  return path;
}

Result<Done> check_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error))
    return fail(ErrorCode::invalid, "there is no folder {}", folder.string());
  if (!fs::is_directory(folder, error))
    return fail(ErrorCode::invalid, "{} is not a folder: deploy the folder that holds the function",
                folder.string());
  return Done{};
}

Result<Packed> finish(Walk walk, const fs::path& folder, Format format) {
  if (walk.items.empty())
    return fail(ErrorCode::invalid, "{} is empty: there is nothing to deploy", folder.string());
  if (format == Format::zip && walk.bytes > kMaxUnpacked) {
    return fail(ErrorCode::invalid,
                "{} holds {} MB, more than the {} MB that a function may have: leave out what it "
                "does not need in "
                ".lambdaignore",
                folder.string(), walk.bytes / 1'000'000, kMaxUnpacked / 1'000'000);
  }
  std::ranges::sort(walk.items, {}, &Item::name);
  auto file = write_archive(walk.items, format);
  if (!file) return fail(std::move(file.error()));
  Packed packed;
  packed.file = std::move(*file);
  packed.files = walk.items.size();
  packed.bytes = walk.bytes;
  packed.notes = std::move(walk.notes);
  return packed;
}

}  // namespace

Result<Packed> pack_code(const fs::path& folder, const std::vector<fs::path>& include) {
  auto there = check_folder(folder);
  if (!there) return fail(std::move(there.error()));
  IgnoreRules rules(IgnoreRules::Syntax::git);
  for (const char* pattern : {".git/", ".git", ".env*", ".venv/", "__pycache__/", ".lambdaignore"})
    rules.add(pattern);
  rules.add_lines(read_file(folder / ".lambdaignore"));
  Walk walk{rules, {}, {}, 0};
  auto walked = walk_folder(folder, folder, "", walk);
  if (!walked) return fail(std::move(walked.error()));
  for (const auto& path : include) {
    std::error_code error;
    const auto name = path.lexically_normal().filename().string();
    if (!fs::exists(path, error))
      return fail(ErrorCode::invalid, "{} of lambda.toml's include is not there", path.string());
    auto done = fs::is_directory(path, error)
                    ? walk_folder(path, path, name + "/", walk)
                    : add_file(path.parent_path(), fs::directory_entry(path), name, walk);
    if (!done) return fail(std::move(done.error()));
  }
  return finish(std::move(walk), folder, Format::zip);
}

Result<Packed> pack_context(const fs::path& folder) {
  auto there = check_folder(folder);
  if (!there) return fail(std::move(there.error()));
  IgnoreRules rules(IgnoreRules::Syntax::docker);
  for (const char* pattern : {"**/.git", "**/.env*", "**/.venv", "**/__pycache__"})
    rules.add(pattern);
  rules.add_lines(read_file(folder / ".dockerignore"));
  // The Dockerfile itself is always needed.
  rules.add("!Dockerfile");
  Walk walk{rules, {}, {}, 0};
  auto walked = walk_folder(folder, folder, "", walk);
  if (!walked) return fail(std::move(walked.error()));
  return finish(std::move(walk), folder, Format::tar);
}

}  // namespace lambda::cli
