#include "function/merged_package.h"

#include "base/unique_fd.h"
#include "function/archive_locale.h"
#include "function/package_fixture.h"

#include <algorithm>
#include <fcntl.h>

namespace lambda::function {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct TarEntry {
  std::string name;
  std::string content;  // of a link its target
  mode_t mode = AE_IFREG | 0644;
  std::int64_t time = 0;
};

class MergedPackageTest : public PackageTest {
 protected:
  UniqueFd tar_of(const std::vector<TarEntry>& entries) {
    const fs::path path = data_.path() / "installed.tar";
    const Utf8Locale locale;
    struct archive* writer = ::archive_write_new();
    ::archive_write_set_format_pax_restricted(writer);
    EXPECT_EQ(::archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
    for (const auto& entry : entries) {
      struct archive_entry* header = ::archive_entry_new();
      ::archive_entry_set_pathname(header, entry.name.c_str());
      ::archive_entry_set_mode(header, entry.mode);
      ::archive_entry_set_mtime(header, entry.time, 0);
      const bool link = (entry.mode & AE_IFMT) == AE_IFLNK;
      if (link) ::archive_entry_set_symlink(header, entry.content.c_str());
      const bool file = (entry.mode & AE_IFMT) == AE_IFREG;
      ::archive_entry_set_size(header, file ? static_cast<la_int64_t>(entry.content.size()) : 0);
      EXPECT_EQ(::archive_write_header(writer, header), ARCHIVE_OK) << entry.name;
      if (file) ::archive_write_data(writer, entry.content.data(), entry.content.size());
      ::archive_entry_free(header);
    }
    ::archive_write_free(writer);
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  Result<MergedPackage> merge(const std::vector<Entry>& code,
                              const std::vector<TarEntry>& installed,
                              std::string_view left_out = {}) {
    const auto uploaded = upload(code).value();
    const auto tar = tar_of(installed);
    return merge_package(*store_, uploaded.digest, left_out, tar.get());
  }
  std::string refusal_of(const std::vector<TarEntry>& installed) {
    const auto merged = merge({{"app.py", "code"}}, installed);
    if (merged) return "accepted";
    EXPECT_EQ(merged.error().code(), ErrorCode::invalid);
    return merged.error().message();
  }
};

TEST_F(MergedPackageTest, HoldsBothWithTheirModesAndLinks) {
  const auto merged = merge({{"app.py", "code"}, {"run", "#!", 0100755}},
                            {{"pkg/__init__.py", "installed", AE_IFREG | 0644},
                             {"bin/tool", "#!", AE_IFREG | 0755},
                             {"bin/alias", "tool", AE_IFLNK | 0777},
                             {"pkg/\xc3\xa9.txt", "accent"},
                             {"empty", "", AE_IFDIR | 0755}});
  ASSERT_TRUE(merged) << merged.error().message();
  const auto& package = merged->package;
  EXPECT_EQ(read(code(package, "app.py")), "code");
  EXPECT_EQ(mode(code(package, "run")), 0555u);
  EXPECT_EQ(read(code(package, "pkg/__init__.py")), "installed");
  EXPECT_EQ(mode(code(package, "pkg/__init__.py")), 0444u);
  EXPECT_EQ(mode(code(package, "bin/tool")), 0555u);
  EXPECT_EQ(fs::read_symlink(code(package, "bin/alias")), "tool");
  EXPECT_EQ(read(code(package, "pkg/\xc3\xa9.txt")), "accent");
  EXPECT_TRUE(fs::is_directory(code(package, "empty")));
  EXPECT_THAT(merged->kept_own, IsEmpty());
}

TEST_F(MergedPackageTest, IsTheSameWheneverItIsMade) {
  const auto one = merge({{"app.py", "code"}}, {{"a", "1", AE_IFREG | 0644, 1'000'000'000}});
  const auto other = merge({{"app.py", "code"}}, {{"a", "1", AE_IFREG | 0600, 1'700'000'000}});
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->package.digest, other->package.digest);
  const auto nothing = merge({{"app.py", "code"}}, {});
  ASSERT_TRUE(nothing) << nothing.error().message();
  EXPECT_NE(nothing->package.digest, one->package.digest);
}

TEST_F(MergedPackageTest, TheUploadedFileCountsAndIsNamed) {
  const auto merged =
      merge({{"utils.py", "mine"}, {"a/b", "mine"}, {"c", "mine"}}, {{"utils.py", "theirs"},
                                                                     {"a", "theirs"},
                                                                     {"c/d", "theirs"},
                                                                     {"a/e", "theirs"},
                                                                     {"other.py", "theirs"}});
  ASSERT_TRUE(merged) << merged.error().message();
  const auto& package = merged->package;
  EXPECT_EQ(read(code(package, "utils.py")), "mine");
  EXPECT_EQ(read(code(package, "a/b")), "mine");
  EXPECT_EQ(read(code(package, "c")), "mine");
  EXPECT_EQ(read(code(package, "a/e")), "theirs");
  EXPECT_EQ(read(code(package, "other.py")), "theirs");
  EXPECT_THAT(merged->kept_own, ElementsAre("a", "c", "utils.py"));
}

TEST_F(MergedPackageTest, AFolderThatIsInstalledWholeReplacesTheUploadedOne) {
  const auto merged =
      merge({{"index.js", "code"}, {"node_modules/old/index.js", "old"}, {"node_modules2/x", "x"}},
            {{"node_modules/new/index.js", "new"}}, "node_modules");
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_FALSE(fs::exists(code(merged->package, "node_modules/old")));
  EXPECT_EQ(read(code(merged->package, "node_modules/new/index.js")), "new");
  EXPECT_EQ(read(code(merged->package, "node_modules2/x")), "x");
}

TEST_F(MergedPackageTest, BytecodeThatWasAddedLaterStaysBehind) {
  const auto uploaded = upload({{"app.py", "code"}}).value();
  ASSERT_TRUE(store_->add_derived_files(uploaded.digest, {{"__pycache__/app.pyc", "derived"}}));
  const auto tar = tar_of({{"a", "1"}});
  const auto merged = merge_package(*store_, uploaded.digest, {}, tar.get());
  ASSERT_TRUE(merged);
  EXPECT_FALSE(fs::exists(code(merged->package, "__pycache__")));
}

TEST_F(MergedPackageTest, WhatWouldLeaveThePackageIsRefused) {
  EXPECT_THAT(refusal_of({{"../evil", "x"}}), HasSubstr("\"..\""));
  EXPECT_THAT(refusal_of({{"/etc/passwd", "x"}}), HasSubstr("absolute"));
  EXPECT_THAT(refusal_of({{"l", "/etc/passwd", AE_IFLNK | 0777}}), HasSubstr("leaves"));
  EXPECT_THAT(refusal_of({{"d/l", "../../x", AE_IFLNK | 0777}}), HasSubstr("leaves"));
  EXPECT_THAT(refusal_of({{"l", ".", AE_IFLNK | 0777}, {"l/x", "through"}}), HasSubstr("symlink"));
  EXPECT_THAT(refusal_of({{"pipe", "", AE_IFIFO | 0644}}), HasSubstr("neither a file"));
  EXPECT_THAT(refusal_of({{"disk", "", AE_IFBLK | 0644}}), HasSubstr("neither a file"));
}

TEST_F(MergedPackageTest, WhatIsNoTarIsRefused) {
  const auto uploaded = upload({{"app.py", "code"}}).value();
  const fs::path path = data_.path() / "noise";
  std::ofstream(path) << std::string(4096, 'x');
  const UniqueFd noise(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto merged = merge_package(*store_, uploaded.digest, {}, noise.get());
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::invalid);
  EXPECT_FALSE(merge_package(*store_, std::string(64, '0'), {}, noise.get()));
}

TEST_F(MergedPackageTest, TheLimitsOfAPackageHold) {
  // 260 MB of zeros, unpacked.
  std::string zeros;
  zeros.resize(130'000'000);
  const auto merged =
      merge({{"app.py", "code"}}, {{"one", zeros}, {"two", zeros}, {"three", zeros}});
  ASSERT_FALSE(merged);
  EXPECT_THAT(merged.error().message(), HasSubstr("Unzipped size must be smaller than 262144000"));
}

}  // namespace
}  // namespace lambda::function
