// Databases from before environments were sealed, on disk.
#include "function/environment_seal.h"

#include "base/temporary_directory.h"
#include "function/catalog.h"
#include "function/catalog_fixture.h"
#include "store/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace lambda::function {
namespace {

using ::testing::HasSubstr;

const std::string kClear = "hunter2-in-clear";

class StoredEnvironments : public testing::Test {
 protected:
  Result<std::unique_ptr<Catalog>> load() {
    catalog_.reset();
    database_.reset();
    auto opened = store::Database::open(directory_.path());
    if (!opened) return fail(std::move(opened.error()));
    database_ = std::move(*opened);
    return Catalog::load(*database_, clock_, Tenant{}, master_);
  }
  void open() {
    auto loaded = load();
    ASSERT_TRUE(loaded) << loaded.error().message();
    catalog_ = std::move(*loaded);
  }
  void execute(const std::string& sql) {
    auto work = [&sql](SQLite::Database& connection) { connection.exec(sql); };
    const auto done = database_->change("make an older database", work);
    ASSERT_TRUE(done) << done.error().message();
  }
  // As versions before this wrote it, with a draft, a version, a row of another region, and an
  // environment that was overwritten since.
  void make_older_database() {
    open();
    ASSERT_TRUE(catalog_->create_function("greet", python(), code_of("1"), {}, true));
    execute("DELETE FROM meta WHERE name = 'environments_sealed'");
    execute(
        "INSERT INTO functions (account, region, name, url_auth, url_cors, url_invoke_mode, "
        "url_created, url_modified, created, next_version) SELECT account, 'elsewhere', name, "
        "url_auth, url_cors, url_invoke_mode, url_created, url_modified, created, next_version "
        "FROM functions");
    execute(
        "UPDATE versions SET configuration = json_set(configuration, '$.environment', "
        "json('{\"OLD\":\"hunter2-in-clear-before\"}'))");
    execute(
        "UPDATE versions SET configuration = json_set(configuration, '$.environment', "
        "json('{\"PASSWORD\":\"hunter2-in-clear\"}'))");
    execute(
        "INSERT INTO versions SELECT account, 'elsewhere', function, number, configuration, "
        "code_sha256, code_size, package_digest, image_uri, image_id, image_info, revision_id, "
        "last_modified, state, state_reason, state_reason_code, last_update, "
        "last_update_reason, last_update_reason_code, message, deployed, live_since, "
        "draft_description FROM versions");
  }
  // The files that hold it.
  std::string files_in_clear() const {
    std::string names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)), {});
      if (bytes.find(kClear) != std::string::npos) names += entry.path().filename().string() + " ";
    }
    return names;
  }

  TemporaryDirectory directory_;
  FakeClock clock_;
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(StoredEnvironments, AreSealedAtTheFirstStartAndNothingOfThemIsLeftOnDisk) {
  make_older_database();
  ASSERT_NE(files_in_clear(), "");
  open();
  EXPECT_EQ(files_in_clear(), "");
  const std::map<std::string, std::string> expected{{"PASSWORD", kClear}};
  const auto greet = catalog_->snapshot()->functions.at("greet");
  EXPECT_EQ(greet->latest->configuration.environment, expected);
  EXPECT_EQ(greet->version(1)->configuration.environment, expected);
  catalog_.reset();
  database_.reset();
  EXPECT_EQ(files_in_clear(), "");
  open();
  EXPECT_EQ(catalog_->snapshot()->functions.at("greet")->latest->configuration.environment,
            expected);
}

TEST_F(StoredEnvironments, OfAnotherRegionAreSealedToo) {
  make_older_database();
  open();
  catalog_.reset();
  auto elsewhere = Catalog::load(*database_, clock_, Tenant{"000000000000", "elsewhere"}, master_);
  ASSERT_TRUE(elsewhere) << elsewhere.error().message();
  EXPECT_EQ((*elsewhere)
                ->snapshot()
                ->functions.at("greet")
                ->latest->configuration.environment->at("PASSWORD"),
            kClear);
}

TEST_F(StoredEnvironments, AreNeverWrittenInClear) {
  open();
  auto configuration = python();
  configuration.environment = {{"PASSWORD", kClear}};
  ASSERT_TRUE(catalog_->create_function("greet", configuration, code_of("1"), {}, true));
  EXPECT_EQ(files_in_clear(), "");
  open();
  EXPECT_EQ(catalog_->snapshot()->functions.at("greet")->version(1)->configuration, configuration);
}

TEST_F(StoredEnvironments, DoNotOpenWithAnotherMasterKeyNorInAnotherRow) {
  open();
  auto configuration = python();
  configuration.environment = {{"PASSWORD", kClear}};
  ASSERT_TRUE(catalog_->create_function("greet", configuration, code_of("1"), {}, true));
  execute(
      "UPDATE versions SET configuration = (SELECT configuration FROM versions WHERE number = "
      "0) WHERE number = 1");
  const auto moved = load();
  ASSERT_FALSE(moved);
  EXPECT_THAT(moved.error().message(), HasSubstr("load greet version 1"));
  master_ = store::MasterKey::ephemeral();
  const auto other = load();
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("the master key is another one"));
}

}  // namespace
}  // namespace lambda::function
