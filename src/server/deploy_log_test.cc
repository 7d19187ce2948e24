#include "server/deploy_log.h"

#include "base/temporary_directory.h"

#include <gtest/gtest.h>

namespace lambda::server {
namespace {

class DeployLogTest : public ::testing::Test {
 protected:
  DeployLogTest() : logs_(std::move(*observe::LogStore::open(temporary_.path() / "logs", clock_))) {
    failed_.function = "greet";
    failed_.version = 3;
    failed_.output = "Step 1\r\n\nit broke";
    failed_.message = "build image: exit status 1";
  }
  std::vector<observe::LogLine> lines() {
    observe::LogStore::Query query;
    query.function = "greet";
    return logs_->recent(query);
  }

  TemporaryDirectory temporary_;
  FakeClock clock_;
  std::unique_ptr<observe::LogStore> logs_;
  deploy::FailedDeploy failed_;
};

TEST_F(DeployLogTest, TheBuildsOutputAndWhyItFailed) {
  log_failed_deploy(*logs_, failed_, true, clock_.now());
  const auto kept = lines();
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_EQ(kept[0].text, "Step 1");
  EXPECT_EQ(kept[0].version, "3");
  EXPECT_FALSE(kept[0].platform);
  EXPECT_EQ(kept[1].text, "it broke");
  EXPECT_EQ(kept[2].text, "[lambda] the deploy of version 3 failed: build image: exit status 1");
  EXPECT_TRUE(kept[2].platform);
}

TEST_F(DeployLogTest, NothingOfAFunctionThatDoesNotExist) {
  observe::LogLine line;
  line.text = "of its initialisation";
  logs_->source("greet")->append(line);
  log_failed_deploy(*logs_, failed_, false, clock_.now());
  EXPECT_TRUE(lines().empty());
}

}  // namespace
}  // namespace lambda::server
