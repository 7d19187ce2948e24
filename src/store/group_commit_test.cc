#include "store/group_commit.h"

#include "base/temporary_directory.h"
#include "store/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lambda::store {
namespace {

class GroupCommitTest : public testing::Test {
 public:
  GroupCommitTest() {
    const auto make = [](SQLite::Database& connection) {
      connection.exec("CREATE TABLE things (name TEXT PRIMARY KEY)");
    };
    EXPECT_TRUE(database_->change("make a table", make));
  }

  struct Insert {
    std::string name;
    int* runs = nullptr;
    int operator()(SQLite::Database& connection) const {
      if (runs != nullptr) ++*runs;
      SQLite::Statement insert(connection, "INSERT INTO things VALUES (?)");
      insert.bind(1, name);
      return insert.exec();
    }
  };

  // Given now, all before the store thread sees the first.
  void give(std::string name, std::optional<Result<int>>* result, int* runs = nullptr) {
    auto call = [](GroupCommitTest* test, Insert insert,
                   std::optional<Result<int>>* into) -> Task<void> {
      auto done = co_await test->commits_.run("insert a thing", std::move(insert));
      into->emplace(std::move(done));
    };
    asio::co_spawn(loop_, call(this, Insert{std::move(name), runs}, result), asio::detached);
  }

  int count() {
    int found = -1;
    const auto look = [&found](SQLite::Database& connection) {
      found = connection.execAndGet("SELECT count(*) FROM things").getInt();
    };
    EXPECT_TRUE(database_->read("count", look));
    return found;
  }

  std::unique_ptr<Database> database_ = std::move(*Database::open_in_memory());
  BlockingPool store_thread_{"store", 1};
  Loop loop_{1};
  GroupCommit commits_{*database_, store_thread_};
};

TEST_F(GroupCommitTest, EveryoneGetsTheirOwnResult) {
  std::vector<std::optional<Result<int>>> results(1'500);  // more than one batch
  for (std::size_t i = 0; i < results.size(); ++i) give(std::to_string(i), &results[i]);
  loop_.run();
  for (const auto& result : results) {
    ASSERT_TRUE(result && *result);
    EXPECT_EQ(**result, 1);
  }
  EXPECT_EQ(count(), 1'500);
}

TEST_F(GroupCommitTest, ABadChangeFailsAlone) {
  std::optional<Result<int>> first, twice, last;
  give("a", &first);
  give("a", &twice);
  give("b", &last);
  loop_.run();
  ASSERT_TRUE(first && twice && last);
  EXPECT_TRUE(*first);
  ASSERT_FALSE(*twice);
  EXPECT_NE(twice->error().message().find("insert a thing"), std::string::npos);
  EXPECT_TRUE(*last);
  EXPECT_EQ(count(), 2);
}

TEST_F(GroupCommitTest, WhatWaitsTogetherIsOneTransaction) {
  int commits = 0;
  const auto watch = [&commits](SQLite::Database& connection) {
    const auto hook = [](void* counter) { return ++*static_cast<int*>(counter), 0; };
    ::sqlite3_commit_hook(connection.getHandle(), hook, &commits);
  };
  ASSERT_TRUE(database_->change("watch", watch));
  commits = 0;
  std::mutex gate;
  std::vector<std::optional<Result<int>>> results(100);
  {
    // While the thread is busy, the changes gather.
    const std::lock_guard busy(gate);
    store_thread_.post([&gate] { const std::lock_guard wait(gate); });
    for (std::size_t i = 0; i < results.size(); ++i) give(std::to_string(i), &results[i]);
    loop_.poll();
  }
  loop_.restart();
  loop_.run();
  EXPECT_EQ(count(), 100);
  EXPECT_EQ(commits, 1);
}

TEST(GroupCommitOnDisk, WhatMayBeSyncedLaterCostsNoSync) {
  const TemporaryDirectory directory;
  auto database = Database::open(directory.path());
  ASSERT_TRUE(database) << database.error().message();
  const auto mode = [&database](Database::Sync sync) {
    int level = -1;
    const auto look = [&level](SQLite::Database& connection) {
      level = connection.execAndGet("PRAGMA synchronous").getInt();
    };
    EXPECT_TRUE((*database)->change("look", look, sync));
    return level;
  };
  EXPECT_EQ(mode(Database::Sync::now), 2);
  EXPECT_EQ(mode(Database::Sync::later), 1);
  EXPECT_EQ(mode(Database::Sync::now), 2);
}

// One that must be on disk takes along those that need not be; the file system tells nothing of
// syncs, so the connection's setting is looked at from inside.
TEST_F(GroupCommitTest, OneThatIsSyncedTakesTheOthersAlong) {
  std::vector<int> seen(3, -1);
  const auto look = [this, &seen](std::size_t place, Database::Sync sync) {
    auto call = [](GroupCommitTest* test, int* into, Database::Sync its_sync) -> Task<void> {
      auto work = [into](SQLite::Database& connection) {
        *into = connection.execAndGet("PRAGMA synchronous").getInt();
        return 0;
      };
      auto done = co_await test->commits_.run("look", std::move(work), its_sync);
      EXPECT_TRUE(done);
    };
    asio::co_spawn(loop_, call(this, &seen[place], sync), asio::detached);
  };
  std::mutex gate;
  {
    const std::lock_guard busy(gate);
    store_thread_.post([&gate] { const std::lock_guard wait(gate); });
    look(0, Database::Sync::later);
    look(1, Database::Sync::now);
    loop_.poll();
  }
  loop_.restart();
  loop_.run();
  look(2, Database::Sync::later);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(seen, (std::vector<int>{2, 2, 1}));
}

}  // namespace
}  // namespace lambda::store
