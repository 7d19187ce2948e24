// For the tests of the scheduler: with a real database (in memory) and a real queue; the clock is
// moved by hand.
#pragma once

#include "base/blocking.h"
#include "base/loop_runner.h"
#include "events/scheduler/scheduler.h"
#include "events/webhook/sender.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"
#include "store/master_key.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <boost/json.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

namespace lambda::events {

// Answers, fails, or leaves a call open until `release`.
class ScriptedInvoker final : public invoke::RefusingInvoker {
 public:
  Task<Result<invoke::Outcome>> invoke(invoke::Call call) override {
    payloads.push_back(call.payload);
    if (hold) co_await release.wait();
    invoke::Outcome outcome;
    outcome.payload = "\"done\"";
    outcome.executed_version = "1";
    if (fails) outcome.error = invoke::FunctionError::exit;
    co_return outcome;
  }

  std::vector<std::string> payloads;
  bool fails = false;
  bool hold = false;
  AsyncEvent release;
};

class SchedulerTest : public testing::Test {
 public:
  template <class T>
  auto await(Task<T> task) {
    return run_on(loop_, std::move(task));
  }
  template <class Condition>
  void until(Condition condition) {
    ASSERT_TRUE(run_until(loop_, condition));
  }

  SchedulerTest() {
    database_ = std::move(*store::Database::open_in_memory());
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{},
                                                  store::MasterKey::ephemeral()));
    for (const char* name : {"greet", "other"}) add_function(name);
    commits_ = std::make_unique<store::GroupCommit>(*database_, store_thread_);
    webhooks_ = std::make_unique<WebhookSender>(
        WebhookSender::Parts{*catalog_, master_, store_thread_, clock_}, WebhookSender::Options());
    make();
  }
  ~SchedulerTest() override {
    end();
    store_thread_.finish();
    webhooks_->finish();
    loop_.abandon();
  }

  // A server that starts with what the database has.
  void make() {
    // What the loop still has of an earlier one goes with the loop.
    if (scheduler_) ended_schedulers_.push_back(std::move(scheduler_));
    if (queue_) ended_queues_.push_back(std::move(queue_));
    queue_ =
        std::make_unique<EventQueue>(EventQueue::Parts{loop_, *database_, *commits_, store_thread_,
                                                       *catalog_, invoker_, *webhooks_, watched_},
                                     EventQueue::Limits());
    scheduler_ = std::make_unique<Scheduler>(
        Scheduler::Parts{loop_, *database_, *commits_, store_thread_, *queue_, *catalog_, clock_});
    ASSERT_TRUE(queue_->load());
    ASSERT_TRUE(scheduler_->load());
  }
  void end() {
    if (started_) {
      await(scheduler_->stop());
      await(queue_->stop(std::chrono::steady_clock::now() + std::chrono::seconds(1)));
    }
    started_ = false;
  }
  // The loops of both; without, fire_due() is called by hand and nothing is carried out.
  void start() {
    queue_->start();
    scheduler_->start();
    started_ = true;
  }

  void add_function(const std::string& name) {
    function::DeployCommit commit;
    commit.function = name;
    commit.configuration.runtime = "python3.11";
    commit.configuration.handler = "app.handler";
    commit.code.sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    commit.code.package_digest = std::string(64, 'a');
    ASSERT_TRUE(catalog_->commit_deploy(std::move(commit)));
  }

  static ScheduleDefinition definition(const std::string& expression,
                                       const std::string& name = "default") {
    ScheduleDefinition definition;
    definition.function = "greet";
    definition.name = name;
    definition.expression = expression;
    return definition;
  }
  void save(const ScheduleDefinition& definition) {
    auto saved = await(scheduler_->save(definition));
    ASSERT_TRUE(saved) << saved.error().message();
  }
  void fire_at(std::chrono::milliseconds step) {
    clock_.advance(step);
    await(scheduler_->fire_due());
  }
  std::vector<FiringInfo> firings(const std::string& name = "default") {
    auto shown = await(scheduler_->show("greet", name, 5, 2'000));
    EXPECT_TRUE(shown);
    return shown ? shown->firings : std::vector<FiringInfo>();
  }
  std::vector<EventInfo> waiting() {
    EventTable::Listing listing;
    listing.function = "greet";
    listing.state = EventState::waiting;
    listing.limit = 1'000;
    return std::move(*await(queue_->list(listing)));
  }

  FakeClock clock_;  // 03:04:05
  WatchedClock watched_{clock_};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<function::Catalog> catalog_;
  ScriptedInvoker invoker_;
  std::unique_ptr<store::GroupCommit> commits_;
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<WebhookSender> webhooks_;
  std::vector<std::unique_ptr<EventQueue>> ended_queues_;
  std::vector<std::unique_ptr<Scheduler>> ended_schedulers_;
  std::unique_ptr<EventQueue> queue_;
  std::unique_ptr<Scheduler> scheduler_;
  bool started_ = false;
  Loop loop_{1};
  BlockingPool store_thread_{"store", 1};
};

}  // namespace lambda::events
