#include "cli/init/new_folder.h"

#include "base/crypto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

class NewFolder : public testing::Test {
 public:
  NewFolder() : root_(fs::path(testing::TempDir()) / ("init-" + random_uuid())) {
    fs::create_directories(root_);
  }
  ~NewFolder() override { fs::remove_all(root_); }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  fs::path root_;
  std::vector<TemplateFile> files_ = {{"a.txt", "one\n", false}, {"run", "#!/bin/sh\n", true}};
};

TEST_F(NewFolder, HasTheFilesAndTheirModes) {
  ASSERT_TRUE(write_new_files(root_ / "deep/er", files_));
  EXPECT_EQ(read(root_ / "deep/er/a.txt"), "one\n");
  const auto executable = fs::perms::owner_exec;
  EXPECT_EQ(fs::status(root_ / "deep/er/run").permissions() & executable, executable);
  EXPECT_EQ(fs::status(root_ / "deep/er/a.txt").permissions() & executable, fs::perms::none);
}

TEST_F(NewFolder, NeverReplacesAndThenWritesNothing) {
  std::ofstream(root_ / "run") << "mine";
  const auto done = write_new_files(root_, files_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::conflict);
  EXPECT_THAT(done.error().message(), testing::HasSubstr("has run already"));
  EXPECT_EQ(read(root_ / "run"), "mine");
  EXPECT_FALSE(fs::exists(root_ / "a.txt"));
}

TEST_F(NewFolder, FollowsNoLinkThatLeadsNowhere) {
  fs::create_symlink(root_ / "elsewhere", root_ / "a.txt");
  EXPECT_FALSE(write_new_files(root_, files_));
  EXPECT_FALSE(fs::exists(root_ / "elsewhere"));
}

TEST_F(NewFolder, TakesBackWhatItWroteWhereTheRestFails) {
  files_.push_back({"not/there", "x", false});
  EXPECT_FALSE(write_new_files(root_ / "new", files_));
  EXPECT_FALSE(fs::exists(root_ / "new"));
}

TEST_F(NewFolder, IsNoFile) {
  std::ofstream(root_ / "file") << "x";
  EXPECT_EQ(write_new_files(root_ / "file", files_).error().code(), ErrorCode::conflict);
}

}  // namespace
}  // namespace lambda::cli
