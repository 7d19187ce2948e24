// What is kept of calls: the rings, what is slow, and what goes to disk.
#include "observe/trace/trace_store.h"

#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "observe/trace/call_queue.h"
#include "observe/trace/slow_calls.h"

#include <gtest/gtest.h>

#include <thread>

namespace lambda::observe {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

CallRecord call(std::string_view id, std::string_view function = "greet",
                std::chrono::microseconds took = 1ms) {
  CallRecord made;
  made.request_id = id;
  made.function = function;
  made.version = "7";
  made.total = took;
  made.begin = WallTime(1767323045000ms);
  made.add(CallStep::handler, 100us, took - 100us);
  return made;
}

class TraceStoreTest : public testing::Test {
 public:
  ~TraceStoreTest() override { store_.reset(); }

 protected:
  TraceStore& store() {
    if (!store_) {
      auto opened = TraceStore::open(temporary_.path() / "traces", {&loop_, &other_}, readers_,
                                     clock_, limits_);
      EXPECT_TRUE(opened);
      store_ = std::move(*opened);
    }
    return *store_;
  }
  void restart() {
    store_->finish();
    store_.reset();
  }
  std::vector<json::object> find(std::string id) { return run(store().find(std::move(id))); }
  std::vector<std::string> ids(TraceStore::Query query) {
    std::vector<std::string> all;
    for (const auto& one : run(store().list(std::move(query))))
      all.emplace_back(one.at("requestId").as_string());
    return all;
  }
  static TraceStore::Query of(std::string function) {
    TraceStore::Query query;
    query.function = std::move(function);
    return query;
  }
  // Both loops turn while it runs.
  std::vector<json::object> run(Task<std::vector<json::object>> task) {
    auto guard = asio::make_work_guard(other_);
    other_.restart();
    std::thread thread([this] { other_.run(); });
    auto found = run_on(loop_, std::move(task));
    guard.reset();
    thread.join();
    return found;
  }

  TemporaryDirectory temporary_;
  Loop loop_{1};
  Loop other_{1};
  BlockingPool readers_{"readers", 1};
  FakeClock clock_;
  TraceLimits limits_;
  std::unique_ptr<TraceStore> store_;
};

TEST_F(TraceStoreTest, ARecentCallIsFoundOnWhateverLoopItRan) {
  store().sink_of(0).record(call("a"));
  store().sink_of(1).record(call("b"));
  ASSERT_EQ(find("b").size(), 1u);
  const auto found = find("a");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].at("function"), "greet");
  EXPECT_EQ(found[0].at("time"), "2026-01-02T03:04:05.000Z");
  EXPECT_EQ(found[0].at("duration"), 1000);
  EXPECT_EQ(found[0].at("end"), "success");
  EXPECT_EQ(found[0].at("steps").as_array().at(0).as_object().at("step"), "handler");
  EXPECT_TRUE(find("c").empty());
}

TEST_F(TraceStoreTest, TheOldestOfARingGiveWay) {
  limits_.recent = 3;
  for (const char* id : {"1", "2", "3", "4"}) store().sink_of(0).record(call(id));
  EXPECT_TRUE(find("1").empty());
  EXPECT_EQ(find("4").size(), 1u);
}

TEST_F(TraceStoreTest, FailedAndSlowCallsSurviveARestartAndOthersDoNot) {
  store().sink_of(0).record(call("good"));
  auto failed = call("failed");
  failed.end = CallEnd::handler_error;
  failed.error_type = "ValueError";
  store().sink_of(0).record(failed);
  store().sink_of(0).record(call("slow", "greet", 3s));
  EXPECT_EQ(find("failed").size(), 1u);
  restart();
  EXPECT_TRUE(find("good").empty());
  ASSERT_EQ(find("failed").size(), 1u);
  EXPECT_EQ(find("failed")[0].at("errorType"), "ValueError");
  ASSERT_EQ(find("slow").size(), 1u);
  EXPECT_EQ(find("slow")[0].at("slow"), true);
}

TEST_F(TraceStoreTest, ListsAreOfOneFunctionNewestFirstAndFiltered) {
  int at = 0;
  for (const char* id : {"1", "2", "3", "4"}) {
    auto made = call(id, at == 1 ? "other" : "greet", at == 2 ? 3s : 1ms);
    made.begin += std::chrono::seconds(at++);
    if (at == 4) made.end = CallEnd::timeout;
    store().sink_of(0).record(made);
  }
  EXPECT_EQ(ids(of("greet")), (std::vector<std::string>{"4", "3", "1"}));
  EXPECT_EQ(ids(of("other")), std::vector<std::string>{"2"});
  auto slow = of("greet");
  slow.slow = true;
  EXPECT_EQ(ids(slow), std::vector<std::string>{"3"});
  auto either = slow;
  either.failed = true;
  EXPECT_EQ(ids(either), (std::vector<std::string>{"4", "3"}));
  restart();
  EXPECT_EQ(ids(either), (std::vector<std::string>{"4", "3"}));
  either.slow = false;
  either.limit = 1;
  EXPECT_EQ(ids(either), std::vector<std::string>{"4"});
}

TEST_F(TraceStoreTest, FilesAreReadForACallThatIsNotInMemoryOrMayHaveOthersAlone) {
  auto failed = call("asked");
  failed.end = CallEnd::timeout;
  store().sink_of(0).record(failed);
  failed.request_id = "event";
  failed.source = CallSource::queue;
  store().sink_of(0).record(failed);
  restart();
  // Nobody calls twice with one id; an event's next attempt is another call of its.
  for (const char* id : {"asked", "event"}) {
    auto again = call(id);
    again.source = std::string_view(id) == "event" ? CallSource::queue : CallSource::api;
    again.attempt = 2;
    store().sink_of(0).record(again);
  }
  EXPECT_EQ(find("asked").size(), 1u);
  EXPECT_EQ(find("event").size(), 2u);
}

TEST_F(TraceStoreTest, TheAttemptsOfAnEventAreInTheirOrder) {
  for (int attempt : {1, 2}) {
    auto made = call("event");
    made.attempt = attempt;
    made.end = attempt == 1 ? CallEnd::timeout : CallEnd::success;
    made.begin += std::chrono::minutes(attempt);
    store().sink_of(0).record(made);
  }
  const auto found = find("event");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].at("attempt"), 1);
  EXPECT_EQ(found[1].at("attempt"), 2);
}

TEST_F(TraceStoreTest, OfAFloodThatIsRefusedSomeGoToDisk) {
  for (int i = 0; i < 500; ++i) {
    const auto id = std::to_string(i);
    auto made = call(id);
    made.end = CallEnd::throttled;
    made.reason = "Rate Exceeded.";
    store().sink_of(0).record(made);
  }
  restart();
  auto all = of("greet");
  all.limit = 1000;
  EXPECT_EQ(ids(all).size(), 20u);
}

TEST_F(TraceStoreTest, CountsWhatTheDiskDoesNotTake) {
  auto failed = call("a");
  failed.end = CallEnd::timeout;
  EXPECT_EQ(store().lost(), 0u);
  std::filesystem::remove_all(temporary_.path() / "traces");
  store().sink_of(0).record(failed);
  store().sink_of(1).record(failed);
  store().sink_of(1).record(call("good"));
  store_->finish();
  EXPECT_EQ(store().lost(), 2u);
}

TEST_F(TraceStoreTest, WhatAFunctionCallsItsErrorIsCutAndMendedForJson) {
  auto made = call("a");
  made.end = CallEnd::handler_error;
  const std::string long_name = "\xFF\"" + std::string(1000, 'x');
  made.error_type = long_name;
  store().sink_of(0).record(made);
  restart();
  ASSERT_EQ(find("a").size(), 1u);
  EXPECT_LT(find("a")[0].at("errorType").as_string().size(), 200u);
}

TEST(SlowCalls, AreThoseBeyondTheNinetyNinthPercentileOfLate) {
  SlowCalls calls(0us);
  for (int i = 0; i < 99; ++i) EXPECT_FALSE(calls.count("greet", 10s));
  SlowCalls known(0us);
  for (int i = 0; i < 1000; ++i) known.count("greet", i % 200 == 0 ? 100ms : 20ms);
  EXPECT_FALSE(known.count("greet", 20ms));
  EXPECT_TRUE(known.count("greet", 21ms));
  EXPECT_FALSE(known.count("other", 24ms));
  // It has become slower for good: soon that is what it takes.
  for (int i = 0; i < 3000; ++i) known.count("greet", 40ms);
  EXPECT_FALSE(known.count("greet", 40ms));
  EXPECT_TRUE(known.count("greet", 60ms));
}

TEST(SlowCalls, AMomentMoreIsNotSlowAndWhatTookTooLongAlwaysIs) {
  SlowCalls calls(1s);
  for (int i = 0; i < 1000; ++i) calls.count("greet", 300us);
  EXPECT_FALSE(calls.count("greet", 4ms));
  EXPECT_TRUE(calls.count("greet", 6ms));
  EXPECT_TRUE(calls.count("new", 1001ms));
  EXPECT_FALSE(calls.count("new", 1s));
}

TEST(CallQueue, CountsWhatItHasNoRoomForAndKeepsTheOrder) {
  CallQueue queue(2);
  EXPECT_TRUE(queue.give(call("1"), false));
  EXPECT_TRUE(queue.give(call("2"), false));
  EXPECT_FALSE(queue.give(call("3"), false));
  EXPECT_EQ(queue.dropped(), 1u);
  const auto taken = queue.take();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].request_id(), "1");
  EXPECT_TRUE(queue.give(call("4"), false));
  EXPECT_EQ(queue.size(), 1u);
}

TEST(CallQueue, LosesNothingBetweenThreads) {
  CallQueue queue(1'000'000);
  std::vector<std::thread> givers;
  for (int t = 0; t < 3; ++t) {
    givers.emplace_back([&queue] {
      for (int i = 0; i < 2000; ++i) queue.give(call("1"), false);
    });
  }
  std::size_t taken = 0;
  while (taken < 6000) taken += queue.take().size();
  for (auto& giver : givers) giver.join();
  EXPECT_EQ(taken, 6000u);
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace lambda::observe
