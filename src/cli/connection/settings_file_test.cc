#include "cli/connection/settings_file.h"

#include "base/crypto.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

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
  EXPECT_EQ(read_settings()->host, "");
}

TEST_F(Settings, AreReadAsTheyWereWritten) {
  SettingsFile settings;
  settings.host = "http://\"x\"";
  settings.key = "lam_x";
  ASSERT_TRUE(write_settings(settings));
  EXPECT_EQ(read_settings()->host, settings.host);
  EXPECT_EQ(read_settings()->key, settings.key);
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

}  // namespace
}  // namespace lambda::cli
