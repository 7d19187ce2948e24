// What the tests of instances share: a loop, a script that runs in every sandbox, a log store in a
// temporary directory, and instances made of them. For tests alone; one thread.
#pragma once

#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "observe/log_store.h"
#include "pool/instance.h"
#include "sandbox/scripted_driver.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lambda::pool {

using sandbox::ScriptedDriver;
using sandbox::ScriptedRuntime;
using RuntimePtr = ScriptedDriver::RuntimePtr;

class InstanceFixture : public testing::Test {
 public:
  InstanceFixture() {
    auto opened = observe::LogStore::open(directory_ / "logs", clock_);
    EXPECT_TRUE(opened);
    logs_ = std::move(*opened);
    version_ = make_version(function::Kind::handler);
  }
  ~InstanceFixture() override {
    loop_.reset();
    logs_.reset();
  }

  // A runtime that answers every event with its own payload.
  static Task<void> echo(RuntimePtr runtime) {
    auto same = [](const ScriptedRuntime::Event& event) { return event.payload; };
    std::function<std::string(const ScriptedRuntime::Event&)> answer = same;
    co_await runtime->serve(std::move(answer));
  }
  static function::VersionPtr make_version(function::Kind kind, std::string revision = "r1") {
    auto version = std::make_shared<function::Version>();
    version->function = "greet";
    version->number = 7;
    version->revision_id = std::move(revision);
    version->configuration.runtime = "provided";
    version->configuration.kind = kind;
    version->configuration.timeout_seconds = 3;
    return version;
  }
  static sandbox::RuntimeEvent event(std::string id, std::string payload = "{}") {
    sandbox::RuntimeEvent made;
    made.request_id = std::move(id);
    made.payload = std::move(payload);
    return made;
  }

  Loop& loop() { return *loop_; }
  // Runs what is ready, and nothing that waits for time or a socket.
  void settle() {
    loop_->restart();
    loop_->poll();
  }
  // Runs the loop until it holds; false when it does not within some seconds.
  bool until(const std::function<bool()>& holds) { return run_until(*loop_, holds); }
  template <class T>
  std::shared_ptr<Begun<T>> begin(Task<T> task) {
    return begin_on(*loop_, std::move(task));
  }
  template <class T>
  T finish(Task<T> task) {
    return run_on(*loop_, std::move(task));
  }

  std::vector<std::string> log_lines() {
    observe::LogStore::Query query;
    query.function = "greet";
    query.limit = 100'000;
    std::vector<std::string> lines;
    for (auto& line : logs_->recent(query)) lines.push_back(std::move(line.text));
    return lines;
  }
  std::shared_ptr<Instance> make_instance() {
    const Instance::Services services{logs_->source(version_->function), clock_};
    return std::make_shared<Instance>(loop_->get_executor(), version_, "i", services);
  }

  TemporaryDirectory temporary_;
  std::filesystem::path directory_ = temporary_.path();
  std::unique_ptr<observe::LogStore> logs_;
  FakeClock clock_;
  ScriptedDriver driver_{echo};
  function::VersionPtr version_;
  std::unique_ptr<Loop> loop_ = std::make_unique<Loop>(1);
};

}  // namespace lambda::pool
