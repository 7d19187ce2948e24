#include "server/data_directory.h"

#include "base/temporary_directory.h"

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
  static void make_file(const fs::path& path) { std::ofstream(path) << "text"; }
  static mode_t mode_of(const fs::path& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777u : 0;
  }

  const TemporaryDirectory directory_;
  const fs::path home_ = directory_.path();
  const User me_{"me", ::geteuid(), ::getegid()};
};

TEST_F(DataDirectory, IsMadeForAPersonAlone) {
  const auto data = home_ / "new/data";
  ASSERT_TRUE(prepare_data_directory(data, std::nullopt));
  EXPECT_EQ(mode_of(data), 0700u);
  fs::permissions(data, fs::perms::all);
  ASSERT_TRUE(prepare_data_directory(data, std::nullopt));
  EXPECT_EQ(mode_of(data), 0700u);
}

TEST_F(DataDirectory, IsLeftAloneWhereAPersonHasSomethingElse) {
  const auto home = home_ / "person";
  fs::create_directory(home);
  make_file(home / "letter");
  fs::permissions(home, fs::perms{0755});
  const auto refused = prepare_data_directory(home, std::nullopt);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("it holds \"letter\""));
  EXPECT_EQ(mode_of(home), 0755u);
  make_file(home / "lambdad.log");
  EXPECT_TRUE(prepare_data_directory(home, std::nullopt));
}

TEST_F(DataDirectory, AFileIsNone) {
  make_file(home_ / "file");
  for (const auto& path : {home_ / "file", home_ / "file/data"}) {
    const auto made = prepare_data_directory(path, std::nullopt);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().message(),
                HasSubstr((home_ / "file").string() + " is not a directory"));
    EXPECT_THAT(made.error().message(), HasSubstr("--data-dir"));
  }
}

TEST_F(DataDirectory, IsTakenForTheServerWhereItIsMissingEmptyOrWasOneAlready) {
  EXPECT_TRUE(prepare_data_directory(home_ / "new", me_));
  EXPECT_EQ(mode_of(home_ / "new"), 0711u);
  fs::create_directories(home_ / "empty/lost+found");
  EXPECT_TRUE(prepare_data_directory(home_ / "empty", me_));
  fs::create_directory(home_ / "used");
  make_file(home_ / "used/lambda.lock");
  make_file(home_ / "used/other");
  EXPECT_TRUE(prepare_data_directory(home_ / "used", me_));
  EXPECT_EQ(mode_of(home_ / "used"), 0711u);
  fs::create_directory(home_ / "begun");
  make_file(home_ / "begun/spawn.lock");
  EXPECT_TRUE(prepare_data_directory(home_ / "begun", me_)) << "a start came no further";
}

TEST_F(DataDirectory, IsLeftAloneWhereSomethingElseIsInIt) {
  fs::create_directory(home_ / "theirs");
  make_file(home_ / "theirs/thesis.txt");
  fs::permissions(home_ / "theirs", fs::perms::owner_all);
  fs::create_directory_symlink("theirs", home_ / "link");
  for (const auto* name : {"theirs", "link"}) {
    const auto given = prepare_data_directory(home_ / name, me_);
    ASSERT_FALSE(given) << name;
    EXPECT_THAT(given.error().message(), HasSubstr("thesis.txt"));
    EXPECT_THAT(given.error().message(), HasSubstr((home_ / "theirs").string()));
    EXPECT_THAT(given.error().message(), HasSubstr("--data-dir"));
    EXPECT_EQ(mode_of(home_ / "theirs"), 0700u);
  }
}

TEST_F(DataDirectory, IsLeftAloneWhereSomebodyElsePutTheMark) {
  if (::geteuid() == 0) {
    fs::create_directory(home_ / "shared");
    make_file(home_ / "shared/lambda.lock");
    ASSERT_EQ(::chown((home_ / "shared/lambda.lock").c_str(), 12345, 12345), 0);
    EXPECT_FALSE(prepare_data_directory(home_ / "shared", me_));
    fs::remove(home_ / "shared/lambda.lock");
    fs::create_symlink("/etc/passwd", home_ / "shared/lambda.lock");
    EXPECT_FALSE(prepare_data_directory(home_ / "shared", me_));
  }
}

TEST_F(DataDirectory, IsLeftAloneWhereItIsTheServersOfSomebodyElse) {
  if (::geteuid() == 0) {
    fs::create_directory(home_ / "theirs");
    make_file(home_ / "theirs/lambda.db");
    ASSERT_EQ(::chown((home_ / "theirs").c_str(), 12345, 12345), 0);
    const auto given = prepare_data_directory(home_ / "theirs", me_);
    ASSERT_FALSE(given);
    EXPECT_THAT(given.error().message(), HasSubstr("12345"));
  }
}

}  // namespace
}  // namespace lambda::server
