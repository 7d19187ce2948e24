// What is kept of versions that are gone, and for how long.
#include "server/housekeeper.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Knows one thing: whether something runs, or something of one function.
class Running final : public invoke::RefusingInvoker {
 public:
  Task<bool> runs(function::VersionPtr version) override {
    co_return running || version->function == running_function;
  }

  bool running = false;
  std::string running_function;
};

class Images final : public sandbox::ImageBuilder {
 public:
  [[nodiscard]] std::string tag_for(std::string_view, std::uint64_t) const override { return {}; }
  Task<Result<sandbox::ImageInfo>> build(fs::path, std::string, std::map<std::string, std::string>,
                                         std::function<void(std::string_view)>) override {
    co_return nothing();
  }
  Task<Result<sandbox::ImageInfo>> inspect(std::string) override { co_return nothing(); }
  Task<Result<Done>> tag(std::string, std::string) override { co_return nothing(); }
  Task<Result<Done>> forget(std::string image_id, std::function<bool()> in_use) override {
    if (in_use()) co_return fail(ErrorCode::conflict, "in use");
    forgotten.push_back(std::move(image_id));
    co_return Done{};
  }
  Task<Result<fs::path>> export_root(std::string) override { co_return nothing(); }
  [[nodiscard]] std::optional<fs::path> exported_root(std::string_view) const override {
    return std::nullopt;
  }
  Task<Result<Done>> collect_garbage(std::vector<std::string>) override { co_return Done{}; }

  std::vector<std::string> forgotten;

 private:
  static tl::unexpected<Error> nothing() { return fail(ErrorCode::internal, "not here"); }
};

class HousekeeperTest : public ::testing::Test {
 public:
  HousekeeperTest() {
    database_ = std::move(*store::Database::open_in_memory());
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{},
                                                  store::MasterKey::ephemeral()));
    packages_ = std::move(*function::PackageStore::open(directory_.path()));
    housekeeper_ =
        std::make_unique<Housekeeper>(*catalog_, invoker_, *packages_, &images_, disk_, clock_);
    catalog_->on_leaving([this](const std::vector<function::VersionPtr>& versions) {
      housekeeper_->leaving(versions);
    });
  }
  // The names of a package that was uploaded long ago.
  std::string old_package(const std::string& text) {
    const auto digest = hex_encode(sha256(text));
    std::ofstream(packages_->zip_path(digest)) << text;
    fs::create_directories(packages_->code_directory(digest));
    fs::last_write_time(packages_->zip_path(digest), fs::file_time_type::clock::now() - 48h);
    return digest;
  }
  void create(const std::string& name, const std::string& digest, const std::string& image) {
    function::Configuration configuration;
    function::Code code;
    code.sha256 = base64_encode(sha256(name));
    code.package_digest = digest;
    code.image_id = image;
    if (image.empty()) {
      configuration.runtime = "python3.11";
      configuration.handler = "app.handler";
    } else {
      configuration.package_type = function::PackageType::image;
      code.image_uri = "image";
    }
    auto made =
        catalog_->create_function(name, std::move(configuration), std::move(code), {}, false);
    ASSERT_TRUE(made) << made.error().message();
  }
  void clean() {
    Loop loop(1);
    run_on(loop, housekeeper_->clean());
  }

  const TemporaryDirectory directory_;
  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<function::Catalog> catalog_;
  std::unique_ptr<function::PackageStore> packages_;
  BlockingPool disk_{"disk", 1};
  Running invoker_;
  Images images_;
  std::unique_ptr<Housekeeper> housekeeper_;
};

TEST_F(HousekeeperTest, WhatAnInstanceRunsStaysHoweverLongThatTakes) {
  const auto package = old_package("code");
  create("zipped", package, "");
  create("built", "", "sha256:1");
  ASSERT_TRUE(catalog_->delete_function("zipped"));
  ASSERT_TRUE(catalog_->delete_function("built"));
  invoker_.running = true;
  for (int round = 0; round < 3; ++round) {
    clean();
    EXPECT_TRUE(packages_->has(package));
    EXPECT_TRUE(images_.forgotten.empty());
    clock_.advance(24h);
  }
  invoker_.running = false;
  clean();
  EXPECT_FALSE(packages_->has(package));
  EXPECT_EQ(images_.forgotten, std::vector<std::string>{"sha256:1"});
  images_.forgotten.clear();
  clean();
  EXPECT_TRUE(images_.forgotten.empty());
}

TEST_F(HousekeeperTest, AnImageStaysForEveryVersionThatStillRunsIt) {
  create("first", "", "sha256:1");
  create("second", "", "sha256:1");
  ASSERT_TRUE(catalog_->delete_function("first"));
  ASSERT_TRUE(catalog_->delete_function("second"));
  invoker_.running_function = "second";
  for (int round = 0; round < 3; ++round) {
    clock_.advance(24h);
    clean();
    EXPECT_TRUE(images_.forgotten.empty());
  }
  invoker_.running_function.clear();
  clean();
  EXPECT_THAT(images_.forgotten, ::testing::Contains("sha256:1"));
}

TEST_F(HousekeeperTest, WhatACallOnItsWayMayNeedStays) {
  const auto package = old_package("code");
  create("zipped", package, "");
  ASSERT_TRUE(catalog_->delete_function("zipped"));
  clean();
  EXPECT_TRUE(packages_->has(package));
}

TEST_F(HousekeeperTest, AVersionThatLeavesTheCatalogAtThatVeryMomentIsMissedByNoLook) {
  const auto package = old_package("code");
  create("zipped", package, "");
  // A round in the middle of the change, just after readers miss the version.
  catalog_->on_change(
      [this](const std::vector<function::VersionPtr>& gone, const function::SnapshotPtr& now) {
        ASSERT_EQ(gone.size(), 1u);
        ASSERT_TRUE(now->functions.empty());
        clean();
      });
  ASSERT_TRUE(catalog_->delete_function("zipped"));
  EXPECT_TRUE(packages_->has(package));
}

}  // namespace
}  // namespace lambda::server
