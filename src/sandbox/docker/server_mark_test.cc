#include "sandbox/docker/server_mark.h"

#include "base/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace lambda::sandbox::docker {
namespace {

namespace fs = std::filesystem;

class ServerMarks : public testing::Test {
 protected:
  TemporaryDirectory temporary_;
  fs::path directory_ = temporary_.path();
};

TEST_F(ServerMarks, StaysTheSameForOneDataDirectory) {
  const auto first = ServerMark::load(directory_ / "data");
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->id.size(), 16u);
  const auto second = ServerMark::load(directory_ / "data");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->id, first->id);
}

TEST_F(ServerMarks, ACopiedDataDirectoryIsAnotherServer) {
  const auto first = ServerMark::load(directory_ / "data");
  ASSERT_TRUE(first);
  fs::copy(directory_ / "data", directory_ / "copy", fs::copy_options::recursive);
  const auto copied = ServerMark::load(directory_ / "copy");
  ASSERT_TRUE(copied);
  EXPECT_NE(copied->id, first->id);
}

TEST_F(ServerMarks, ItsDirectoryIsPrivate) {
  const auto mark = ServerMark::load(directory_ / "data");
  ASSERT_TRUE(mark);
  EXPECT_EQ(fs::status(mark->directory).permissions(), fs::perms::owner_all);
}

}  // namespace
}  // namespace lambda::sandbox::docker
