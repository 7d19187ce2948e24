#include "store/audit_table.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::store {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class Audit : public testing::Test {
 public:
  std::int64_t add(AuditRow row) {
    std::int64_t seq = 0;
    auto work = [&](SQLite::Database& connection) { seq = table_.append(connection, row); };
    EXPECT_TRUE(database_->change("append", work));
    return seq;
  }
  AuditRow row(std::string operation, std::string function = "greet") {
    AuditRow made;
    made.time = clock_.now();
    made.kind = "key";
    made.actor = "ABCDEFGHIJKLMNOPQRST";
    made.name = "ci";
    made.address = "192.0.2.1";
    made.operation = std::move(operation);
    made.function = std::move(function);
    made.status = 200;
    return made;
  }
  std::int64_t begin(std::string operation, std::string function = "greet") {
    auto begun = row(std::move(operation), std::move(function));
    begun.phase = AuditPhase::begun;
    begun.status = 0;
    return add(std::move(begun));
  }
  void end(std::int64_t seq, int status, std::string function = "") {
    auto ended = row("", std::move(function));
    ended.phase = AuditPhase::ended;
    ended.begun = seq;
    ended.status = status;
    ended.note = "as asked";
    add(std::move(ended));
  }
  // What SQLite says to it; "" where it was done.
  std::string execute(const std::string& text) {
    const auto done =
        database_->change("tamper", [&](SQLite::Database& connection) { connection.exec(text); });
    return done ? "" : done.error().message();
  }
  std::string problem() { return table_.verify()->problem; }

  FakeClock clock_;
  MasterKey master_ = MasterKey::ephemeral();
  std::unique_ptr<Database> database_ = std::move(*Database::open_in_memory());
  AuditTable table_{*database_, master_, "1", "r"};
};

TEST_F(Audit, AChangeIsOneEntryWithWhatCameOfIt) {
  const auto first = begin("CreateFunction", "");
  const auto second = begin("DeleteFunction");
  end(first, 201, "made");
  const auto entries = table_.list({});
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].row.seq, second);
  EXPECT_FALSE((*entries)[0].finished);
  EXPECT_TRUE((*entries)[1].finished);
  EXPECT_EQ((*entries)[1].row.function, "made");
  EXPECT_EQ((*entries)[1].row.note, "as asked");
  EXPECT_EQ((*entries)[1].row.status, 201);
  EXPECT_EQ((*entries)[1].row.operation, "CreateFunction");
  EXPECT_EQ(problem(), "");
}

TEST_F(Audit, IsSearchedByFunctionHolderAndTime) {
  add(row("A", "one"));
  clock_.advance(1h);
  auto other = row("B", "two");
  other.actor = "root";
  other.name = "";
  add(other);
  const auto found = [&](AuditTable::Query query) {
    std::string text;
    const auto entries = table_.list(query);
    for (const auto& entry : *entries) text += entry.row.operation;
    return text;
  };
  AuditTable::Query query;
  EXPECT_EQ(found(query), "BA");
  query.function = "one";
  EXPECT_EQ(found(query), "A");
  query = {};
  query.who = "root";
  EXPECT_EQ(found(query), "B");
  query.who = "ci";
  EXPECT_EQ(found(query), "A");
  query = {};
  query.since = clock_.now();
  EXPECT_EQ(found(query), "B");
  query = {};
  query.before = 2;
  EXPECT_EQ(found(query), "A");
  query = {};
  query.limit = 1;
  EXPECT_EQ(found(query), "B");
  AuditTable elsewhere(*database_, master_, "2", "r");
  EXPECT_TRUE(elsewhere.list({})->empty());
}

TEST_F(Audit, RefusesToBeAltered) {
  add(row("A"));
  for (const char* text :
       {"UPDATE audit SET note = 'x'", "DELETE FROM audit", "DELETE FROM audit WHERE seq = 1"})
    EXPECT_THAT(execute(text), HasSubstr("append-only")) << text;
  EXPECT_EQ(problem(), "");
}

TEST_F(Audit, WhatWasTamperedWithShows) {
  for (const char* operation : {"A", "B", "C", "D"}) add(row(operation));
  EXPECT_EQ(execute("DROP TRIGGER audit_is_not_altered; DROP TRIGGER audit_is_not_removed"), "");
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(execute("UPDATE audit SET name = 'another' WHERE seq = 2"), "");
  EXPECT_THAT(problem(), HasSubstr("entry 2 (B"));
  EXPECT_EQ(execute("UPDATE audit SET name = 'ci' WHERE seq = 2"), "");
  EXPECT_EQ(problem(), "");
  // A field's end is not the next one's beginning.
  EXPECT_EQ(execute("UPDATE audit SET operation = 'Bg', function = 'reet' WHERE seq = 2"), "");
  EXPECT_THAT(problem(), HasSubstr("entry 2"));
  EXPECT_EQ(execute("UPDATE audit SET operation = 'B', function = 'greet' WHERE seq = 2"), "");
  EXPECT_EQ(execute("DELETE FROM audit WHERE seq = 4"), "");
  EXPECT_EQ(problem(), "entries 4 to 4 are missing");
  EXPECT_EQ(execute("DELETE FROM audit WHERE seq = 2"), "");
  EXPECT_EQ(problem(), "entries 2 to 2 are missing");
}

TEST_F(Audit, CannotBeForgedWithoutTheMasterKey) {
  add(row("A"));
  const MasterKey other = MasterKey::ephemeral();
  AuditTable forged(*database_, other, "1", "r");
  ASSERT_TRUE(forged.append(row("B")));
  EXPECT_THAT(problem(), HasSubstr("entry 2"));
}

TEST_F(Audit, WhatIsTooOldGoesAndTheRestStaysWhole) {
  for (const char* operation : {"A", "B"}) add(row(operation));
  clock_.advance(24h);
  for (const char* operation : {"C", "D"}) add(row(operation));
  EXPECT_EQ(*table_.expire(clock_.now() - 48h, clock_.now()), 0u);
  EXPECT_EQ(*table_.expire(clock_.now() - 1h, clock_.now()), 2u);
  const auto verdict = table_.verify();
  EXPECT_EQ(verdict->problem, "");
  EXPECT_EQ(verdict->first, 3);
  EXPECT_EQ(verdict->last, 5);
  EXPECT_EQ(verdict->last_hash.size(), 64u);
  const auto entries = table_.list({});
  EXPECT_EQ((*entries)[0].row.operation, "ExpireAudit");
  EXPECT_THAT((*entries)[0].row.note, HasSubstr("2 rows, up to 2"));
  EXPECT_THAT(execute("DELETE FROM audit"), HasSubstr("append-only"));
  EXPECT_THAT(execute("DELETE FROM audit_cuts"), HasSubstr("append-only"));
  // All of it, and what comes next still hangs on it.
  EXPECT_EQ(*table_.expire(clock_.now() + 1h, clock_.now()), 3u);
  add(row("E"));
  EXPECT_EQ(problem(), "");
}

}  // namespace
}  // namespace lambda::store
