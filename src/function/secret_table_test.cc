#include "function/secret_table.h"

#include "base/temporary_directory.h"
#include "function/catalog_fixture.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace lambda::function {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

class SecretTableTest : public CatalogTest {
 protected:
  void SetUp() override {
    CatalogTest::SetUp();
    open();
  }
  void open() {
    auto loaded = load();
    ASSERT_TRUE(loaded) << loaded.error().message();
    secrets_ = std::move(*loaded);
  }
  Result<std::unique_ptr<SecretTable>> load(Tenant tenant = {}) {
    return SecretTable::load(*database_, clock_, std::move(tenant), master_);
  }
  Secret put(const std::string& function, const std::string& name, const std::string& value,
             std::optional<SecretForm> form = std::nullopt) {
    auto secret = secrets_->put(function, name, form, value);
    EXPECT_TRUE(secret) << secret.error().message();
    return secret ? *secret : Secret();
  }
  SecretValues values(const std::string& function, const SecretReferences& asked = {}) {
    auto found = secrets_->values_for(function, asked);
    EXPECT_TRUE(found) << found.error().message();
    return found ? *found : SecretValues();
  }
  void execute(const std::string& sql) {
    auto work = [&sql](SQLite::Database& connection) { connection.exec(sql); };
    ASSERT_TRUE(database_->change("test", work));
  }

  std::unique_ptr<SecretTable> secrets_;
};

TEST_F(SecretTableTest, AFunctionGetsItsOwnAndWhatItAsksFor) {
  put("greet", "OWN", "1");
  put("greet", "OWN_FILE", "2", SecretForm::file);
  put("other", "OTHER", "3");
  put("", "SHARED", "4");
  put("", "UNASKED", "5");
  const auto greet = values("greet", {{"SHARED", std::nullopt}});
  EXPECT_THAT(greet.environment, ElementsAre(Pair("OWN", "1"), Pair("SHARED", "4")));
  EXPECT_THAT(greet.files, ElementsAre(Pair("OWN_FILE", "2")));
  EXPECT_THAT(values("other").environment, ElementsAre(Pair("OTHER", "3")));
  EXPECT_TRUE(values("third").environment.empty());
}

TEST_F(SecretTableTest, TheReferenceSaysTheFormElseTheSecret) {
  put("", "CERT", "pem", SecretForm::file);
  EXPECT_THAT(values("greet", {{"CERT", std::nullopt}}).files, ElementsAre(Pair("CERT", "pem")));
  EXPECT_THAT(values("greet", {{"CERT", SecretForm::environment}}).environment,
              ElementsAre(Pair("CERT", "pem")));
  // A change of the value alone leaves the form.
  EXPECT_EQ(put("", "CERT", "pem2").form, SecretForm::file);
}

TEST_F(SecretTableTest, ItsOwnComesBeforeASharedOneOfThatName) {
  put("", "TOKEN", "everyone's");
  put("greet", "TOKEN", "its own");
  const SecretReferences asked{{"TOKEN", SecretForm::file}};
  const auto greet = values("greet", asked);
  EXPECT_THAT(greet.files, ElementsAre(Pair("TOKEN", "its own")));
  EXPECT_TRUE(greet.environment.empty());
  EXPECT_THAT(values("other", asked).files, ElementsAre(Pair("TOKEN", "everyone's")));
}

TEST_F(SecretTableTest, OneThatDoesNotExistIsToldWithWhatToDo) {
  put("", "DB_PASSWORD", "x");
  const auto missing = secrets_->values_for("greet", {{"DB_PASWORD", std::nullopt}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::invalid);
  EXPECT_THAT(missing.error().message(),
              AllOf(HasSubstr("function greet asks for the secret DB_PASWORD"),
                    HasSubstr("did you mean DB_PASSWORD?"), HasSubstr("lambda secret put")));
  ASSERT_TRUE(secrets_->remove("", "DB_PASSWORD"));
  EXPECT_FALSE(secrets_->values_for("greet", {{"DB_PASSWORD", std::nullopt}}));
  const auto again = secrets_->remove("", "DB_PASSWORD");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::not_found);
}

TEST_F(SecretTableTest, TheyOutliveARestartAndStandNowhereInClear) {
  const TemporaryDirectory directory;
  database_ = std::move(*store::Database::open(directory.path()));
  catalog_.reset();
  open();
  put("greet", "PASSWORD", "hunter2-in-clear");
  put("greet", "PASSWORD", "hunter2-in-clear-2");
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(bytes.find("hunter2"), std::string::npos) << entry.path();
  }
  const auto before = secrets_->list();
  open();
  EXPECT_THAT(values("greet").environment, ElementsAre(Pair("PASSWORD", "hunter2-in-clear-2")));
  ASSERT_EQ(secrets_->list().size(), 1u);
  EXPECT_EQ(secrets_->list()[0].digest, before[0].digest);
  EXPECT_EQ(secrets_->list()[0].changed, clock_.now());
  secrets_.reset();
}

TEST_F(SecretTableTest, AnotherMasterKeyIsRefusedWithHowToRestoreIt) {
  put("greet", "PASSWORD", "x");
  master_ = store::MasterKey::ephemeral();
  const auto loaded = load();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message(), AllOf(HasSubstr("secret PASSWORD of function greet"),
                                              HasSubstr("master.key"), HasSubstr("backup")));
}

TEST_F(SecretTableTest, ARowInAnotherPlaceDoesNotOpen) {
  for (const char* move : {"function = 'other'", "name = 'OTHER'", "account = '111111111111'",
                           "region = 'elsewhere'"}) {
    execute("DELETE FROM secrets");
    open();
    put("greet", "PASSWORD", "x");
    execute(std::string("UPDATE secrets SET ") + move);
    Tenant tenant;
    if (std::string_view(move).starts_with("account")) tenant.account = "111111111111";
    if (std::string_view(move).starts_with("region")) tenant.region = "elsewhere";
    EXPECT_FALSE(load(tenant)) << move;
  }
}

TEST_F(SecretTableTest, DigestsChangeWithTheValueAndTellOfNoOtherSecret) {
  const auto first = put("greet", "A1", "same").digest;
  EXPECT_EQ(first.size(), 12u);
  EXPECT_EQ(put("greet", "A1", "same").digest, first);
  EXPECT_NE(put("greet", "A1", "other").digest, first);
  EXPECT_NE(put("greet", "A2", "same").digest, first);
  EXPECT_NE(put("", "A1", "same").digest, first);
}

TEST_F(SecretTableTest, GoWithTheirFunction) {
  deploy("1");
  deploy("1", "other");
  put("greet", "MINE", "1");
  put("other", "YOURS", "2");
  put("", "OURS", "3");
  ASSERT_TRUE(catalog_->delete_function("greet"));
  secrets_->forget("greet");
  EXPECT_EQ(secrets_->list().size(), 2u);
  open();
  ASSERT_EQ(secrets_->list().size(), 2u);
  EXPECT_EQ(secrets_->list()[0].name, "OURS");
  EXPECT_EQ(secrets_->list()[1].name, "YOURS");
}

TEST_F(SecretTableTest, NamesAndValuesAreChecked) {
  for (const char* name : {"", "a", "1A", "A-B", "A=B", "AWS_REGION", "../A1"})
    EXPECT_EQ(secrets_->put("", name, {}, "x").error().code(), ErrorCode::invalid) << name;
  EXPECT_FALSE(secrets_->put("", std::string(kMaxSecretName + 1, 'A'), {}, "x"));
  EXPECT_EQ(secrets_->put("", "A1", {}, "").error().code(), ErrorCode::invalid);
  EXPECT_TRUE(secrets_->put("", "A1", {}, std::string(kMaxSecretBytes, 'x')));
  const auto large = secrets_->put("", "A1", {}, std::string(kMaxSecretBytes + 1, 'x'));
  EXPECT_EQ(large.error().code(), ErrorCode::too_large);
  const std::string binary("hunter2\0x", 9);
  const auto refused = secrets_->put("", "A2", {}, binary);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), AllOf(HasSubstr("--as file"), Not(HasSubstr("hunter2"))));
  put("", "A2", binary, SecretForm::file);
  EXPECT_FALSE(secrets_->values_for("greet", {{"A2", SecretForm::environment}}));
}

TEST_F(SecretTableTest, EveryChangeIsCounted) {
  const auto start = secrets_->revision();
  put("", "A1", "x");
  EXPECT_EQ(secrets_->revision(), start + 1);
  ASSERT_TRUE(secrets_->remove("", "A1"));
  EXPECT_EQ(secrets_->revision(), start + 2);
}

}  // namespace
}  // namespace lambda::function
