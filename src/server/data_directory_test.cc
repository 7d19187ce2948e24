#include "server/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
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
    char pattern[] = "/tmp/lambda-data-XXXXXX";
    root_ = ::mkdtemp(pattern);
  }
  ~DataDirectory() override { fs::remove_all(root_); }

  static mode_t mode_of(const fs::path& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777u : 0;
  }

  fs::path root_;
};

TEST_F(DataDirectory, IsMadeForAPersonAlone) {
  const auto data = root_ / "new/data";
  ASSERT_TRUE(prepare_data_directory(data, std::nullopt));
  EXPECT_EQ(mode_of(data), 0700u);
  fs::permissions(data, fs::perms::all);
  ASSERT_TRUE(prepare_data_directory(data, std::nullopt));
  EXPECT_EQ(mode_of(data), 0700u);
}

TEST_F(DataDirectory, OfTheServersUserCanBeWalkedThrough) {
  const auto data = root_ / "data";
  const User me{"me", ::geteuid(), ::getegid()};
  ASSERT_TRUE(prepare_data_directory(data, me));
  EXPECT_EQ(mode_of(data), 0711u);
}

TEST_F(DataDirectory, AFileIsNone) {
  std::ofstream(root_ / "file") << "x";
  for (const auto& path : {root_ / "file", root_ / "file/data"}) {
    const auto made = prepare_data_directory(path, std::nullopt);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().message(),
                HasSubstr((root_ / "file").string() + " is not a directory"));
    EXPECT_THAT(made.error().message(), HasSubstr("--data-dir"));
  }
}

}  // namespace
}  // namespace lambda::server
