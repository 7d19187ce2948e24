// What a deploy, a rollback and a promotion make of the catalog.
#include "base/temporary_directory.h"
#include "function/catalog_fixture.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

namespace lambda::function {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Half of the calls of `live` go to version 1.
auto split_live(Catalog& catalog) {
  auto split = [](Alias alias) -> Result<Alias> {
    alias.additional.emplace(1, 0.5);
    return alias;
  };
  return catalog.update_alias("greet", "live", split, "");
}

// --- deploys

TEST_F(CatalogTest, ADeployPublishesAndMovesLive) {
  const auto first = deploy("a");
  EXPECT_FALSE(first.unchanged);
  EXPECT_EQ(first.version->number, 1u);
  EXPECT_TRUE(first.version->deployed);
  EXPECT_EQ(first.version->message, "deploy of a");
  EXPECT_EQ(first.version->live_since, clock_.now());
  EXPECT_EQ(get()->url.auth, UrlAuth::open);
  EXPECT_EQ(get()->latest->code, code_of("a"));
  EXPECT_EQ(live(), 1u);
  EXPECT_EQ(deploy("b").version->number, 2u);
  EXPECT_EQ(live(), 2u);
  EXPECT_THAT(gone_, ElementsAre("$LATEST"));
}

TEST_F(CatalogTest, AnIdenticalRedeployMakesNoVersion) {
  deploy("a");
  const auto revision = get()->latest->revision_id;
  const auto again = deploy("a");
  EXPECT_TRUE(again.unchanged);
  EXPECT_EQ(again.version->number, 1u);
  EXPECT_THAT(numbers(), ElementsAre(1));
  EXPECT_EQ(get()->latest->revision_id, revision);
  EXPECT_THAT(gone_, IsEmpty());
}

TEST_F(CatalogTest, OtherSettingsAreAnotherVersion) {
  deploy("a");
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.configuration.timeout_seconds = 30;
  commit.code = code_of("a");
  EXPECT_EQ(deploy(commit).version->number, 2u);
  ASSERT_TRUE(catalog_->rollback("greet", std::nullopt));
  EXPECT_EQ(catalog_->resolve_live("greet")->version->configuration.timeout_seconds, 3);
}

TEST_F(CatalogTest, AnUnchangedRedeployStillSetsUrlAndTagsAndTheDraft) {
  deploy("a");
  ASSERT_TRUE(catalog_->update_code("greet", code_of("x"), "", "", false));
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.code = code_of("a");
  commit.url = UrlAuth::closed;
  commit.tags = {{"k", "v"}};
  EXPECT_TRUE(deploy(commit).unchanged);
  EXPECT_EQ(get()->url.auth, UrlAuth::closed);
  EXPECT_EQ(get()->tags.at("k"), "v");
  EXPECT_EQ(get()->latest->code, code_of("a"));
  EXPECT_FALSE(deploy("b").unchanged);
  EXPECT_EQ(get()->url.auth, UrlAuth::closed);
}

TEST_F(CatalogTest, ADraftThatIsKeptIsNotMadeLive) {
  deploy("a");
  ASSERT_TRUE(catalog_->update_code("greet", code_of("x"), "", "", false));
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.configuration.environment.emplace().emplace("COLOR", "red");
  commit.code = code_of("a");
  commit.draft = commit.configuration;
  EXPECT_EQ(deploy(commit).version->number, 2u);
  EXPECT_EQ(get()->answering()->code, code_of("a"));
  EXPECT_EQ(get()->latest->code, code_of("x"));
  EXPECT_EQ(get()->latest->configuration, commit.configuration);
  EXPECT_TRUE(get()->draft_is_news());
  // The same once more changes neither.
  const auto revision = get()->latest->revision_id;
  EXPECT_TRUE(deploy(commit).unchanged);
  EXPECT_EQ(get()->latest->revision_id, revision);
  reload();
  EXPECT_EQ(get()->latest->code, code_of("x"));
  EXPECT_EQ(catalog_->promote("greet", std::nullopt)->to->code, code_of("x"));
}

TEST_F(CatalogTest, ADeployOfWhatWasLiveBeforeARollbackIsANewVersion) {
  deploy("a");
  deploy("b");
  ASSERT_TRUE(catalog_->rollback("greet", std::nullopt));
  const auto again = deploy("b");
  EXPECT_FALSE(again.unchanged);
  EXPECT_EQ(again.version->number, 3u);
}

TEST_F(CatalogTest, ADeployEndsASplitOfLive) {
  deploy("a");
  deploy("b");
  ASSERT_TRUE(split_live(*catalog_));
  const auto outcome = deploy("b");
  EXPECT_TRUE(outcome.unchanged);
  EXPECT_EQ(outcome.shared, VersionShare(1, 0.5));
  EXPECT_FALSE(get()->live()->additional);
  EXPECT_FALSE(deploy("c").shared);
}

TEST_F(CatalogTest, WhatMovesLiveTellsTheSplitThatItEnds) {
  deploy("a");
  deploy("b");
  ASSERT_TRUE(split_live(*catalog_));
  const auto stay = catalog_->promote("greet", 2);
  EXPECT_EQ(stay->from, stay->to);
  EXPECT_EQ(stay->shared, VersionShare(1, 0.5));
  EXPECT_FALSE(get()->live()->additional);
  ASSERT_TRUE(split_live(*catalog_));
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->shared, VersionShare(1, 0.5));
  EXPECT_FALSE(catalog_->promote("greet", 2)->shared);
}

TEST_F(CatalogTest, RollbackEndsACanaryAtTheVersionBefore) {
  deploy("a");
  deploy("b");
  deploy("c");
  deploy("d");
  const auto point = [&](std::uint64_t first, std::uint64_t second) {
    auto share = [=](Alias alias) -> Result<Alias> {
      alias.version = first;
      alias.additional = VersionShare(second, 0.1);
      return alias;
    };
    ASSERT_TRUE(catalog_->update_alias("greet", "live", share, ""));
  };
  ASSERT_TRUE(catalog_->rollback("greet", 3));
  // Not to 2, which was live before 3 was.
  point(3, 4);
  auto move = catalog_->rollback("greet", std::nullopt);
  EXPECT_EQ(move->to->number, 3u);
  EXPECT_EQ(move->shared, VersionShare(4, 0.1));
  EXPECT_FALSE(get()->live()->additional);
  // Written the other way round.
  point(4, 3);
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 3u);
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 2u);
}

TEST_F(CatalogTest, RollbackFromACanaryPassesOverWhatNeverWasLive) {
  deploy("a");
  ASSERT_TRUE(catalog_->update_code("greet", code_of("b"), "", "", true));  // 2, never live
  deploy("c");
  const auto share = [](Alias alias) -> Result<Alias> {
    alias.additional = VersionShare(2, 0.1);
    return alias;
  };
  ASSERT_TRUE(catalog_->update_alias("greet", "live", share, ""));
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 3u);
}

TEST_F(CatalogTest, DeployRefusesNamesWithoutAUrl) {
  for (const auto* name : {"Greet", "a_b", "-a", "a-", "api", "localhost", "a b", ""}) {
    DeployCommit commit;
    commit.function = name;
    commit.configuration = python();
    commit.code = code_of("a");
    EXPECT_FALSE(catalog_->commit_deploy(commit)) << name;
  }
  EXPECT_THAT(catalog_->snapshot()->functions, IsEmpty());
}

TEST_F(CatalogTest, TheNewestFiveDeployedVersionsAreKept) {
  for (int i = 1; i <= 5; ++i) EXPECT_THAT(deploy(std::to_string(i)).cleaned, IsEmpty());
  auto sixth = deploy("6");
  ASSERT_EQ(sixth.cleaned.size(), 1u);
  EXPECT_EQ(sixth.cleaned[0]->number, 1u);
  EXPECT_THAT(gone_, UnorderedElementsAre("$LATEST", "1"));
  EXPECT_THAT(numbers(), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_EQ(catalog_->used_packages().size(), 5u);
  reload();
  EXPECT_THAT(numbers(), ElementsAre(2, 3, 4, 5, 6));
}

TEST_F(CatalogTest, CleanUpSparesWhatAnAliasUsesAndWhatWasPublished) {
  deploy("1");
  deploy("2");
  ASSERT_TRUE(catalog_->publish_version("greet", "", {}, ""));  // version 2, now asked for by name
  deploy("3");
  Alias alias;
  alias.name = "prod";
  alias.version = 3;
  alias.additional.emplace(1, 0.1);
  ASSERT_TRUE(catalog_->create_alias("greet", alias));
  ASSERT_TRUE(catalog_->update_code("greet", code_of("api"), "", "", true));  // version 4
  for (int i = 5; i <= 10; ++i) deploy(std::to_string(i));
  EXPECT_THAT(numbers(), ElementsAre(1, 2, 3, 4, 6, 7, 8, 9, 10));
  ASSERT_TRUE(catalog_->delete_alias("greet", "prod"));
  const auto next = deploy("11");
  EXPECT_EQ(next.cleaned.size(), 3u);
  EXPECT_THAT(numbers(), ElementsAre(2, 4, 7, 8, 9, 10, 11));
}

TEST_F(CatalogTest, CleanUpSparesWhatAnUpdateOfCodePublished) {
  deploy("1");
  const auto made = catalog_->update_code("greet", code_of("1"), "", "", true);
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->number, 1u) << "nothing is new, so it is the version that there is";
  for (int i = 2; i <= 7; ++i) deploy(std::to_string(i));
  EXPECT_THAT(numbers(), ElementsAre(1, 3, 4, 5, 6, 7));
}

TEST_F(CatalogTest, CleanUpSparesWhatIsNeededElsewhere) {
  std::string needed = "1";
  catalog_->on_clean_up([&needed](SQLite::Database& connection, const Version& version) {
    SQLite::Statement known(connection, "SELECT 1 FROM versions WHERE number = ?");
    known.bind(1, static_cast<std::int64_t>(version.number));
    EXPECT_TRUE(known.executeStep()) << "asked before it is gone";
    return version.label() == needed;
  });
  for (int i = 1; i <= 7; ++i) deploy(std::to_string(i));
  EXPECT_THAT(numbers(), ElementsAre(1, 3, 4, 5, 6, 7));
  needed = "";
  EXPECT_EQ(deploy("8").cleaned.size(), 2u) << "the next deploy takes it";
  EXPECT_THAT(numbers(), ElementsAre(4, 5, 6, 7, 8));
}

TEST_F(CatalogTest, KeepVersionsIsConfigurableAndLiveAlwaysStays) {
  deploy("1");
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.code = code_of("2");
  commit.keep_versions = 0;
  deploy(commit);
  EXPECT_THAT(numbers(), ElementsAre(2));
  EXPECT_EQ(live(), 2u);
}

TEST_F(CatalogTest, ADeployDoesNotUndoWhatWasChangedMeanwhile) {
  deploy("a");
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.code = code_of("b");
  commit.expected_revision = draft_of("greet");
  const auto enlarge = [](Configuration configuration) -> Result<Configuration> {
    configuration.memory_mb = 512;
    return configuration;
  };
  ASSERT_TRUE(catalog_->update_configuration("greet", enlarge, ""));
  const auto before = get();
  auto refused = catalog_->commit_deploy(commit);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
  EXPECT_THAT(refused.error().message(), HasSubstr("deploy again"));
  EXPECT_EQ(get(), before);
  commit.expected_revision.clear();  // began when there was none of that name
  EXPECT_FALSE(catalog_->commit_deploy(commit));
  commit.expected_revision = draft_of("greet");
  EXPECT_TRUE(catalog_->commit_deploy(commit));
}

TEST_F(CatalogTest, AFailedCommitLeavesTheOldState) {
  deploy("a");
  const auto before = get();
  auto break_it = [](SQLite::Database& connection) {
    connection.exec(
        "CREATE TRIGGER broken BEFORE INSERT ON versions BEGIN SELECT RAISE(ABORT, 'no'); END");
  };
  ASSERT_TRUE(database_->change("break", break_it));
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.code = code_of("b");
  commit.expected_revision = draft_of("greet");
  auto failed = catalog_->commit_deploy(commit);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("save function greet"));
  EXPECT_EQ(get(), before);
  reload();
  EXPECT_EQ(get()->latest->code, code_of("a"));
  EXPECT_THAT(numbers(), ElementsAre(1));
}

// --- rollback and promote

TEST_F(CatalogTest, RollbackGoesDownAndNeverToggles) {
  for (int i = 1; i <= 3; ++i) deploy(std::to_string(i));
  auto move = catalog_->rollback("greet", std::nullopt);
  ASSERT_TRUE(move);
  EXPECT_EQ(move->from->number, 3u);
  EXPECT_EQ(move->to->number, 2u);
  EXPECT_THAT(gone_, IsEmpty());
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 1u);
  auto end = catalog_->rollback("greet", std::nullopt);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().message(),
            "there is no older version to roll back to: version 1 is the first that was ever live");
  EXPECT_EQ(live(), 1u);
}

TEST_F(CatalogTest, RollbackSkipsWhatWasNeverLive) {
  deploy("1");
  ASSERT_TRUE(catalog_->update_code("greet", code_of("api"), "", "", true));  // 2, never live
  deploy("3");
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 1u);
  EXPECT_EQ(catalog_->rollback("greet", 2)->to->number, 2u);
  EXPECT_EQ(catalog_->rollback("greet", 3)->to->number, 3u);
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 2u);
}

TEST_F(CatalogTest, RollbackToNamedVersions) {
  for (int i = 1; i <= 7; ++i) deploy(std::to_string(i));
  EXPECT_EQ(catalog_->rollback("greet", 4)->to->number, 4u);
  const auto revision = get()->live()->revision_id;
  const auto stay = catalog_->rollback("greet", 4);
  EXPECT_EQ(stay->from, stay->to);
  EXPECT_EQ(get()->live()->revision_id, revision);
  EXPECT_EQ(catalog_->rollback("greet", 1).error().message(),
            "greet has no version 1 (it was cleaned up or deleted): it has 3, 4, 5, 6, 7");
  EXPECT_EQ(catalog_->rollback("greet", 9).error().message(),
            "greet has no version 9: it has 3, 4, 5, 6, 7");
  EXPECT_EQ(catalog_->rollback("greet", 3)->to->number, 3u);
  EXPECT_THAT(catalog_->rollback("greet", std::nullopt).error().message(),
              HasSubstr("version 3 is the oldest kept"));
}

TEST_F(CatalogTest, RollbackWithoutLive) {
  ASSERT_TRUE(catalog_->create_function("greet", python(), code_of("a"), {}, false));
  EXPECT_THAT(catalog_->rollback("greet", std::nullopt).error().message(),
              HasSubstr("lambda promote greet"));
  EXPECT_EQ(catalog_->rollback("greet", 1).error().code(), ErrorCode::not_found);
  EXPECT_EQ(catalog_->rollback("none", 1).error().code(), ErrorCode::not_found);
}

TEST_F(CatalogTest, ARollbackKeepsTheRevisionOfTheVersions) {
  deploy("1");
  deploy("2");
  const auto revision = get()->version(1)->revision_id;
  clock_.advance(std::chrono::seconds(5));
  ASSERT_TRUE(catalog_->rollback("greet", 1));
  EXPECT_EQ(get()->version(1)->revision_id, revision);
  EXPECT_EQ(get()->version(1)->live_since, clock_.now());
}

TEST_F(CatalogTest, ADraftIsNewsUntilItIsLive) {
  deploy("1");
  EXPECT_FALSE(get()->draft_is_news());
  ASSERT_TRUE(catalog_->update_code("greet", code_of("b"), "", "", false));
  EXPECT_TRUE(get()->draft_is_news());
  // Published is not live.
  ASSERT_TRUE(catalog_->publish_version("greet", "", {}, ""));
  EXPECT_TRUE(get()->draft_is_news());
  ASSERT_TRUE(catalog_->promote("greet", std::nullopt));
  EXPECT_FALSE(get()->draft_is_news());
  // What was live, and was left for an older one, is none.
  ASSERT_TRUE(catalog_->rollback("greet", 1));
  EXPECT_FALSE(get()->draft_is_news());
  ASSERT_TRUE(catalog_->delete_version("greet", 2));
  EXPECT_FALSE(get()->draft_is_news());
  reload();
  EXPECT_FALSE(get()->draft_is_news());
}

// Drafts of servers before did not say whether they were live.
TEST_F(CatalogTest, ADraftOfAnEarlierServerThatWasLiveIsNoNews) {
  const TemporaryDirectory directory;
  catalog_.reset();
  database_ = std::move(*store::Database::open(directory.path()));
  reload();
  deploy("1");
  deploy("2");
  ASSERT_TRUE(catalog_->rollback("greet", 1));
  deploy("3", "other");
  ASSERT_TRUE(catalog_->update_code("other", code_of("4"), "", "", false));
  const auto back = [](SQLite::Database& database) {
    database.exec("UPDATE versions SET live_since = NULL WHERE number = 0");
    database.exec("DROP TRIGGER secrets_of_function; DROP TABLE secrets");
    database.exec(
        "DROP TRIGGER call_totals_of_function; DROP TRIGGER call_totals_of_version;"
        "DROP TABLE call_totals; DROP TABLE audit; DROP TABLE audit_cuts");
    for (const char* column : {"functions", "expires", "last_used", "last_address"})
      database.exec(std::string("ALTER TABLE keys DROP COLUMN ") + column);
    for (const char* column : {"traceparent", "tracestate"})
      database.exec(std::string("ALTER TABLE events DROP COLUMN ") + column);
    for (const char* column : {"log_size_mb", "log_age_seconds"})
      database.exec(std::string("ALTER TABLE functions DROP COLUMN ") + column);
    database.exec("PRAGMA user_version = 4");
  };
  ASSERT_TRUE(database_->change("an earlier server", back));
  catalog_.reset();
  database_.reset();
  database_ = std::move(*store::Database::open(directory.path()));
  reload();
  EXPECT_FALSE(get()->draft_is_news());
  EXPECT_TRUE(get("other")->draft_is_news());
  catalog_.reset();
  database_.reset();
}

TEST_F(CatalogTest, ADraftThatWasSetBackToAnOlderVersionIsNews) {
  deploy("1");
  deploy("2");
  ASSERT_TRUE(catalog_->update_code("greet", code_of("1"), "", "", false));
  EXPECT_TRUE(get()->is_as_draft(*get()->version(1)));
  EXPECT_TRUE(get()->draft_is_news());
}

TEST_F(CatalogTest, PromotePublishesTheDraftWhenItChanged) {
  ASSERT_TRUE(catalog_->create_function("greet", python(), code_of("a"), {}, false));
  auto first = catalog_->promote("greet", std::nullopt);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->from, nullptr);
  EXPECT_EQ(first->to->number, 1u);
  EXPECT_TRUE(first->to->live_since);
  const auto again = catalog_->promote("greet", std::nullopt);
  EXPECT_EQ(again->from, again->to);
  ASSERT_TRUE(catalog_->update_code("greet", code_of("b"), "", "", false));
  EXPECT_EQ(catalog_->promote("greet", std::nullopt)->to->number, 2u);
  EXPECT_EQ(catalog_->promote("greet", 1)->to->number, 1u);
  EXPECT_EQ(catalog_->promote("greet", 7).error().code(), ErrorCode::not_found);
  EXPECT_EQ(catalog_->promote("greet", std::nullopt, "another").error().code(),
            ErrorCode::conflict);
  EXPECT_EQ(catalog_->promote("greet", 2, "another").error().code(), ErrorCode::conflict);
  EXPECT_EQ(catalog_->rollback("greet", 1, "another").error().code(), ErrorCode::conflict);
  EXPECT_EQ(catalog_->promote("greet", 2)->to->number, 2u);
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 1u);
}

}  // namespace
}  // namespace lambda::function
