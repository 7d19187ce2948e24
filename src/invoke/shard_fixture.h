// What the tests of a shard share: one over scripted sandboxes, calls to it, and the server of an
// HTTP function in such a sandbox. For tests alone; one thread.
#pragma once

#include "function/package_store.h"
#include "http/server.h"
#include "invoke/instance_starter.h"
#include "invoke/shard.h"
#include "pool/instance_fixture.h"
#include "store/database.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::invoke {

using pool::RuntimePtr;

// The server of an HTTP function, in a sandbox.
class Site final : public http::Handler {
 public:
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override {
    auto bytes = co_await http::read_all(body, 8u << 20);
    if (!bytes) co_return;
    targets.push_back(request.method + " " + request.target);
    if (*bytes == "\"hang\"") {
      hanging = true;
      co_await writer.client_gone().wait();
      hanging = false;
      co_return;
    }
    if (*bytes == "\"slow\"") co_await release.wait();
    if (*bytes == "\"large\"") bytes = std::string(sandbox::kMaxResponseBytes + 1, 'x');
    const bool fails = *bytes == "\"fail\"";
    http::Response answer(fails ? 500 : 200, "text/plain", "got " + *bytes);
    co_await writer.send(std::move(answer));
  }
  std::vector<std::string> targets;
  AsyncEvent release;
  bool hanging = false;
};

class ShardTest : public pool::InstanceFixture {
 public:
  ShardTest() {
    std::filesystem::create_directories(directory_ / "runtimes" / "provided" / "rootfs");
    std::ofstream(directory_ / "runtimes" / "provided" / "runtime.json")
        << R"({"name":"provided","family":"provided","argv":["/bootstrap"]})";
    runtimes_ = *sandbox::RuntimeCatalog::load(directory_ / "runtimes");
    packages_ = *function::PackageStore::open(directory_ / "data");
    database_ = std::move(*store::Database::open_in_memory());
    secrets_ = std::move(*function::SecretTable::load(*database_, clock_, function::Tenant{},
                                                      store::MasterKey::ephemeral()));
    Drivers drivers;
    drivers.native = &driver_;
    starter_ = std::make_unique<InstanceStarter>(drivers, runtimes_, *packages_, *secrets_, *logs_,
                                                 clock_, function::Tenant{});
    limits_.longest_wait = std::chrono::seconds(20);
    limits_.http_slots = 4;
  }
  ~ShardTest() override {
    site_.release.set();
    if (shard_) finish(shard_->stop(std::chrono::steady_clock::now()));
    EXPECT_EQ(budget_->used(), 0u);
    driver_.runtimes.clear();
    settle();
    shard_.reset();
    settle();
  }
  Shard& shard() {
    if (!shard_) shard_ = std::make_unique<Shard>(*loop_, *starter_, limits_, *budget_, clock_);
    return *shard_;
  }
  function::Resolved target() {
    auto function = std::make_shared<function::Function>();
    function->name = version_->function;
    function->latest = version_;
    function->reserved_concurrency = reserved_;
    function::Resolved resolved;
    resolved.function = function;
    resolved.version = version_;
    return resolved;
  }
  Call call(std::string payload) {
    Call made;
    made.target = target();
    made.payload = std::move(payload);
    made.request_id = "8f";
    made.trace_id = "Root=1-0";
    made.invoked_arn = "arn";
    return made;
  }
  HttpCall http_call() {
    HttpCall made;
    made.target = target();
    made.request_id = "8f";
    made.trace_id = "Root=1-0";
    return made;
  }
  Outcome outcome_of(std::string payload) {
    auto outcome = finish(shard().invoke(call(std::move(payload))));
    EXPECT_TRUE(outcome) << outcome.error().message();
    return outcome ? std::move(*outcome) : Outcome();
  }
  void serve_http() {
    version_ = make_version(function::Kind::http);
    driver_.script = http_script();
  }
  sandbox::ScriptedDriver::Script http_script() {
    return [this](RuntimePtr runtime) { return run_site(this, std::move(runtime)); };
  }
  static Task<void> run_site(ShardTest* test, RuntimePtr runtime) {
    runtime->on_connect = [test](UniqueFd fd) {
      asio::co_spawn(*test->loop_, serve(test, std::move(fd)), asio::detached);
    };
    co_await runtime->exited.wait();
  }
  static Task<void> serve(ShardTest* test, UniqueFd fd) {
    http::Peer peer;
    http::ServerLimits limits;
    co_await http::serve_connection(std::move(fd), std::move(peer), test->site_, limits);
  }
  static Task<void> silent(RuntimePtr runtime) {
    co_await runtime->next();
    co_await runtime->exited.wait();
  }
  void set_timeout(int seconds) {
    auto changed = std::make_shared<function::Version>(*version_);
    changed->configuration.timeout_seconds = seconds;
    version_ = changed;
  }

  sandbox::RuntimeCatalog runtimes_;
  std::unique_ptr<function::PackageStore> packages_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<function::SecretTable> secrets_;
  std::unique_ptr<InstanceStarter> starter_;
  pool::PoolLimits limits_;
  std::unique_ptr<pool::InstanceBudget> budget_ = std::make_unique<pool::InstanceBudget>(100);
  std::optional<int> reserved_;
  Site site_;
  std::unique_ptr<Shard> shard_;
};

}  // namespace lambda::invoke
