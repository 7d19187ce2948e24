#include "events/queue/event_statements.h"

#include "store/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace lambda::events {
namespace {

std::vector<std::string> plan_of(SQLite::Database& database, const std::string& text) {
  std::vector<std::string> lines;
  SQLite::Statement explain(database, "EXPLAIN QUERY PLAN " + text);
  while (explain.executeStep()) lines.push_back(explain.getColumn(3).getString());
  return lines;
}

// "account=? AND region=? AND due<?": "account,region,due<".
std::string columns_of(const std::string& terms) {
  static const std::regex between(" AND ");
  static const std::regex equals(R"(=\?)");
  static const std::regex value(R"(\?)");
  const auto listed = std::regex_replace(terms, between, ",");
  return std::regex_replace(std::regex_replace(listed, equals, ""), value, "");
}

// Of `events` and its alias e: the indexes that are searched, and how far; or "every row".
std::set<std::string> indexes_of(const std::vector<std::string>& plan) {
  static const std::regex step_pattern(R"((SEARCH|SCAN) (events|e)\b(.*))");
  static const std::regex index_pattern(R"(USING (?:COVERING )?INDEX (\w+) \((.*)\))");
  std::set<std::string> indexes;
  for (const auto& line : plan) {
    std::smatch step;
    if (!std::regex_match(line, step, step_pattern)) continue;
    const auto how = step[3].str();
    std::smatch index;
    if (step[1] == "SEARCH" && how.find("USING INTEGER PRIMARY KEY") != std::string::npos) {
      indexes.insert("seq");
    } else if (step[1] == "SEARCH" && std::regex_search(how, index, index_pattern)) {
      indexes.insert(index[1].str() + "(" + columns_of(index[2]) + ")");
    } else {
      indexes.insert("every row");
    }
  }
  return indexes;
}

TEST(EventStatements, AreAnsweredByTheirIndexes) {
  const auto database = std::move(*store::Database::open_in_memory());
  for (const auto* statement : sql::kAll) {
    std::istringstream words{std::string(statement->indexes)};
    const std::set<std::string> expected{std::istream_iterator<std::string>(words), {}};
    std::vector<std::string> plan;
    const auto done = database->change(
        "test", [&](SQLite::Database& inside) { plan = plan_of(inside, statement->text); });
    ASSERT_TRUE(done) << done.error().message() << "\n" << statement->text;
    EXPECT_EQ(indexes_of(plan), expected) << statement->text << "\n"
                                          << testing::PrintToString(plan);
  }
}

TEST(EventStatements, CountsReadNoRowsThatWaitOrAreDead) {
  const auto database = std::move(*store::Database::open_in_memory());
  const auto done = database->change("test", [](SQLite::Database& inside) {
    for (const auto& statement : {sql::kDepths, sql::kDepthsOf}) {
      const auto plan = plan_of(inside, statement.text);
      for (const char* index : {"events_waiting", "events_dead"}) {
        EXPECT_THAT(plan, testing::Contains(
                              testing::HasSubstr(std::string("USING COVERING INDEX ") + index)));
      }
    }
  });
  ASSERT_TRUE(done);
}

TEST(EventStatements, TheOneThatIsDueLongestIsFoundWithoutSorting) {
  const auto database = std::move(*store::Database::open_in_memory());
  const auto done = database->change("test", [](SQLite::Database& inside) {
    EXPECT_THAT(plan_of(inside, sql::kDue.text),
                testing::Not(testing::Contains(testing::HasSubstr("TEMP B-TREE"))));
  });
  ASSERT_TRUE(done);
}

TEST(EventStatements, AWalkThroughRowsIsSeen) {
  const auto database = std::move(*store::Database::open_in_memory());
  const auto done = database->change("test", [](SQLite::Database& inside) {
    EXPECT_THAT(indexes_of(plan_of(inside, "SELECT seq FROM events WHERE finished = 1")),
                testing::ElementsAre("every row"));
    // The whole queue of a function: the lane and the time are not looked up.
    std::string text = sql::kDue.text;
    text.replace(text.find("e.due <="), 5, "+e.due");
    text.replace(text.find("e.url ="), 5, "+e.url");
    EXPECT_THAT(indexes_of(plan_of(inside, text)),
                testing::ElementsAre("events_of_function(account,region,function)"));
  });
  ASSERT_TRUE(done);
}

}  // namespace
}  // namespace lambda::events
