#include "sandbox/image/unpack_image.h"

#include "base/temporary_directory.h"
#include "base/unique_fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <clocale>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace lambda::sandbox::image {
namespace {

namespace fs = std::filesystem;

class UnpackImage : public testing::Test {
 protected:
  void SetUp() override {
    root_ = directory_ / "rootfs";
    fs::create_directory(root_);
    // libarchive's writer needs a locale to write names that are not ASCII; lambdad has none.
    std::setlocale(LC_ALL, "C.UTF-8");
    tar_ = archive_write_new();
    archive_write_set_format_pax(tar_);
    archive_write_open_filename(tar_, (directory_ / "image.tar").c_str());
  }
  void TearDown() override {
    if (tar_ != nullptr) archive_write_free(tar_);
  }

  void add(const std::string& path, mode_t type, mode_t mode, const std::string& content = {},
           uid_t uid = 0, gid_t gid = 0) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, path.c_str());
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, mode);
    archive_entry_set_uid(entry, uid);
    archive_entry_set_gid(entry, gid);
    if (type == AE_IFLNK) archive_entry_set_symlink_utf8(entry, content.c_str());
    if (type == AE_IFREG) archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    ASSERT_EQ(archive_write_header(tar_, entry), ARCHIVE_OK) << archive_error_string(tar_);
    if (type == AE_IFREG) archive_write_data(tar_, content.data(), content.size());
    archive_entry_free(entry);
  }
  void file(const std::string& path, const std::string& content, mode_t mode = 0644) {
    add(path, AE_IFREG, mode, content);
  }
  void hard_link(const std::string& path, const std::string& target) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, path.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_hardlink_utf8(entry, target.c_str());
    ASSERT_EQ(archive_write_header(tar_, entry), ARCHIVE_OK);
    archive_entry_free(entry);
  }

  Result<Done> unpack(const ImageLimits& limits = {}) {
    archive_write_close(tar_);
    archive_write_free(tar_);
    tar_ = nullptr;
    std::setlocale(LC_ALL, "C");
    const UniqueFd tar(::open((directory_ / "image.tar").c_str(), O_RDONLY | O_CLOEXEC));
    return unpack_image(tar.get(), root_, limits);
  }
  std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(root_ / path).rdbuf();
    return text.str();
  }
  unsigned mode(const std::string& path) {
    struct stat info {};
    return ::lstat((root_ / path).c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }

  TemporaryDirectory temporary_;
  fs::path directory_ = temporary_.path();
  fs::path root_;
  archive* tar_ = nullptr;
};

TEST_F(UnpackImage, FilesFoldersAndLinks) {
  add("usr/", AE_IFDIR, 0755);
  add("usr/bin/", AE_IFDIR, 0555);
  file("usr/bin/program", "run", 0755);
  file("usr/bin/\xc3\xa4", "umlaut");
  add("bin", AE_IFLNK, 0777, "usr/bin");
  add("etc-link", AE_IFLNK, 0777, "/etc/passwd");
  hard_link("usr/bin/same", "usr/bin/program");
  auto done = unpack();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(content("usr/bin/program"), "run");
  EXPECT_EQ(content("usr/bin/same"), "run");
  EXPECT_EQ(content("usr/bin/\xc3\xa4"), "umlaut");
  EXPECT_EQ(mode("usr/bin/program"), 0755u);
  EXPECT_EQ(fs::read_symlink(root_ / "bin"), "usr/bin");
  EXPECT_EQ(fs::read_symlink(root_ / "etc-link"), "/etc/passwd");
}

TEST_F(UnpackImage, MakesTheMountPoints) {
  file("only", "x");
  ASSERT_TRUE(unpack());
  for (const char* name : {"proc", "dev", "tmp"}) EXPECT_TRUE(fs::is_directory(root_ / name));
}

TEST_F(UnpackImage, NothingIsWrittenThroughALink) {
  add("out", AE_IFLNK, 0777, directory_.string());
  file("out/planted", "x");
  auto done = unpack();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::invalid);
  EXPECT_FALSE(fs::exists(directory_ / "planted"));
}

TEST_F(UnpackImage, NothingIsWrittenOutside) {
  file("a/../../planted", "x");
  EXPECT_FALSE(unpack());
  EXPECT_FALSE(fs::exists(directory_ / "planted"));
}

TEST_F(UnpackImage, AbsoluteNamesStayInside) {
  file("/planted", "x");
  ASSERT_TRUE(unpack());
  EXPECT_EQ(content("planted"), "x");
}

TEST_F(UnpackImage, AHardLinkReachesNothingOutside) {
  std::ofstream(directory_ / "secret") << "secret";
  add("out", AE_IFLNK, 0777, directory_.string());
  hard_link("stolen", "out/secret");
  EXPECT_FALSE(unpack());
  EXPECT_FALSE(fs::exists(root_ / "stolen"));
}

TEST_F(UnpackImage, ALinkIsNotReplacedByAFolder) {
  add("out", AE_IFLNK, 0777, directory_.string());
  add("out/", AE_IFDIR, 0777);
  const auto before = fs::status(directory_).permissions();
  EXPECT_FALSE(unpack());
  EXPECT_EQ(fs::status(directory_).permissions(), before);
}

TEST_F(UnpackImage, DevicesAndSetUserIdAreLeftOut) {
  add("null", AE_IFCHR, 0666);
  add("pipe", AE_IFIFO, 0666);
  file("su", "x", 04755);
  auto done = unpack();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_FALSE(fs::exists(root_ / "null"));
  EXPECT_FALSE(fs::exists(root_ / "pipe"));
  EXPECT_EQ(mode("su"), 0755u);
}

TEST_F(UnpackImage, WhatBelongsToTheSandboxesUserIsReadableToIt) {
  add("own", AE_IFREG, 0600, "x", 993, 990);
  add("group", AE_IFREG, 0640, "x", 0, 990);
  add("root", AE_IFREG, 0600, "x");
  ASSERT_TRUE(unpack());
  EXPECT_EQ(mode("own"), 0606u);
  EXPECT_EQ(mode("group"), 0644u);
  EXPECT_EQ(mode("root"), 0600u);
}

TEST_F(UnpackImage, HasLimits) {
  file("a", std::string(600, 'x'));
  file("b", std::string(600, 'x'));
  ImageLimits limits;
  limits.bytes = 1000;
  auto done = unpack(limits);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::too_large);
}

TEST_F(UnpackImage, HasALimitOfEntries) {
  for (int i = 0; i < 5; ++i) file("f" + std::to_string(i), "");
  ImageLimits limits;
  limits.entries = 4;
  EXPECT_FALSE(unpack(limits));
}

TEST_F(UnpackImage, NothingIsNoImage) {
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(unpack_image(nothing.get(), root_));
}

}  // namespace
}  // namespace lambda::sandbox::image
