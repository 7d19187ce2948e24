#include "observe/metrics/totals_table.h"

#include "observe/metrics/call_sample_fixture.h"
#include "store/database.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::observe {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr const char* kFunction =
    "INSERT INTO functions (account, region, name, host_label, url_auth, url_cors, "
    "url_invoke_mode, url_created, url_modified, created, next_version) "
    "VALUES ('000000000000', 'us-east-1', 'greet', 'greet', '', '', '', 0, 0, 0, 1)";

class TotalsTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = std::move(*store::Database::open_in_memory());
    change([](SQLite::Database& database) {
      database.exec("PRAGMA foreign_keys = OFF");
      database.exec(kFunction);
    });
  }
  void change(const std::function<void(SQLite::Database&)>& work) {
    const auto done = database_->change("test", work);
    ASSERT_TRUE(done) << done.error().message();
  }
  void save(std::vector<CallBook::Row> rows) {
    change([&](SQLite::Database& database) { table_.save(database, rows); });
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    change([&](SQLite::Database& database) {
      for (const auto& row : table_.load(database))
        found.push_back(row.function + ":" + row.version + "=" + row.totals);
    });
    return found;
  }

  std::unique_ptr<store::Database> database_;
  TotalsTable table_{"000000000000", "us-east-1"};
};

TEST_F(TotalsTableTest, KeepsTheLastOfEachRow) {
  save({{"greet", "", "a"}, {"greet", "1", "b"}, {"", "", "c"}});
  save({{"greet", "1", "d"}});
  EXPECT_THAT(names(), UnorderedElementsAre("greet:=a", "greet:1=d", ":=c"));
}

TEST_F(TotalsTableTest, LeavesOutFunctionsThatThereAreNot) {
  save({{"nobody", "", "a"}, {"nobody", "1", "b"}});
  EXPECT_THAT(names(), ElementsAre());
}

TEST_F(TotalsTableTest, GoesWithTheFunction) {
  save({{"greet", "", "a"}, {"greet", "1", "b"}, {"", "", "c"}});
  change([](SQLite::Database& database) { database.exec("DELETE FROM functions"); });
  EXPECT_THAT(names(), ElementsAre(":=c"));
}

TEST_F(TotalsTableTest, KnowsOtherTenantsNothingOfIt) {
  save({{"", "", "a"}});
  TotalsTable other("000000000000", "eu-west-1");
  change([&](SQLite::Database& database) { EXPECT_TRUE(other.load(database).empty()); });
}

}  // namespace
}  // namespace lambda::observe
