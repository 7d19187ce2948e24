#include "cli/connection/settings_file.h"

#include "base/crypto.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

class Settings : public testing::Test {
 public:
  Settings() : home_(fs::path(testing::TempDir()) / ("settings-" + random_uuid())) {
    ::setenv("XDG_CONFIG_HOME", home_.c_str(), 1);
  }
  ~Settings() override {
    ::unsetenv("XDG_CONFIG_HOME");
    fs::remove_all(home_);
  }
  fs::path home_;
};

TEST_F(Settings, AreEmptyAtFirst) {
  EXPECT_TRUE(read_settings()->contexts.empty());
  EXPECT_EQ(read_settings()->current, "default");
}

TEST_F(Settings, AreReadAsTheyWereWritten) {
  SettingsFile settings;
  settings.current = "prod.eu";
  settings.contexts["prod.eu"] = {"http://\"x\"", "lam_x"};
  settings.contexts["local"] = {};
  ASSERT_TRUE(write_settings(settings));
  const auto read = read_settings();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->current, "prod.eu");
  EXPECT_EQ(read->contexts.at("prod.eu").host, "http://\"x\"");
  EXPECT_EQ(read->contexts.at("prod.eu").key, "lam_x");
  EXPECT_EQ(read->contexts.at("local").host, "");
}

TEST_F(Settings, OfBeforeThereWereContextsAreTheDefaultOne) {
  ASSERT_TRUE(write_settings({}));
  std::ofstream(settings_path()) << "host = \"https://old\"\nkey = \"lam_old\"\n";
  const auto read = read_settings();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->current, "default");
  EXPECT_EQ(read->contexts.at("default").host, "https://old");
  ASSERT_TRUE(write_settings(*read));
  EXPECT_EQ(read_settings()->contexts.at("default").key, "lam_old");
}

TEST_F(Settings, HaveNoContextThatNobodyMade) {
  SettingsFile settings;
  settings.contexts["staging"] = {"https://s", ""};
  EXPECT_EQ(settings.context("staging", "--context")->host, "https://s");
  EXPECT_EQ(settings.context("default", "x")->host, "");
  const auto none = settings.context("stagin", "--context");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message().find("did you mean \"staging\"?"), std::string::npos);
}

TEST_F(Settings, NameContextsByLettersAndDigits) {
  EXPECT_TRUE(check_context_name("prod-eu.1_a"));
  for (const char* name : {"", "-x", ".x", "a b", "a/b", "\xC3\xA9"})
    EXPECT_FALSE(check_context_name(name)) << name;
  EXPECT_FALSE(check_context_name(std::string(64, 'a')));
}

TEST_F(Settings, AreTheirOwnersAlone) {
  ASSERT_TRUE(write_settings({}));
  EXPECT_EQ(fs::status(settings_path()).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Settings, ThatAreWrongNameTheLine) {
  ASSERT_TRUE(write_settings({}));
  std::ofstream(settings_path()) << "host = \"x\"\nkey = \n";
  const auto read = read_settings();
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message().find("line 2"), std::string::npos) << read.error().message();
}

TEST_F(Settings, OfAnotherKindAreNamed) {
  ASSERT_TRUE(write_settings({}));
  for (const char* wrong : {"key = 5\n", "context = []\n", "[contexts.a]\nhost = true\n"}) {
    std::ofstream(settings_path()) << wrong;
    const auto read = read_settings();
    ASSERT_FALSE(read) << wrong;
    EXPECT_NE(read.error().message().find("must be a text"), std::string::npos)
        << read.error().message();
  }
}

TEST_F(Settings, ThatCannotBeReadAreNotTakenForNone) {
  fs::create_directories(settings_path());
  const auto read = read_settings();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::denied);
}

TEST_F(Settings, ThatThisVersionDoesNotKnowStay) {
  ASSERT_TRUE(write_settings({}));
  std::ofstream(settings_path())
      << "colour = true\n[contexts.a]\nhost = \"https://a\"\nca = \"x\"\n"
         "[contexts.b]\nca = \"gone\"\n";
  auto settings = read_settings();
  ASSERT_TRUE(settings);
  settings->contexts["a"].key = "lam_a";
  settings->contexts.erase("b");
  ASSERT_TRUE(write_settings(*settings));
  std::ifstream file(settings_path());
  const std::string text(std::istreambuf_iterator<char>(file), {});
  for (const char* words : {"colour = true", "ca = 'x'", "lam_a", "https://a"})
    EXPECT_NE(text.find(words), std::string::npos) << text;
  EXPECT_EQ(text.find("gone"), std::string::npos) << text;
}

TEST_F(Settings, BehindALinkAreWrittenThere) {
  const auto real = home_ / "dotfiles/lambda.toml";
  fs::create_directories(real.parent_path());
  fs::create_directories(settings_path().parent_path());
  std::ofstream(real) << "";
  fs::create_symlink(real, settings_path());
  SettingsFile settings;
  settings.contexts["a"] = {"https://a", ""};
  ASSERT_TRUE(write_settings(settings));
  EXPECT_TRUE(fs::is_symlink(settings_path()));
  EXPECT_EQ(read_settings()->contexts.at("a").host, "https://a");
  EXPECT_EQ(std::distance(fs::directory_iterator(real.parent_path()), fs::directory_iterator()), 1);
}

TEST_F(Settings, LieInNoWorkingDirectory) {
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  ::unsetenv("XDG_CONFIG_HOME");
  ::setenv("HOME", "", 1);
  EXPECT_TRUE(settings_path().is_absolute()) << settings_path();
  ::setenv("HOME", "/somewhere", 1);
  EXPECT_EQ(settings_path(), "/somewhere/.config/lambda/config.toml");
  ::setenv("HOME", home.c_str(), 1);
}

}  // namespace
}  // namespace lambda::cli
