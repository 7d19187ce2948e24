// The queue with a real database (in memory); the clock is moved by hand.
#include "events/queue/event_queue.h"

#include "base/blocking.h"
#include "base/loop_runner.h"
#include "events/webhook/sender.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"
#include "store/master_key.h"

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// Answers, throws, is throttled, or leaves a call open until `release`, which is answered by
// `fails`.
class ScriptedInvoker final : public invoke::RefusingInvoker {
 public:
  Task<Result<invoke::Outcome>> invoke(invoke::Call call) override {
    calls.push_back(call.request_id);
    if (throws) throw std::runtime_error("a defect");
    if (hold) co_await release.wait();
    if (throttles) co_return fail(ErrorCode::overloaded, "no room");
    invoke::Outcome outcome;
    outcome.payload = "\"done\"";
    if (fails) outcome.error = invoke::FunctionError::exit;
    co_return outcome;
  }

  std::vector<std::string> calls;
  bool throws = false;
  bool throttles = false;
  bool hold = false;
  bool fails = false;
  AsyncEvent release;
};

class EventQueueTest : public testing::Test {
 public:
  EventQueueTest() {
    database_ = std::move(*store::Database::open_in_memory());
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{},
                                                  store::MasterKey::ephemeral()));
    function::DeployCommit commit;
    commit.function = "work";
    commit.configuration.runtime = "python3.11";
    commit.configuration.handler = "app.handler";
    commit.code.sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    commit.code.package_digest = std::string(64, 'a');
    EXPECT_TRUE(catalog_->commit_deploy(std::move(commit)));
    commits_ = std::make_unique<store::GroupCommit>(*database_, store_thread_);
    webhooks_ = std::make_unique<WebhookSender>(
        WebhookSender::Parts{*catalog_, master_, store_thread_, clock_}, WebhookSender::Options());
    begin();
  }
  ~EventQueueTest() override {
    end();
    store_thread_.finish();
    webhooks_->finish();
    loop_.abandon();
  }
  // A server that starts with what the database has.
  void begin() {
    EventQueue::Limits limits;
    limits.dispatch.retries.max_retries = 0;
    if (queue_) ended_.push_back(std::move(queue_));
    queue_ =
        std::make_unique<EventQueue>(EventQueue::Parts{loop_, *database_, *commits_, store_thread_,
                                                       *catalog_, invoker_, *webhooks_, watched_},
                                     limits);
    ASSERT_TRUE(queue_->load());
    queue_->start();
  }
  void end() { run_on(loop_, queue_->stop(std::chrono::steady_clock::now() + 1s)); }

  void run_for(std::chrono::milliseconds time) {
    loop_.restart();
    loop_.run_for(time);
  }

  std::string accept(const std::string& id) {
    NewEvent event;
    event.id = id;
    event.function = "work";
    event.payload = "{}";
    const auto accepted = run_on(loop_, queue_->accept(event));
    EXPECT_TRUE(accepted);
    return id;
  }
  EventInfo find(const std::string& id) { return *run_on(loop_, queue_->find(id)); }
  void until(const std::string& id, EventState state) {
    const auto there = [&] { return find(id).state == state; };
    ASSERT_TRUE(run_until(loop_, there)) << to_string(find(id).state);
  }

  // Its only attempt so far called nothing.
  void until_not_called(const std::string& id) {
    const auto tried = [&] { return find(id).throttles == 1; };
    ASSERT_TRUE(run_until(loop_, tried)) << find(id).throttles;
  }

  FakeClock clock_;
  WatchedClock watched_{clock_};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<function::Catalog> catalog_;
  ScriptedInvoker invoker_;
  std::unique_ptr<store::GroupCommit> commits_;
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<WebhookSender> webhooks_;
  std::unique_ptr<EventQueue> queue_;
  std::vector<std::unique_ptr<EventQueue>> ended_;  // their last coroutines may not be over
  Loop loop_{1};
  BlockingPool store_thread_{"store", 1};
};

TEST_F(EventQueueTest, CarriesOutWhatIsAccepted) {
  accept("a");
  until("a", EventState::succeeded);
  EXPECT_EQ(run_on(loop_, queue_->result("a"))->payload, "\"done\"");
}

TEST_F(EventQueueTest, AnExceptionCostsOneAttemptAndNotTheQueue) {
  invoker_.throws = true;
  accept("a");
  until_not_called("a");
  EXPECT_EQ(find("a").state, EventState::waiting);
  EXPECT_EQ(find("a").attempts, 0);
  EXPECT_THAT(find("a").error_message, ::testing::HasSubstr("a defect"));
  invoker_.throws = false;
  clock_.advance(1min);
  until("a", EventState::succeeded);
}

TEST_F(EventQueueTest, WhatAStopCutsOffIsCarriedOutAgain) {
  invoker_.hold = invoker_.fails = true;
  accept("a");
  until("a", EventState::running);
  run_on(loop_, queue_->stop(std::chrono::steady_clock::now()));
  invoker_.release.set();
  run_for(500ms);
  EXPECT_EQ(find("a").state, EventState::running);
  invoker_.hold = invoker_.fails = false;
  begin();
  until("a", EventState::succeeded);
  EXPECT_THAT(invoker_.calls, ElementsAre("a", "a"));
}

TEST_F(EventQueueTest, WhatFailsBeforeTheEndOfAStopHasFailed) {
  invoker_.hold = invoker_.fails = true;
  accept("a");
  until("a", EventState::running);
  const auto stopped = begin_on(loop_, [](EventQueue& queue) -> Task<bool> {
    co_await queue.stop(std::chrono::steady_clock::now() + 20s);
    co_return true;
  }(*queue_));
  invoker_.release.set();
  ASSERT_TRUE(run_until(loop_, [&] { return stopped->done(); }));
  EXPECT_EQ(find("a").state, EventState::dead);
}

TEST_F(EventQueueTest, NothingBeginsOnceItIsPaused) {
  run_on(loop_, queue_->pause());
  accept("a");
  run_for(500ms);
  EXPECT_EQ(find("a").state, EventState::waiting);
  end();
  begin();
  until("a", EventState::succeeded);
}

TEST_F(EventQueueTest, WhatAClockThatWasAheadHasWrittenIsNotPutOff) {
  run_on(loop_, queue_->pause());
  clock_.advance(10h);
  accept("a");
  end();
  clock_.advance(-10h);
  begin();
  until("a", EventState::succeeded);
}

TEST_F(EventQueueTest, AClockThatIsAheadForAMomentPutsNothingOff) {
  invoker_.throws = true;
  clock_.set(72h);
  accept("a");
  until_not_called("a");
  clock_.set(-72h);
  invoker_.throws = false;
  until("a", EventState::succeeded);
}

TEST_F(EventQueueTest, AFunctionThatRestsIsNotPutOffByTheClock) {
  invoker_.throttles = true;
  clock_.set(72h);
  accept("a");
  until_not_called("a");
  clock_.set(-72h);
  invoker_.throttles = false;
  clock_.advance(1s);
  accept("b");
  until("b", EventState::succeeded);
}

TEST_F(EventQueueTest, NothingIsTooOldByAClockThatJumpedAhead) {
  invoker_.throws = true;
  accept("a");
  until_not_called("a");
  invoker_.throws = false;
  clock_.set(72h);
  until("a", EventState::succeeded);
}

TEST_F(EventQueueTest, AJumpDuringACallDoesNotUseUpItsRetries) {
  invoker_.hold = invoker_.throttles = true;
  accept("a");
  until("a", EventState::running);
  clock_.set(72h);
  invoker_.release.set();
  const auto tried = [this] { return find("a").throttles > 0; };
  ASSERT_TRUE(run_until(loop_, tried));
  run_for(300ms);
  EXPECT_EQ(find("a").throttles, 1);
  EXPECT_EQ(find("a").state, EventState::waiting);
  EXPECT_EQ(find("a").due, clock_.now() + 1s);
}

TEST_F(EventQueueTest, WhatIsTooOldByATimeThatPassedIsDead) {
  invoker_.throws = true;
  accept("a");
  until_not_called("a");
  clock_.advance(7h);
  until("a", EventState::dead);
}

TEST_F(EventQueueTest, WhatDiedByAClockThatWasAheadIsRedriven) {
  invoker_.fails = true;
  clock_.set(72h);
  accept("a");
  until("a", EventState::dead);
  clock_.set(-72h);
  invoker_.fails = false;
  const auto redriven = [this] { return *run_on(loop_, queue_->redrive_all("work")) == 1; };
  ASSERT_TRUE(run_until(loop_, redriven));
  until("a", EventState::succeeded);
}

TEST_F(EventQueueTest, ALongTokenIsRefused) {
  NewEvent event;
  event.id = "a";
  event.function = "work";
  event.token = std::string(kLongestToken + 1, 'k');
  const auto accepted = run_on(loop_, queue_->accept(event));
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().code(), ErrorCode::invalid);
}

TEST_F(EventQueueTest, AFunctionThatWasJustDeletedIsNotFound) {
  NewEvent event;
  event.id = "a";
  event.function = "gone";
  const auto accepted = run_on(loop_, queue_->accept(event));
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().code(), ErrorCode::not_found);
  EXPECT_THAT(accepted.error().message(), ::testing::HasSubstr("Function not found"));
  accept("b");
  until("b", EventState::succeeded);
}

TEST_F(EventQueueTest, OfAFunctionThatGoesNothingIsLeft) {
  run_on(loop_, queue_->pause());
  for (const char* id : {"a", "b", "c"}) accept(id);
  ASSERT_TRUE(run_on(loop_, queue_->clear("work")));
  EXPECT_FALSE(run_on(loop_, queue_->find("b")));
}

TEST_F(EventQueueTest, WhatIsForAVersionThatWentIsNotAccepted) {
  NewEvent event;
  event.id = "here";
  event.function = "work";
  event.qualifier = "1";
  event.payload = "{}";
  EXPECT_TRUE(run_on(loop_, queue_->accept(event)));
  event.id = "gone";
  event.qualifier = "7";
  const auto refused = run_on(loop_, queue_->accept(event));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::not_found);
  EXPECT_EQ(refused.error().message(), "\"work\" has no version 7 any more");
}

}  // namespace
}  // namespace lambda::events
