#include "function/catalog.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "function/configuration_json.h"
#include "function/validation.h"
#include "store/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace lambda::function {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::string_view kArn = "arn:aws:lambda:us-east-1:000000000000:function:";

Code code_of(const std::string& text) {
  Code code;
  code.sha256 = base64_encode(sha256(text));
  code.package_digest = hex_encode(sha256(text));
  code.size = text.size();
  return code;
}

Configuration python() {
  Configuration configuration;
  configuration.runtime = "python3.11";
  configuration.handler = "app.handler";
  return configuration;
}

class CatalogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = std::move(*store::Database::open_in_memory());
    reload();
  }
  // What a restart of the server would find.
  void reload() {
    auto loaded = Catalog::load(*database_, clock_, Tenant{});
    ASSERT_TRUE(loaded) << loaded.error().message();
    catalog_ = std::move(*loaded);
    auto remember = [this](const std::vector<VersionPtr>& gone, const SnapshotPtr&) {
      gone_.clear();
      for (const auto& version : gone) gone_.push_back(version->label());
    };
    catalog_->on_change(remember);
  }
  DeployOutcome deploy(const std::string& text, const std::string& name = "greet") {
    DeployCommit commit;
    commit.function = name;
    commit.configuration = python();
    commit.code = code_of(text);
    commit.message = "deploy of " + text;
    return deploy(std::move(commit));
  }
  DeployOutcome deploy(DeployCommit commit) {
    clock_.advance(std::chrono::seconds(1));
    commit.expected_revision = draft_of(commit.function);
    auto outcome = catalog_->commit_deploy(std::move(commit));
    EXPECT_TRUE(outcome) << outcome.error().message();
    return outcome ? *outcome : DeployOutcome{};
  }
  // Its revision; "" where there is no function.
  std::string draft_of(const std::string& name) {
    const auto snapshot = catalog_->snapshot();
    const auto found = snapshot->functions.find(name);
    return found == snapshot->functions.end() ? "" : found->second->latest->revision_id;
  }
  FunctionPtr get(const std::string& name = "greet") {
    return catalog_->snapshot()->functions.at(name);
  }
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> all;
    for (const auto& [number, version] : get()->versions) all.push_back(number);
    return all;
  }
  std::uint64_t live() { return get()->live()->version; }

  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Catalog> catalog_;
  std::vector<std::string> gone_;
};

TEST_F(CatalogTest, CreateMakesADraftAndAClosedUrl) {
  auto made = catalog_->create_function("greet", python(), code_of("a"), {{"team", "x"}}, false);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ((*made)->label(), "$LATEST");
  EXPECT_EQ((*made)->state, State::active);
  EXPECT_EQ((*made)->last_update, UpdateStatus::successful);
  EXPECT_EQ(get()->url.auth, UrlAuth::closed);
  EXPECT_EQ(get()->host_label, "greet");
  EXPECT_EQ(catalog_->resolve_live("greet")->version, *made);
  auto again = catalog_->create_function("greet", python(), code_of("a"), {}, false);
  EXPECT_EQ(again.error().code(), ErrorCode::conflict);
  EXPECT_EQ(again.error().message(), "Function already exist: greet");
}

TEST_F(CatalogTest, WhatBecameOfAVersionSinceItWasResolved) {
  deploy("a");
  const auto target = catalog_->resolve_live("greet").value();
  const auto draft = catalog_->resolve("greet", "").value();
  EXPECT_EQ(catalog_->standing(target), Standing::current);
  EXPECT_EQ(catalog_->standing(draft), Standing::current);
  deploy("b");
  EXPECT_EQ(catalog_->standing(target), Standing::current);
  EXPECT_EQ(catalog_->standing(draft), Standing::replaced);
  ASSERT_TRUE(catalog_->delete_version("greet", 1));
  EXPECT_EQ(catalog_->standing(target), Standing::replaced);
  ASSERT_TRUE(catalog_->delete_function("greet"));
  EXPECT_EQ(catalog_->standing(target), Standing::deleted);
  deploy("a");  // another of that name
  EXPECT_EQ(catalog_->standing(target), Standing::deleted);
}

TEST_F(CatalogTest, VersionsThatLeaveAreToldWhileReadersFindThem) {
  deploy("a");
  int told = 0;
  catalog_->on_leaving([&](const std::vector<VersionPtr>& leaving) {
    told += static_cast<int>(leaving.size());
    for (const auto& version : leaving) EXPECT_EQ(get()->version(version->number), version);
  });
  deploy("b");
  EXPECT_EQ(told, 1);  // the draft
  ASSERT_TRUE(catalog_->delete_function("greet"));
  EXPECT_EQ(told, 4);
}

TEST(ConfigurationJson, RowsFromBeforeKindAndPortWereToldToBeNamedAreRead) {
  const auto read = [](const std::string& members) {
    return configuration_from_json("{" + members + "}").value();
  };
  const std::string zip = R"("packageType":"Zip",)";
  const std::string image = R"("packageType":"Image",)";
  const auto server = read(zip + R"("kind":"http","port":3000)");
  EXPECT_EQ(server.port, 3000);
  EXPECT_TRUE(server.kind_named && server.port_named);
  const auto plain = read(zip + R"("kind":"handler")");
  EXPECT_FALSE(plain.kind_named || plain.port_named);
  const auto exposing = read(image + R"("kind":"http","port":80)");
  EXPECT_FALSE(exposing.kind_named || exposing.port_named);
  EXPECT_TRUE(read(image + R"("kind":"handler","port":80)").kind_named);
  EXPECT_TRUE(read(image + R"("kind":"http")").kind_named);
  Configuration now;
  now.kind = Kind::http;
  now.kind_named = true;
  EXPECT_EQ(configuration_from_json(to_json(now)).value(), now);
  now.port = 80;
  now.kind_named = false;
  now.port_named = true;
  EXPECT_EQ(configuration_from_json(to_json(now)).value(), now);
}

TEST_F(CatalogTest, CreateWithPublishAnswersVersionOne) {
  auto made = catalog_->create_function("Odd_Name", python(), code_of("a"), {}, true);
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->number, 1u);
  EXPECT_FALSE((*made)->deployed);
  EXPECT_EQ(get("Odd_Name")->host_label, "");
}

TEST_F(CatalogTest, ARestartFindsEverything) {
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.configuration.environment = {{"KEY", "välue \"quoted\""}, {"EMPTY", ""}};
  commit.configuration.port = 8080;
  commit.configuration.concurrency = 4;
  commit.configuration.kind = Kind::http;
  commit.configuration.driver = DriverName::native;
  commit.configuration.echoed = {{"TracingConfig", R"({"Mode":"Active"})"}};
  commit.configuration.timeout_seconds = 30;
  commit.code = code_of("a");
  commit.message = "first";
  commit.tags = {{"a", "b"}};
  commit.url = UrlAuth::key;
  deploy(commit);
  commit.code = code_of("b");
  deploy(commit);
  Alias weighted;
  weighted.name = "split";
  weighted.version = 1;
  weighted.additional.emplace(2, 0.25);
  weighted.description = "two";
  ASSERT_TRUE(catalog_->create_alias("greet", weighted));
  ASSERT_TRUE(catalog_->set_reserved_concurrency("greet", 0));
  const auto before = get();
  reload();
  const auto after = get();
  EXPECT_EQ(after->aliases, before->aliases);
  EXPECT_EQ(after->tags, before->tags);
  EXPECT_EQ(after->url.auth, UrlAuth::key);
  EXPECT_EQ(after->reserved_concurrency, 0);
  EXPECT_EQ(after->created, before->created);
  EXPECT_EQ(after->next_version, 3u);
  EXPECT_EQ(after->host_label, "greet");
  for (const std::uint64_t number : {0u, 1u, 2u}) {
    const auto a = before->version(number);
    const auto b = after->version(number);
    EXPECT_EQ(a->configuration, b->configuration);
    EXPECT_EQ(a->code, b->code);
    EXPECT_EQ(a->revision_id, b->revision_id);
    EXPECT_EQ(a->last_modified, b->last_modified);
    EXPECT_EQ(a->message, b->message);
    EXPECT_EQ(a->deployed, b->deployed);
    EXPECT_EQ(a->live_since, b->live_since);
    EXPECT_EQ(a->last_update, b->last_update);
  }
}

TEST_F(CatalogTest, ImagesKeepWhatTheImageSays) {
  Configuration configuration;
  configuration.package_type = PackageType::image;
  configuration.image_config = ImageConfig{{"/bin/app"}, {"a", "b"}, "/srv"};
  Code code;
  code.image_id = "sha256:abc";
  code.image_uri = "func-greet:1";
  code.image_info = R"({"entryPoint":[]})";
  ASSERT_TRUE(catalog_->create_function("greet", configuration, code, {}, false));
  reload();
  EXPECT_EQ(get()->latest->configuration, configuration);
  EXPECT_EQ(get()->latest->code, code);
  EXPECT_THAT(catalog_->used_images(), ElementsAre("sha256:abc"));
  EXPECT_THAT(catalog_->used_packages(), IsEmpty());
  auto zip = catalog_->update_code("greet", code_of("a"), "", "", false);
  EXPECT_EQ(zip.error().code(), ErrorCode::invalid);
}

TEST_F(CatalogTest, ResolvesQualifiers) {
  deploy("a");
  deploy("b");
  EXPECT_EQ(catalog_->resolve("greet", "")->version->number, 0u);
  EXPECT_EQ(catalog_->resolve("greet", "$LATEST")->version->number, 0u);
  EXPECT_EQ(catalog_->resolve("greet", "1")->version->number, 1u);
  EXPECT_EQ(catalog_->resolve("greet", "live")->version->number, 2u);
  EXPECT_EQ(catalog_->resolve_live("greet")->version->number, 2u);
  EXPECT_EQ(catalog_->resolve("greet", "live")->qualifier, "live");
  for (const auto* qualifier : {"9", "nope", "01x"}) {
    auto missing = catalog_->resolve("greet", qualifier);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ErrorCode::not_found);
    EXPECT_EQ(missing.error().message(),
              fmt::format("Function not found: {}greet:{}", kArn, qualifier));
  }
  EXPECT_EQ(catalog_->resolve("none", "").error().message(),
            fmt::format("Function not found: {}none", kArn));
}

TEST_F(CatalogTest, WeightsSplitTheCalls) {
  deploy("a");
  deploy("b");
  Alias alias;
  alias.name = "split";
  alias.version = 1;
  alias.additional.emplace(2, 0.3);
  ASSERT_TRUE(catalog_->create_alias("greet", alias));
  int second = 0;
  for (int i = 0; i < 10000; ++i) {
    if (catalog_->resolve("greet", "split")->version->number == 2) ++second;
  }
  EXPECT_GT(second, 2600);
  EXPECT_LT(second, 3400);
}

TEST_F(CatalogTest, SuggestsTheNearestName) {
  deploy("a", "greet");
  deploy("a", "calculator");
  EXPECT_EQ(catalog_->nearest_name("gret"), "greet");
  EXPECT_EQ(catalog_->nearest_name("calcualtor"), "calculator");
  EXPECT_EQ(catalog_->nearest_name("something"), "");
  EXPECT_EQ(catalog_->nearest_name(std::string(1000, 'x')), "");
}

// --- the draft and PublishVersion

TEST_F(CatalogTest, EveryUpdateChangesTheRevisionAndOldOnesAreRefused) {
  auto first = *catalog_->create_function("greet", python(), code_of("a"), {}, false);
  auto second = *catalog_->update_code("greet", code_of("b"), "", first->revision_id, false);
  EXPECT_NE(first->revision_id, second->revision_id);
  EXPECT_THAT(gone_, ElementsAre("$LATEST"));
  auto stale = catalog_->update_code("greet", code_of("c"), "", first->revision_id, false);
  EXPECT_EQ(stale.error().code(), ErrorCode::precondition);
  EXPECT_THAT(stale.error().message(), HasSubstr("does not match the latest Revision Id"));
  auto longer = [](Configuration configuration) -> Result<Configuration> {
    configuration.timeout_seconds = 60;
    return configuration;
  };
  auto third = *catalog_->update_configuration("greet", longer, second->revision_id);
  EXPECT_EQ(third->configuration.timeout_seconds, 60);
  EXPECT_NE(third->revision_id, second->revision_id);
  EXPECT_EQ(third->code, code_of("b"));
}

TEST_F(CatalogTest, AnUpdateThatIsWrongChangesNothing) {
  deploy("a");
  const auto before = get();
  auto wrong = [](Configuration configuration) -> Result<Configuration> {
    configuration.timeout_seconds = 901;
    configuration.memory_mb = 64;
    return configuration;
  };
  auto updated = catalog_->update_configuration("greet", wrong, "");
  EXPECT_EQ(updated.error().code(), ErrorCode::validation);
  EXPECT_EQ(
      updated.error().message(),
      "2 validation errors detected: Value '901' at 'timeout' failed to satisfy constraint: "
      "Member must have value less than or equal to 900; Value '64' at 'memorySize' failed to "
      "satisfy constraint: Member must have value greater than or equal to 128");
  EXPECT_EQ(get(), before);
}

TEST_F(CatalogTest, PublishingAnUnchangedDraftGivesTheExistingVersion) {
  ASSERT_TRUE(catalog_->create_function("greet", python(), code_of("a"), {}, false));
  auto one = *catalog_->publish_version("greet", "", "the first", "");
  EXPECT_EQ(one->number, 1u);
  EXPECT_EQ(one->configuration.description, "the first");
  EXPECT_EQ(catalog_->publish_version("greet", "", "another text", "").value(), one);
  ASSERT_TRUE(catalog_->update_code("greet", code_of("a"), "", "", false));
  EXPECT_EQ(catalog_->publish_version("greet", "", {}, "").value()->number, 1u);
  ASSERT_TRUE(catalog_->update_code("greet", code_of("b"), "", "", false));
  EXPECT_EQ(catalog_->publish_version("greet", "", {}, "").value()->number, 2u);
  EXPECT_EQ((*catalog_->update_code("greet", code_of("c"), "", "", true))->number, 3u);
}

TEST_F(CatalogTest, PublishChecksTheCodeAndTheRevision) {
  auto made = *catalog_->create_function("greet", python(), code_of("a"), {}, false);
  auto other = catalog_->publish_version("greet", "x", {}, "");
  EXPECT_EQ(other.error().code(), ErrorCode::invalid);
  EXPECT_THAT(other.error().message(), HasSubstr("CodeSHA256 (x) is different from current"));
  EXPECT_EQ(catalog_->publish_version("greet", "", {}, "old").error().code(),
            ErrorCode::precondition);
  EXPECT_TRUE(catalog_->publish_version("greet", made->code.sha256, {}, made->revision_id));
}

TEST_F(CatalogTest, NumbersAreNeverGivenTwice) {
  ASSERT_TRUE(catalog_->create_function("greet", python(), code_of("a"), {}, true));
  ASSERT_TRUE(catalog_->update_code("greet", code_of("b"), "", "", true));
  ASSERT_TRUE(catalog_->delete_version("greet", 2));
  EXPECT_THAT(gone_, ElementsAre("2"));
  reload();
  EXPECT_EQ(catalog_->publish_version("greet", "", {}, "").value()->number, 3u);
}

TEST_F(CatalogTest, DeletingVersions) {
  deploy("a");
  deploy("b");
  auto used = catalog_->delete_version("greet", 2);
  EXPECT_EQ(used.error().code(), ErrorCode::conflict);
  EXPECT_EQ(used.error().message(),
            "Unable to delete version because the following aliases reference it: [live]");
  EXPECT_EQ(catalog_->delete_version("greet", 0).error().message(),
            "$LATEST version cannot be deleted without deleting the function.");
  EXPECT_TRUE(catalog_->delete_version("greet", 1));
  EXPECT_TRUE(catalog_->delete_version("greet", 1));
  EXPECT_THAT(numbers(), ElementsAre(2));
}

TEST_F(CatalogTest, DeletingAFunctionTakesEverythingAlong) {
  deploy("a");
  deploy("b");
  ASSERT_TRUE(catalog_->set_tags("greet", {{"k", "v"}}, {}));
  ASSERT_TRUE(catalog_->delete_function("greet"));
  EXPECT_THAT(gone_, UnorderedElementsAre("$LATEST", "1", "2"));
  EXPECT_EQ(catalog_->delete_function("greet").error().code(), ErrorCode::not_found);
  reload();
  EXPECT_THAT(catalog_->snapshot()->functions, IsEmpty());
  EXPECT_THAT(catalog_->snapshot()->names_by_label, IsEmpty());
  EXPECT_EQ(deploy("a").version->number, 1u);
}

// --- aliases

TEST_F(CatalogTest, AliasRules) {
  deploy("a");
  deploy("b");
  Alias alias;
  alias.name = "prod";
  alias.version = 9;
  EXPECT_EQ(catalog_->create_alias("greet", alias).error().message(),
            fmt::format("Function not found: {}greet:9", kArn));
  alias.version = 1;
  alias.additional.emplace(1, 0.5);
  EXPECT_EQ(catalog_->create_alias("greet", alias).error().message(),
            "Invalid function version 1. Function version 1 is already included in routing "
            "configuration.");
  alias.additional.emplace(0, 0.5);
  EXPECT_EQ(catalog_->create_alias("greet", alias).error().message(),
            "$LATEST is not supported for an alias pointing to more than 1 version");
  alias.additional.emplace(2, 1.5);
  EXPECT_EQ(catalog_->create_alias("greet", alias).error().code(), ErrorCode::validation);
  alias.additional.emplace(2, 0.5);
  auto made = catalog_->create_alias("greet", alias);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->revision_id.size(), 36u);
  EXPECT_EQ(catalog_->create_alias("greet", alias).error().message(),
            fmt::format("Alias already exists: {}greet:prod", kArn));
  EXPECT_EQ(catalog_->delete_version("greet", 2).error().code(), ErrorCode::conflict);
  alias.name = "123";
  EXPECT_EQ(catalog_->create_alias("greet", alias).error().code(), ErrorCode::validation);
}

TEST_F(CatalogTest, AliasUpdates) {
  deploy("a");
  Alias alias;
  alias.name = "prod";
  alias.version = 1;
  const auto made = catalog_->create_alias("greet", alias).value();
  auto to_latest = [](Alias change) -> Result<Alias> {
    change.version = 0;
    return change;
  };
  EXPECT_EQ(catalog_->update_alias("greet", "prod", to_latest, "old").error().code(),
            ErrorCode::precondition);
  const auto moved = catalog_->update_alias("greet", "prod", to_latest, made.revision_id).value();
  EXPECT_NE(moved.revision_id, made.revision_id);
  EXPECT_EQ(catalog_->resolve("greet", "prod")->version->label(), "$LATEST");
  EXPECT_EQ(catalog_->update_alias("greet", "none", to_latest, "").error().message(),
            fmt::format("Alias not found: {}greet:none", kArn));
  EXPECT_TRUE(catalog_->delete_alias("greet", "prod"));
  EXPECT_TRUE(catalog_->delete_alias("greet", "prod"));
  EXPECT_FALSE(get()->aliases.contains("prod"));
}

// --- tags, limits

TEST_F(CatalogTest, TagsAddAndRemoveUpToFifty) {
  deploy("a");
  ASSERT_TRUE(catalog_->set_tags("greet", {{"a", "1"}, {"b", "2"}}, {}));
  ASSERT_TRUE(catalog_->set_tags("greet", {{"a", "3"}}, {"b"}));
  EXPECT_EQ(get()->tags, (std::map<std::string, std::string>{{"a", "3"}}));
  std::map<std::string, std::string> many;
  for (int i = 0; i < 50; ++i) many["t" + std::to_string(i)] = "";
  EXPECT_EQ(catalog_->set_tags("greet", many, {}).error().code(), ErrorCode::invalid);
  EXPECT_TRUE(catalog_->set_tags("greet", many, {"a"}));
}

TEST_F(CatalogTest, ReservedConcurrencyLeavesTheAccountAHundred) {
  deploy("a");
  deploy("a", "other");
  EXPECT_TRUE(catalog_->set_reserved_concurrency("other", 800));
  EXPECT_TRUE(catalog_->set_reserved_concurrency("greet", 100));
  EXPECT_THAT(catalog_->set_reserved_concurrency("greet", 101).error().message(),
              HasSubstr("below its minimum value of [100]"));
  EXPECT_EQ(catalog_->set_reserved_concurrency("greet", -1).error().code(), ErrorCode::validation);
  EXPECT_TRUE(catalog_->set_reserved_concurrency("greet", std::nullopt));
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
  auto split = [](Alias alias) -> Result<Alias> {
    alias.additional.emplace(1, 0.5);
    return alias;
  };
  ASSERT_TRUE(catalog_->update_alias("greet", "live", split, ""));
  EXPECT_TRUE(deploy("b").unchanged);
  EXPECT_FALSE(get()->live()->additional);
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
  EXPECT_EQ(catalog_->promote("greet", 2)->to->number, 2u);
  EXPECT_EQ(catalog_->rollback("greet", std::nullopt)->to->number, 1u);
}

// --- other tenants, other threads

TEST_F(CatalogTest, AnotherAccountSeesNothingButItsPackagesStayInUse) {
  deploy("a");
  Tenant other;
  other.account = "111111111111";
  auto loaded = Catalog::load(*database_, clock_, other);
  ASSERT_TRUE(loaded);
  EXPECT_THAT((*loaded)->snapshot()->functions, IsEmpty());
  EXPECT_THAT((*loaded)->used_packages(), ElementsAre(code_of("a").package_digest));
}

TEST_F(CatalogTest, ReadersSeeWholeStatesWhileAWriterWorks) {
  deploy("0");
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  auto reader = [&] {
    while (!stop) {
      const auto resolved = catalog_->resolve_live("greet");
      ASSERT_TRUE(resolved);
      ASSERT_EQ(resolved->version->message,
                "deploy of " + std::to_string(resolved->version->number - 1));
      const auto now = catalog_->snapshot();
      const auto& function = *now->functions.at("greet");
      ASSERT_EQ(function.latest->code, function.version(function.live()->version)->code);
      ++reads;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(reader);
  for (int i = 1; i <= 200; ++i) deploy(std::to_string(i));
  while (reads < 100) std::this_thread::yield();
  stop = true;
  for (auto& thread : readers) thread.join();
  EXPECT_EQ(live(), 201u);
}

}  // namespace
}  // namespace lambda::function
