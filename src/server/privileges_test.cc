#include "server/privileges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DataDirectory : public testing::Test {
 public:
  DataDirectory() {
    std::string pattern = (fs::temp_directory_path() / "lambda-data-XXXXXX").string();
    home_ = ::mkdtemp(pattern.data());
    me_ = User{"me", ::geteuid(), ::getegid()};
  }
  ~DataDirectory() override { fs::remove_all(home_); }

  static void make_file(const fs::path& path) { std::ofstream(path) << "text"; }
  static unsigned mode_of(const fs::path& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 07777;
  }

  fs::path home_;
  User me_;
};

TEST_F(DataDirectory, IsTakenWhereItIsMissingEmptyOrWasOneAlready) {
  EXPECT_TRUE(give_directory(home_ / "new", me_));
  EXPECT_EQ(mode_of(home_ / "new"), 0711u);
  fs::create_directories(home_ / "empty/lost+found");
  EXPECT_TRUE(give_directory(home_ / "empty", me_));
  fs::create_directory(home_ / "used");
  make_file(home_ / "used/lambda.lock");
  make_file(home_ / "used/other");
  EXPECT_TRUE(give_directory(home_ / "used", me_));
  EXPECT_EQ(mode_of(home_ / "used"), 0711u);
  fs::create_directory(home_ / "begun");
  make_file(home_ / "begun/spawn.lock");
  EXPECT_TRUE(give_directory(home_ / "begun", me_)) << "a start came no further";
}

TEST_F(DataDirectory, IsLeftAloneWhereSomethingElseIsInIt) {
  fs::create_directory(home_ / "theirs");
  make_file(home_ / "theirs/thesis.txt");
  fs::permissions(home_ / "theirs", fs::perms::owner_all);
  for (const auto* name : {"theirs", "link"}) {
    if (!fs::exists(home_ / name)) fs::create_directory_symlink("theirs", home_ / name);
    const auto given = give_directory(home_ / name, me_);
    ASSERT_FALSE(given) << name;
    EXPECT_THAT(given.error().message(), HasSubstr("thesis.txt"));
    EXPECT_THAT(given.error().message(), HasSubstr((home_ / "theirs").string()));
    EXPECT_THAT(given.error().message(), HasSubstr("--data-dir"));
    EXPECT_EQ(mode_of(home_ / "theirs"), 0700u);
  }
}

TEST_F(DataDirectory, IsLeftAloneWhereItIsTheServersOfSomebodyElse) {
  if (::geteuid() == 0) {
    fs::create_directory(home_ / "theirs");
    make_file(home_ / "theirs/lambda.db");
    ASSERT_EQ(::chown((home_ / "theirs").c_str(), 12345, 12345), 0);
    const auto given = give_directory(home_ / "theirs", me_);
    ASSERT_FALSE(given);
    EXPECT_THAT(given.error().message(), HasSubstr("12345"));
  }
}

}  // namespace
}  // namespace lambda::server
