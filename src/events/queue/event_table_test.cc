#include "events/queue/event_table.h"

#include "store/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include <chrono>
#include <memory>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const WallTime kInserted{std::chrono::milliseconds(1'767'323'045'000)};

class EventTableTest : public testing::Test {
 public:
  // In one transaction.
  template <class Work>
  auto with(Work work) {
    std::optional<std::invoke_result_t<Work, SQLite::Database&>> value;
    const auto done = database_->change(
        "test", [&](SQLite::Database& database) { value.emplace(work(database)); });
    EXPECT_TRUE(done) << done.error().message();
    return std::move(*value);
  }

  EventTableTest() {
    for (const char* name : {"work", "other", "third"}) add_function(name);
  }

  void add_function(const std::string& name) {
    with([&name](SQLite::Database& database) {
      SQLite::Statement insert(database,
                               "INSERT INTO functions (account, region, name, url_auth, url_cors, "
                               "url_invoke_mode, url_created, url_modified, created, next_version) "
                               "VALUES ('000000000000', 'us-east-1', ?, 'closed', '', 'BUFFERED', "
                               "0, 0, 0, 1)");
      insert.bind(1, name);
      return insert.exec();
    });
  }

  static LaneKey lane(const std::string& function, const std::string& url = "") {
    LaneKey key;
    key.function = function;
    key.url = url;
    return key;
  }

  EventTable::Inserted insert(const std::string& id, const std::string& function = "work",
                              WallTime now = kInserted, const std::string& token = "",
                              const std::string& url = "") {
    NewEvent event;
    event.url = url;
    event.id = id;
    event.function = function;
    event.payload = "{\"id\": \"" + id + "\"}";
    event.token = token;
    return with([&](SQLite::Database& database) { return table_.insert(database, event, now); });
  }

  void insert_firing(const std::string& id, const std::string& function, WallTime due) {
    NewEvent event;
    event.id = id;
    event.function = function;
    event.source = EventSource::schedule;
    with([&](SQLite::Database& database) { return table_.insert(database, event, due, due); });
  }

  EventTable::Claims claim(const std::string& function, std::size_t count, WallTime now = kInserted,
                           const std::string& url = "") {
    EventTable::Wanted wanted;
    wanted.lane = lane(function, url);
    wanted.count = count;
    return with([&](SQLite::Database& database) { return table_.claim(database, {wanted}, now); });
  }

  std::vector<std::string> ids(const EventTable::Claims& claims) {
    std::vector<std::string> ids;
    for (const auto& event : claims.events) ids.push_back(event.event.id);
    return ids;
  }

  EventInfo find(const std::string& id) {
    auto found = with([&](SQLite::Database& database) { return table_.find(database, id); });
    EXPECT_TRUE(found) << id;
    return found.value_or(EventInfo());
  }

  bool retry(const ClaimedEvent& event, WallTime due) {
    EventTable::Failure failure;
    failure.attempts = event.attempts + 1;
    failure.error_type = "ValueError";
    return with(
        [&](SQLite::Database& database) { return table_.retry(database, event, failure, due); });
  }

  bool die(const ClaimedEvent& event) {
    EventTable::Failure failure;
    failure.attempts = 3;
    failure.error_message = std::string(5'000, 'x');
    failure.payload = "{}";
    return with([&](SQLite::Database& database) {
      return table_.die(database, event, failure, kInserted);
    });
  }

  bool succeed(const ClaimedEvent& event) {
    EventTable::Success success;
    success.payload = "\"done\"";
    return with([&](SQLite::Database& database) {
      return table_.succeed(database, event, success, kInserted);
    });
  }

  std::unique_ptr<store::Database> database_ = std::move(*store::Database::open_in_memory());
  EventTable table_{function::Tenant()};
};

TEST_F(EventTableTest, AnEventKeepsTheTraceOfWhoeverSubmittedIt) {
  NewEvent event;
  event.id = "a";
  event.function = "work";
  event.trace.amzn = "Root=1-0";
  event.trace.parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  event.trace.state = "a=1";
  with([&](SQLite::Database& database) { return table_.insert(database, event, kInserted); });
  const auto claims = claim("work", 1);
  ASSERT_THAT(ids(claims), ElementsAre("a"));
  EXPECT_EQ(claims.events[0].event.trace.amzn, event.trace.amzn);
  EXPECT_EQ(claims.events[0].event.trace.parent, event.trace.parent);
  EXPECT_EQ(claims.events[0].event.trace.state, event.trace.state);
}

TEST_F(EventTableTest, ClaimsTheOldestOfTheFunctionAndNoneTwice) {
  insert("a", "work", kInserted - 3s);
  insert("b", "work", kInserted - 2s);
  insert("c", "other", kInserted - 9s);
  insert("d", "work", kInserted - 1s);
  const auto first = claim("work", 2);
  EXPECT_THAT(ids(first), ElementsAre("a", "b"));
  EXPECT_EQ(first.events[0].event.payload, "{\"id\": \"a\"}");
  EXPECT_EQ(first.next_due.at(lane("work")), kInserted - 1s);
  const auto second = claim("work", 5);
  EXPECT_THAT(ids(second), ElementsAre("d"));
  EXPECT_EQ(second.next_due.at(lane("work")), std::nullopt);
  EXPECT_THAT(ids(claim("work", 5)), IsEmpty());
}

TEST_F(EventTableTest, NoMoreIsClaimedThanFits) {
  for (const char* id : {"a", "b", "c"}) insert(id);  // 11 bytes each
  insert("d", "other");
  EventTable::Wanted work;
  work.lane = lane("work");
  work.count = 3;
  EventTable::Wanted other;
  other.lane = lane("other");
  other.count = 1;
  const auto claims = with([&](SQLite::Database& database) {
    return table_.claim(database, {work, other}, kInserted, NestedRoom({12, 100, 100}));
  });
  EXPECT_THAT(ids(claims), ElementsAre("a", "b"));
  EXPECT_EQ(claims.next_due.at(work.lane), kInserted);
  EXPECT_EQ(claims.next_due.at(other.lane), kInserted);
}

TEST_F(EventTableTest, AnEventIsNotClaimedBeforeItIsDue) {
  insert("a");
  const auto claimed = claim("work", 1);
  EXPECT_TRUE(retry(claimed.events[0], kInserted + 60s));
  const auto early = claim("work", 1, kInserted + 59s);
  EXPECT_THAT(ids(early), IsEmpty());
  EXPECT_EQ(early.next_due.at(lane("work")), kInserted + 60s);
  const auto late = claim("work", 1, kInserted + 60s);
  EXPECT_THAT(ids(late), ElementsAre("a"));
  EXPECT_EQ(late.events[0].attempts, 1);
}

TEST_F(EventTableTest, WhoseLeaseIsOverChangesNothing) {
  insert("a");
  const auto first = claim("work", 1);
  with([&](SQLite::Database& database) { return table_.release_running(database, kInserted); });
  const auto second = claim("work", 1);
  ASSERT_THAT(ids(second), ElementsAre("a"));
  EXPECT_FALSE(succeed(first.events[0]));
  EXPECT_FALSE(die(first.events[0]));
  EXPECT_FALSE(retry(first.events[0], kInserted));
  EXPECT_EQ(find("a").state, EventState::running);
  EXPECT_TRUE(succeed(second.events[0]));
  EXPECT_FALSE(succeed(second.events[0]));
  EXPECT_EQ(find("a").state, EventState::succeeded);
}

TEST_F(EventTableTest, WhatADeadOneCouldNotTellFitsBehindALongError) {
  const std::string problem = "the result went nowhere";
  for (const auto size : {0u, 3u, 5'000u}) {
    const auto id = std::to_string(size);
    insert(id);
    EventTable::Failure failure;
    failure.error_message = std::string(size, 'x');
    failure.problem = problem;
    const auto claimed = claim("work", 1);
    with([&](SQLite::Database& database) {
      return table_.die(database, claimed.events.at(0), failure, kInserted);
    });
    const auto told = find(id).error_message;
    const auto* between = size == 0 ? "" : "; ";
    EXPECT_THAT(told, testing::EndsWith(between + ("Destination.NotFound: " + problem)));
    EXPECT_LE(told.size(), 1'024u);
    EXPECT_EQ(told.starts_with("x"), size > 0);
  }
}

TEST_F(EventTableTest, ATokenMakesARepeatedSubmissionTheSameEvent) {
  EXPECT_FALSE(insert("a", "work", kInserted, "k").duplicate);
  const auto again = insert("b", "work", kInserted, "k");
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.id, "a");
  EXPECT_FALSE(insert("c", "other", kInserted, "k").duplicate);
  EXPECT_FALSE(insert("d").duplicate);
  EXPECT_FALSE(insert("e").duplicate);
}

TEST_F(EventTableTest, KnowsWhichVersionsAreStillToBeCalled) {
  const auto pending = [this](const char* function, const char* qualifier) {
    return with([&](SQLite::Database& database) {
      return table_.has_pending(database, function, qualifier);
    });
  };
  insert("unqualified");
  EXPECT_FALSE(pending("work", "2"));
  EXPECT_FALSE(pending("work", "")) << "what is for no version holds none";
  NewEvent event;
  event.id = "pinned";
  event.function = "work";
  event.qualifier = "2";
  with([&](SQLite::Database& database) { return table_.insert(database, event, kInserted); });
  EXPECT_TRUE(pending("work", "2"));
  EXPECT_FALSE(pending("work", "1"));
  EXPECT_FALSE(pending("other", "2"));
  const auto claims = claim("work", 2);
  ASSERT_EQ(claims.events.size(), 2u);
  EXPECT_TRUE(pending("work", "2")) << "while it runs";
  EventTable::Failure failure;
  failure.attempts = 1;
  with([&](SQLite::Database& database) {
    return table_.retry(database, claims.events[1], failure, kInserted + 1min);
  });
  EXPECT_TRUE(pending("work", "2")) << "while it waits for another attempt";
  const auto again = claim("work", 1, kInserted + 2min);
  ASSERT_EQ(again.events.size(), 1u);
  with([&](SQLite::Database& database) {
    return table_.succeed(database, again.events[0], {}, kInserted + 2min);
  });
  EXPECT_FALSE(pending("work", "2"));
}

TEST_F(EventTableTest, DeadOnesAreRevivedWithAnotherPayload) {
  insert("a");
  insert("b");
  const auto claimed = claim("work", 2);
  EXPECT_TRUE(die(claimed.events[0]));
  EXPECT_TRUE(die(claimed.events[1]));
  EXPECT_EQ(find("a").error_message.size(), 1'024u);
  const auto revive = [this](const std::string& id, std::optional<std::string> payload) {
    return with([&](SQLite::Database& database) {
      return table_.redrive(database, id, payload, kInserted + 1s);
    });
  };
  EXPECT_EQ(revive("a", "[2]"), lane("work"));
  EXPECT_EQ(revive("a", std::nullopt), std::nullopt);
  EXPECT_EQ(revive("nobody", std::nullopt), std::nullopt);
  const auto again = claim("work", 5, kInserted + 1s);
  ASSERT_THAT(ids(again), ElementsAre("a"));
  EXPECT_EQ(again.events[0].event.payload, "[2]");
  EXPECT_EQ(again.events[0].attempts, 0);
  const auto all = with([this](SQLite::Database& database) {
    return table_.redrive_all(database, "work", kInserted, {});
  });
  EXPECT_EQ(all.changed.count, 1u);
  EXPECT_THAT(all.lanes, ElementsAre(lane("work")));
}

TEST_F(EventTableTest, WebhooksWaitInLanesOfTheirOwn) {
  insert("call", "work", kInserted);
  insert("a", "work", kInserted, "", "http://a/");
  insert("b", "work", kInserted - 1s, "", "http://b/");
  const auto due = with([this](SQLite::Database& database) { return table_.due_times(database); });
  EXPECT_EQ(due, (std::map<LaneKey, WallTime>{{lane("work"), kInserted},
                                              {lane("work", "http://a/"), kInserted},
                                              {lane("work", "http://b/"), kInserted - 1s}}));
  EXPECT_THAT(ids(claim("work", 5)), ElementsAre("call"));
  const auto webhooks = claim("work", 5, kInserted, "http://b/");
  ASSERT_THAT(ids(webhooks), ElementsAre("b"));
  EXPECT_EQ(webhooks.events[0].event.lane(), lane("work", "http://b/"));
  EXPECT_EQ(find("b").url, "http://b/");
  EXPECT_EQ(find("call").url, "");
  EXPECT_TRUE(die(webhooks.events[0]));
  const auto redriven = with([this](SQLite::Database& database) {
    return table_.redrive_all(database, "work", kInserted, {});
  });
  EXPECT_EQ(redriven.changed.count, 1u);
  EXPECT_THAT(redriven.lanes, ElementsAre(lane("work", "http://b/")));
}

TEST_F(EventTableTest, HopsAreKeptUntilSomebodyRedrives) {
  NewEvent event;
  event.id = "a";
  event.function = "work";
  event.hops = 17;
  with([&](SQLite::Database& database) { return table_.insert(database, event, kInserted); });
  const auto claimed = claim("work", 1);
  ASSERT_EQ(claimed.events.size(), 1u);
  EXPECT_EQ(claimed.events[0].event.hops, 17);
  die(claimed.events[0]);
  with([&](SQLite::Database& database) {
    return table_.redrive(database, "a", std::nullopt, kInserted).has_value();
  });
  EXPECT_EQ(claim("work", 1).events.at(0).event.hops, 0);
}

TEST_F(EventTableTest, CountsByState) {
  for (const char* id : {"a", "b", "c", "d", "e"}) insert(id);
  const auto claimed = claim("work", 4);
  retry(claimed.events[0], kInserted + 60s);
  die(claimed.events[1]);
  succeed(claimed.events[2]);
  const auto depths =
      with([this](SQLite::Database& database) { return table_.depths(database, ""); });
  ASSERT_EQ(depths.size(), 1u);
  EXPECT_EQ(depths[0].function, "work");
  EXPECT_EQ(depths[0].waiting, 2u);
  EXPECT_EQ(depths[0].retrying, 1u);
  EXPECT_EQ(depths[0].running, 1u);
  EXPECT_EQ(depths[0].dead, 1u);
  EXPECT_EQ(depths[0].oldest, kInserted);
}

TEST_F(EventTableTest, OldOnesGoAndOthersStay) {
  for (const char* id : {"a", "b", "c"}) insert(id);
  const auto claimed = claim("work", 2);
  succeed(claimed.events[0]);
  die(claimed.events[1]);
  const auto expire = [this](EventState state, WallTime before) {
    return with(
        [&](SQLite::Database& database) { return table_.expire(database, state, before, {}); });
  };
  EXPECT_EQ(expire(EventState::succeeded, kInserted).count, 0u);
  EXPECT_EQ(expire(EventState::succeeded, kInserted + 1s).count, 1u);
  EXPECT_EQ(find("b").state, EventState::dead);
  EXPECT_EQ(find("c").state, EventState::waiting);
}

TEST_F(EventTableTest, ManyGoInSteps) {
  for (int i = 0; i < 7; ++i) insert(std::to_string(i));
  insert("b", "other");
  EventTable::Step step;
  step.rows = 3;
  step.time = 1h;
  const auto clear = [&] {
    return with([&](SQLite::Database& database) { return table_.clear(database, "work", step); });
  };
  for (const auto& [count, more] :
       {std::pair(3u, true), std::pair(3u, true), std::pair(1u, false), std::pair(0u, false)}) {
    const auto changed = clear();
    EXPECT_EQ(changed.count, count);
    EXPECT_EQ(changed.more, more);
  }
  // By bytes too: at least one, and then as many as there is room for.
  for (int i = 0; i < 4; ++i) insert(std::to_string(i));
  step.bytes = 10;
  EXPECT_EQ(clear().count, 1u);
  step.bytes = 11;
  EXPECT_EQ(clear().count, 2u);
  EXPECT_EQ(find("b").state, EventState::waiting);
}

TEST_F(EventTableTest, AStepTakesNoLongerThanItsTime) {
  EventTable::Step step;
  step.time = 0ms;  // one row
  for (int i = 0; i < 3; ++i) {
    insert("waits " + std::to_string(i), "other");
    insert("dies " + std::to_string(i));
    die(claim("work", 1).events[0]);
  }
  const auto one_of_more = [](const EventTable::Changed& changed) {
    EXPECT_EQ(changed.count, 1u);
    EXPECT_TRUE(changed.more);
  };
  const auto later = kInserted + 1s;
  with([&](SQLite::Database& database) {
    one_of_more(table_.redrive_all(database, "work", later, step).changed);
    one_of_more(table_.expire(database, EventState::dead, later, step));
    one_of_more(table_.purge(database, "other", EventState::waiting, later, step));
    one_of_more(table_.clear(database, "other", step));
    EXPECT_FALSE(table_.clear(database, "other", step).more);
    return true;
  });
}

TEST_F(EventTableTest, ErrorsAreCutBetweenCharacters) {
  insert("a");
  const auto claimed = claim("work", 1);
  EventTable::Failure failure;
  failure.error_type = std::string(300, 'T') + "\xc3\xbc";
  failure.error_message = "x";
  for (int i = 0; i < 600; ++i) failure.error_message += "\xc3\xbc";
  with([&](SQLite::Database& database) {
    return table_.retry(database, claimed.events[0], failure, kInserted);
  });
  EXPECT_EQ(find("a").error_type, std::string(256, 'T'));
  EXPECT_EQ(find("a").error_message.size(), 1'023u);
  const auto again = claim("work", 1);
  failure.error_message = "\xff\xfe!";
  with([&](SQLite::Database& database) {
    return table_.die(database, again.events[0], failure, kInserted);
  });
  EXPECT_EQ(find("a").error_message, "\xef\xbf\xbd\xef\xbf\xbd!");
}

TEST_F(EventTableTest, WhatAClockAheadHasPutOffIsDue) {
  insert("new", "work", kInserted + 10h);
  insert("retried", "work", kInserted);
  insert("soon", "other", kInserted);
  insert_firing("jittered", "other", kInserted + 9h);
  insert_firing("of another year", "work", kInserted + 8'760h);
  insert_firing("retried firing", "third", kInserted);
  retry(claim("work", 1).events[0], kInserted + 10h);
  retry(claim("other", 1).events[0], kInserted + 50min);
  retry(claim("third", 1).events[0], kInserted + 10h);
  const auto release = [this](SQLite::Database& database) {
    return table_.release_ahead(database, kInserted, 1h, 3);
  };
  EXPECT_TRUE(with(release));
  EXPECT_FALSE(with(release));
  EXPECT_THAT(ids(claim("work", 5)), ElementsAre("new", "retried", "of another year"));
  EXPECT_THAT(ids(claim("third", 5)), ElementsAre("retried firing"));
  EXPECT_THAT(ids(claim("other", 5)), IsEmpty());
  EXPECT_EQ(find("of another year").accepted, kInserted);
}

TEST_F(EventTableTest, AnOldResultIsNoneOfOneThatWaitsAgain) {
  insert("a");
  die(claim("work", 1).events[0]);
  const auto result = [this] {
    return with([this](SQLite::Database& database) { return table_.result(database, "a"); });
  };
  EXPECT_EQ(result(), "{}");
  with([this](SQLite::Database& database) {
    return table_.redrive(database, "a", std::nullopt, kInserted).has_value();
  });
  EXPECT_EQ(result(), std::nullopt);
}

TEST_F(EventTableTest, WithAFunctionItsEventsGo) {
  insert("a");
  insert("b", "other");
  with([](SQLite::Database& database) {
    return database.exec("DELETE FROM functions WHERE name = 'work'");
  });
  EXPECT_THAT(ids(claim("work", 5)), IsEmpty());
  EXPECT_EQ(find("b").state, EventState::waiting);
  const auto left = with([](SQLite::Database& database) {
    return database.execAndGet("SELECT count(*) FROM event_payloads").getInt();
  });
  EXPECT_EQ(left, 1);
}

}  // namespace
}  // namespace lambda::events
