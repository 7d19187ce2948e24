#include "server/server_log.h"

#include "base/temporary_directory.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lambda::server {
namespace {

class ServerLogTest : public ::testing::Test {
 public:
  ~ServerLogTest() override {
    spdlog::set_default_logger(before_);
    spdlog::drop("lambdad");
  }

 protected:
  ServerLogTest() : before_(spdlog::default_logger()) {
    configuration_.log_file = temporary_.path() / "lambdad.log";
  }
  std::vector<std::string> lines(const std::string& name = "lambdad.log") {
    std::ifstream file(temporary_.path() / name);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }

  TemporaryDirectory temporary_;
  Configuration configuration_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(ServerLogTest, IsInTheFileToo) {
  set_up_log(configuration_);
  ASSERT_TRUE(add_log_file(configuration_));
  spdlog::info("one\ntwo");
  spdlog::debug("not at this level");
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_TRUE(lines()[0].ends_with("Z info one\\ntwo"));
  struct stat facts {};
  ASSERT_EQ(::stat(configuration_.log_file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0640u);
}

TEST_F(ServerLogTest, JsonIsAnObjectALine) {
  configuration_.log_format = "json";
  set_up_log(configuration_);
  ASSERT_TRUE(add_log_file(configuration_));
  spdlog::warn("\"quoted\" \x1B \xFF\n");
  ASSERT_EQ(lines().size(), 1u);
  const auto object = boost::json::parse(lines()[0]).as_object();
  EXPECT_EQ(object.at("level").as_string(), "warning");
  EXPECT_EQ(object.at("message").as_string(), "\"quoted\" \x1B \xEF\xBF\xBD\n");
  EXPECT_EQ(object.at("pid").as_int64(), ::getpid());
  EXPECT_TRUE(object.at("time").as_string().ends_with("Z"));
  EXPECT_TRUE(object.contains("thread"));
}

TEST_F(ServerLogTest, AFullFileIsFollowedByAnotherAndNoLineIsLost) {
  configuration_.log_file_size = 1;
  configuration_.log_files = 3;
  set_up_log(configuration_);
  spdlog::default_logger()->sinks().clear();  // thousands of lines are for the file alone
  ASSERT_TRUE(add_log_file(configuration_));
  constexpr std::size_t kLines = 2500;
  for (std::size_t i = 0; i < kLines; ++i) spdlog::info("{} {}", i, std::string(1000, 'x'));
  const auto all = lines("lambdad.2.log").size() + lines("lambdad.1.log").size() + lines().size();
  EXPECT_EQ(all, kLines);
  for (std::size_t i = 0; i < kLines; ++i) spdlog::info("{} {}", i, std::string(1000, 'x'));
  EXPECT_FALSE(std::filesystem::exists(temporary_.path() / "lambdad.3.log"));
}

TEST_F(ServerLogTest, SaysWhereItCannotWrite) {
  configuration_.log_file = temporary_.path() / "missing/lambdad.log";
  set_up_log(configuration_);
  const auto failed = add_log_file(configuration_);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message().find("must be able to write in that directory"),
            std::string::npos);
}

}  // namespace
}  // namespace lambda::server
