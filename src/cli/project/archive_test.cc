#include "cli/project/archive.h"

#include "cli/project/test_folder.h"

#include <cstdlib>
#include <sys/stat.h>
#include <time.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const Archive& archive) {
  std::string bytes(archive.size, '\0');
  EXPECT_EQ(::pread(archive.file.get(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  return bytes;
}

class ArchiveOf : public TestFolder {
 protected:
  std::string zip(const fs::path& folder) const {
    const auto contents = code_contents(folder, {});
    if (!contents) return contents.error().message();
    const auto archive = write_archive(*contents, ArchiveFormat::zip);
    return archive ? bytes_of(*archive) : archive.error().message();
  }
  // A few files, made in this order.
  void fill(const std::string& name, const std::vector<std::string>& order) const {
    for (const auto& file : order)
      write(fmt::format("{}/{}", name, file), fmt::format("text of {}", file));
    fs::permissions(root_ / name / "run", fs::perms::owner_exec, fs::perm_options::add);
    fs::create_symlink("run", root_ / name / "link");
  }
};

TEST_F(ArchiveOf, TheSameFolderIsTheSame) {
  fill("one", {"a.py", "run", "b/c.txt", "\xC3\xBC.txt"});
  const auto mask = ::umask(0077);
  fill("two", {"\xC3\xBC.txt", "b/c.txt", "run", "a.py"});
  ::umask(mask);
  fs::last_write_time(root_ / "two/a.py",
                      fs::file_time_type::clock::now() - std::chrono::hours(9999));
  const auto first = zip(root_ / "one");
  EXPECT_GT(first.size(), 200u);
  EXPECT_EQ(first, zip(root_ / "two"));
}

TEST_F(ArchiveOf, TheSameFolderIsTheSameInEveryTimeZone) {
  write("a.py", "x");
  const auto here = zip(root_);
  for (const char* zone : {"Asia/Tokyo", "America/Los_Angeles"}) {
    ::setenv("TZ", zone, 1);
    ::tzset();
    EXPECT_EQ(here, zip(root_)) << zone;
  }
  ::unsetenv("TZ");
  ::tzset();
}

TEST_F(ArchiveOf, AnotherFolderIsAnother) {
  write("a.py", "x");
  const auto before = zip(root_);
  fs::permissions(root_ / "a.py", fs::perms::owner_exec, fs::perm_options::add);
  const auto executable = zip(root_);
  EXPECT_NE(before, executable);
  write("a.py", "y");
  EXPECT_NE(executable, zip(root_));
}

TEST_F(ArchiveOf, TellsHowManyBytesAreInIt) {
  write("a.py", std::string(200'000, 'x'));
  write("b.py", "y");
  const auto contents = code_contents(root_, {});
  std::uint64_t told = 0;
  int times = 0;
  const auto count = [&](std::uint64_t bytes) {
    told += bytes;
    ++times;
  };
  ASSERT_TRUE(write_archive(*contents, ArchiveFormat::zip, count));
  EXPECT_EQ(told, contents->bytes);
  EXPECT_GT(times, 2);
}

TEST_F(ArchiveOf, LeavesNothingBehind) {
  write("a.py", "x");
  const auto place = root_ / "tmp";
  fs::create_directories(place);
  ::setenv("TMPDIR", place.c_str(), 1);
  const auto contents = code_contents(root_, {});
  const auto archive = write_archive(*contents, ArchiveFormat::tar);
  ::unsetenv("TMPDIR");
  ASSERT_TRUE(archive) << archive.error().message();
  EXPECT_GT(archive->size, 512u);
  EXPECT_TRUE(fs::is_empty(place));
}

TEST_F(ArchiveOf, AFileThatChangedIsRefused) {
  write("a.py", "long");
  const auto contents = code_contents(root_, {});
  write("a.py", "x");
  EXPECT_FALSE(write_archive(*contents, ArchiveFormat::zip));
  write("a.py", "longer");
  EXPECT_FALSE(write_archive(*contents, ArchiveFormat::zip));
  fs::remove(root_ / "a.py");
  EXPECT_FALSE(write_archive(*contents, ArchiveFormat::zip));
}

}  // namespace
}  // namespace lambda::cli
