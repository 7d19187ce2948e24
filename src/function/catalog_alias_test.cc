// Aliases of the catalog, beside what a deploy makes of live.
#include "function/catalog_fixture.h"

namespace lambda::function {
namespace {

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

}  // namespace
}  // namespace lambda::function
