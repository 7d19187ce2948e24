#include "server/configuration.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace lambda::server {
namespace {

Setting setting(std::string key, std::vector<std::string> values, std::string source = "--test") {
  Setting made;
  made.key = std::move(key);
  made.values = std::move(values);
  made.source = std::move(source);
  return made;
}

Result<Configuration> configure(const std::vector<Setting>& settings) {
  return make_configuration(settings, true, "/root");
}

TEST(Configuration, HasDefaultsForRootAndForOthers) {
  EXPECT_EQ(make_configuration({}, true, "/root")->data_directory, "/var/lib/lambda");
  EXPECT_EQ(make_configuration({}, false, "/home/ann")->data_directory,
            "/home/ann/.local/share/lambda");
  EXPECT_TRUE(make_configuration({}, false, "/home/ann")->socket.empty());
  EXPECT_FALSE(configure({})->driver.has_value());
}

TEST(Configuration, LaterSourcesReplaceEarlierOnesListsIncluded) {
  const auto made = configure(
      {setting("listen", {"127.0.0.1:1", "127.0.0.1:2"}), setting("listen", {"[::1]:3"})});
  ASSERT_TRUE(made);
  ASSERT_EQ(made->listen.size(), 1u);
  EXPECT_EQ(made->listen[0].host, "::1");
  EXPECT_EQ(made->listen[0].port, 3);
}

struct Wrong {
  const char* key;
  const char* value;
  const char* says;
};

class WrongValue : public testing::TestWithParam<Wrong> {};

TEST_P(WrongValue, IsNamedWithItsSourceAndKey) {
  const auto& wrong = GetParam();
  const auto made = configure({setting(wrong.key, {wrong.value}, "LAMBDA_X in the environment")});
  ASSERT_FALSE(made) << wrong.key << "=" << wrong.value;
  EXPECT_EQ(made.error().message().find(std::string("LAMBDA_X in the environment: ") + wrong.key),
            0u)
      << made.error().message();
  EXPECT_NE(made.error().message().find(wrong.says), std::string::npos) << made.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    Values, WrongValue,
    testing::Values(
        Wrong{"listen", "8080", "ADDRESS:PORT"}, Wrong{"listen", "::1:80", "brackets"},
        Wrong{"listen", "example.org:80", "not an IP address"},
        Wrong{"docker_host", "tcp://127.0.0.1:2375", "unix:///"},
        Wrong{"listen", "127.0.0.1:70000", "a port"}, Wrong{"domain", "Example.ORG", "lower case"},
        Wrong{"domain", ".x", "domain"}, Wrong{"driver", "lxc", "native and docker"},
        Wrong{"account", "12", "12 digits"}, Wrong{"region", "EU 1", "region"},
        Wrong{"log_level", "loud", "debug, info"}, Wrong{"log_format", "xml", "text and json"},
        Wrong{"log_file", "lambdad.log", "no absolute path"}, Wrong{"log_files", "0", "files"},
        Wrong{"function_log_size", "0", "MB"}, Wrong{"function_log_age", "59", "60 are the least"},
        Wrong{"function_log_rate", "-1", "KB"}, Wrong{"function_log_burst", "1", "KB"},
        Wrong{"insecure", "maybe", "neither true nor false"},
        Wrong{"slow_call", "-1", "milliseconds"}, Wrong{"trace_space", "0", "MB"},
        Wrong{"keep_traces", "1", "seconds"},
        Wrong{"otlp_endpoint", "localhost:4318", "such as http://localhost:4318"},
        Wrong{"otlp_headers", "x", "NAME=VALUE"}, Wrong{"otlp_headers", "a b=c", "NAME=VALUE"},
        Wrong{"otlp_sample", "1.5", "from 0 to 1"}, Wrong{"otlp_sample", "x", "from 0 to 1"},
        Wrong{"idle_time", "0", "seconds"}, Wrong{"loops", "-1", "loops"},
        Wrong{"memory_budget", "2 GB", "MB"}, Wrong{"process_budget", "-5", "processes"},
        Wrong{"keep_versions", "x", "versions"}, Wrong{"data_dir", "", "empty"}));

TEST(Configuration, ReadsTheEnvironment) {
  const auto get = [](const char* name) -> const char* {
    if (std::string_view(name) == "LAMBDA_LISTEN") return "127.0.0.1:81,[::1]:81";
    if (std::string_view(name) == "LAMBDA_DATA_DIR") return "/srv/l";
    return nullptr;
  };
  const auto made = configure(settings_from_environment(get));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->listen.size(), 2u);
  EXPECT_EQ(made->data_directory, "/srv/l");
}

TEST(Configuration, TakesAVariableThatIsEmptyForOneThatIsNotSet) {
  const auto get = [](const char*) -> const char* { return ""; };
  EXPECT_TRUE(settings_from_environment(get).empty());
}

class ConfigurationFile : public testing::Test {
 protected:
  Result<std::vector<Setting>> read(const std::string& text) {
    const auto path = std::filesystem::path(testing::TempDir()) / "lambdad.toml";
    std::ofstream(path) << text;
    return settings_from_file(path);
  }
};

TEST_F(ConfigurationFile, GivesEveryKindOfValue) {
  const auto settings =
      read("data_dir = \"/x\"\ninsecure = true\nkeep_versions = 7\nlisten = [\"127.0.0.1:5\"]\n");
  ASSERT_TRUE(settings) << settings.error().message();
  const auto made = configure(*settings);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->data_directory, "/x");
  EXPECT_TRUE(made->insecure);
  EXPECT_EQ(made->keep_versions, 7u);
  EXPECT_EQ(made->listen.at(0).port, 5);
}

TEST_F(ConfigurationFile, IsWhatADescriptionCanBeReadAs) {
  const std::vector<Setting> settings = {setting("data_dir", {"/with \"quotes\" and \\"}),
                                         setting("listen", {"127.0.0.1:5", "[::1]:6"}),
                                         setting("driver", {"docker"}),
                                         setting("socket", {"none"}),
                                         setting("insecure", {"true"}),
                                         setting("idle_time", {"17"}),
                                         setting("slow_call", {"250"}),
                                         setting("otlp_endpoint", {"https://c.example/v1/traces"}),
                                         setting("otlp_headers", {"x-key=a=\"b\"", "x-team=c"}),
                                         setting("otlp_sample", {"0.25"}),
                                         setting("docker_host", {"unix:///x.sock"})};
  const auto made = configure(settings);
  ASSERT_TRUE(made) << made.error().message();
  const auto text = describe(*made, settings);
  EXPECT_NE(text.find("idle_time = 17  # --test\n"), std::string::npos) << text;
  EXPECT_NE(text.find("region = \"us-east-1\"  # default\n"), std::string::npos) << text;
  const auto again = read(text);
  ASSERT_TRUE(again) << again.error().message();
  const auto same = configure(*again);
  ASSERT_TRUE(same) << same.error().message();
  EXPECT_EQ(same->data_directory, made->data_directory);
  EXPECT_EQ(same->listen.at(1).host, "::1");
  EXPECT_EQ(same->listen.at(1).port, 6);
  EXPECT_EQ(same->driver, function::DriverName::docker);
  EXPECT_TRUE(same->socket.empty());
  EXPECT_TRUE(same->insecure);
  EXPECT_EQ(same->idle_time, std::chrono::seconds(17));
  EXPECT_EQ(same->slow_call, std::chrono::milliseconds(250));
  EXPECT_EQ(same->otlp_endpoint, made->otlp_endpoint);
  EXPECT_EQ(same->otlp_headers, made->otlp_headers);
  EXPECT_EQ(same->otlp_headers.at(0).second, "a=\"b\"");
  EXPECT_EQ(same->otlp_sample, 0.25);
  EXPECT_EQ(same->docker_host, "unix:///x.sock");

  const std::vector<Setting> without{setting("docker_host", {"none"})};
  const auto none = configure(without);
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_EQ(none->docker_host, "none");
}

TEST_F(ConfigurationFile, SaysWhichLineIsWrong) {
  auto unknown = read("data_dir = \"/x\"\ndomian = \"y\"\n");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("line 2: unknown key \"domian\""), std::string::npos);
  auto broken = read("a = \n");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace lambda::server
