// What `live` is let point at, with an invoker that starts what a test says.
#include "deploy/live_move.h"

#include "base/loop_runner.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"
#include "store/master_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace lambda::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ScriptedInvoker final : public invoke::RefusingInvoker {
 public:
  Task<Result<invoke::Timing>> prepare(function::VersionPtr version, InitFailure&) override {
    prepared.push_back(version->label());
    if (meanwhile) meanwhile();
    if (broken.contains(version->number)) co_return fail(ErrorCode::function_failed, "no module");
    co_return invoke::Timing();
  }
  void adopt_prepared(function::VersionPtr, function::VersionPtr published) override {
    adopted.push_back(published->label());
  }
  void abandon_prepared(function::VersionPtr version) override {
    abandoned.push_back(version->label());
  }

  std::set<std::uint64_t> broken;
  std::function<void()> meanwhile;
  std::vector<std::string> prepared, adopted, abandoned;
};

class SetLive : public testing::Test {
 public:
  // Version 1 was deployed and is live; 2, 3 and 4 were published, and never were.
  SetLive() {
    function::DeployCommit commit;
    commit.function = "greet";
    commit.configuration.runtime = "python3.11";
    commit.configuration.handler = "app.handler";
    commit.code.sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    commit.code.package_digest = std::string(64, 'a');
    EXPECT_TRUE(catalog_->commit_deploy(std::move(commit)));
    for (const char* text : {"two", "three", "four"}) {
      const auto described =
          [text](function::Configuration settings) -> Result<function::Configuration> {
        settings.description = text;
        return settings;
      };
      EXPECT_TRUE(catalog_->update_configuration("greet", described, ""));
      EXPECT_TRUE(catalog_->publish_version("greet", "", std::nullopt, ""));
    }
  }
  ~SetLive() override { store_thread_.finish(); }

  [[nodiscard]] const function::Alias& live() {
    snapshot_ = catalog_->snapshot();
    return *snapshot_->functions.find("greet")->second->live();
  }

  Result<function::Alias> set(std::uint64_t version,
                              std::optional<function::VersionShare> second = std::nullopt) {
    auto wanted = live();
    wanted.version = version;
    wanted.additional = second;
    auto change = [this, wanted, revision = wanted.revision_id] {
      const auto same = [&wanted](function::Alias) -> Result<function::Alias> { return wanted; };
      return catalog_->update_alias("greet", "live", same, revision);
    };
    LiveMoveParts parts{*catalog_, invoker_, store_thread_, *secrets_};
    return run_on(loop_, set_live(parts, "greet", wanted, change));
  }

  FakeClock clock_;
  std::unique_ptr<store::Database> database_ = std::move(*store::Database::open_in_memory());
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<function::Catalog> catalog_ = std::move(
      *function::Catalog::load(*database_, clock_, function::Tenant(), store::MasterKey(master_)));
  std::unique_ptr<function::SecretTable> secrets_ = std::move(*function::SecretTable::load(
      *database_, clock_, function::Tenant(), store::MasterKey(master_)));
  ScriptedInvoker invoker_;
  Loop loop_{1};
  BlockingPool store_thread_{"store", 1};
  decltype(catalog_->snapshot()) snapshot_;
};

TEST_F(SetLive, AVersionThatNeverWasLiveIsStartedAndServes) {
  ASSERT_TRUE(set(2));
  EXPECT_EQ(live().version, 2u);
  EXPECT_THAT(invoker_.prepared, ElementsAre("2"));
  EXPECT_THAT(invoker_.adopted, ElementsAre("2"));
  EXPECT_THAT(invoker_.abandoned, IsEmpty());
  // Known by now, and so is the one before.
  ASSERT_TRUE(set(1));
  ASSERT_TRUE(set(2));
  EXPECT_THAT(invoker_.prepared, ElementsAre("2"));
}

TEST_F(SetLive, OneThatDoesNotStartLeavesItAsItWas) {
  invoker_.broken = {2};
  const auto before = live().revision_id;
  const auto failed = set(2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::function_failed);
  EXPECT_THAT(failed.error().message(),
              HasSubstr("version 2 of greet was not made live: no module"));
  EXPECT_EQ(live().version, 1u);
  EXPECT_EQ(live().revision_id, before);
}

TEST_F(SetLive, OfTwoThatShareTheCallsBothAreStartedAndOneThatFailsIsEnough) {
  invoker_.broken = {3};
  ASSERT_FALSE(set(2, function::VersionShare(3, 0.1)));
  EXPECT_EQ(live().version, 1u);
  EXPECT_THAT(invoker_.prepared, ElementsAre("2", "3"));
  EXPECT_THAT(invoker_.abandoned, ElementsAre("2"));
  invoker_.broken.clear();
  ASSERT_TRUE(set(2, function::VersionShare(3, 0.1)));
  EXPECT_THAT(invoker_.adopted, ElementsAre("2", "3"));
  // Another share of the same two starts neither.
  invoker_.prepared.clear();
  ASSERT_TRUE(set(2, function::VersionShare(3, 0.5)));
  ASSERT_TRUE(set(3));
  EXPECT_THAT(invoker_.prepared, IsEmpty());
}

TEST_F(SetLive, WhatChangedDuringTheStartIsNotWrittenOver) {
  invoker_.meanwhile = [this] {
    const auto other = [](function::Alias alias) -> Result<function::Alias> {
      alias.version = 4;
      return alias;
    };
    ASSERT_TRUE(catalog_->update_alias("greet", "live", other, ""));
  };
  const auto failed = set(2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(live().version, 4u);
  EXPECT_THAT(invoker_.abandoned, ElementsAre("2"));
}

TEST_F(SetLive, WhatIsNotThereIsNotStarted) {
  EXPECT_EQ(set(9).error().code(), ErrorCode::not_found);
  EXPECT_THAT(invoker_.prepared, IsEmpty());
}

TEST_F(SetLive, AnInstanceWithAnOlderSecretServesNobody) {
  invoker_.meanwhile = [this] {
    ASSERT_TRUE(secrets_->put("greet", "TOKEN", std::nullopt, "new"));
  };
  ASSERT_TRUE(set(2));
  EXPECT_EQ(live().version, 2u);
  EXPECT_THAT(invoker_.abandoned, ElementsAre("2"));
  EXPECT_THAT(invoker_.adopted, IsEmpty());
}

}  // namespace
}  // namespace lambda::deploy
