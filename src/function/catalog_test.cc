#include "function/catalog.h"

#include "function/catalog_fixture.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace lambda::function {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

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
  commit.configuration.idle_seconds = 600;
  commit.configuration.min_instances = 2;
  commit.configuration.isolation = Isolation::exec;
  commit.configuration.egress = "10.1.0.0/16";
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
  LogSettingsChange logs;
  logs.size_mb = 8;
  logs.age = std::chrono::seconds(3600);
  ASSERT_TRUE(catalog_->set_log_settings("greet", logs));
  const auto before = get();
  reload();
  const auto after = get();
  EXPECT_EQ(after->aliases, before->aliases);
  EXPECT_EQ(after->tags, before->tags);
  EXPECT_EQ(after->url.auth, UrlAuth::key);
  EXPECT_EQ(after->reserved_concurrency, 0);
  EXPECT_EQ(after->logs.size_mb, 8);
  EXPECT_EQ(after->logs.age, std::chrono::seconds(3600));
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

TEST_F(CatalogTest, ADeploySetsOfTheLogWhatItNamesAlsoWhereNothingElseIsNew) {
  DeployCommit commit;
  commit.function = "greet";
  commit.configuration = python();
  commit.code = code_of("a");
  commit.logs.size_mb = 8;
  deploy(commit);
  EXPECT_EQ(get()->logs.size_mb, 8);
  commit.logs = {};
  commit.logs.age = std::chrono::seconds(60);
  EXPECT_TRUE(deploy(commit).unchanged);
  EXPECT_EQ(get()->logs.size_mb, 8);
  EXPECT_EQ(get()->logs.age, std::chrono::seconds(60));
  commit.logs.size_mb.emplace();
  deploy(commit);
  EXPECT_EQ(get()->logs.size_mb, std::nullopt);
  reload();
  EXPECT_EQ(get()->logs.size_mb, std::nullopt);
  EXPECT_EQ(get()->logs.age, std::chrono::seconds(60));
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

// --- other tenants, other threads

TEST_F(CatalogTest, AnotherAccountSeesNothingButItsPackagesStayInUse) {
  deploy("a");
  Tenant other;
  other.account = "111111111111";
  auto loaded = Catalog::load(*database_, clock_, other, master_);
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
