// What a shard tells of its calls: one record for each that ends, however it ends.
#include "invoke/shard_fixture.h"

#include <gmock/gmock.h>

namespace lambda::invoke {
namespace {

using observe::CallEnd;
using observe::CallRecord;
using observe::CallSource;
using observe::CallStep;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Keeps what it is told, with texts of its own.
class Recording final : public observe::CallSink {
 public:
  struct Kept {
    explicit Kept(const CallRecord& told)
        : call(told),
          request_id(told.request_id),
          function(told.function),
          version(told.version),
          trace_id(told.amzn_trace_id),
          instance(told.instance),
          error_type(told.error_type),
          reason(told.reason) {}
    CallRecord call;
    std::string request_id;
    std::string function;
    std::string version;
    std::string trace_id;
    std::string instance;
    std::string error_type;
    std::string reason;
    [[nodiscard]] std::vector<CallStep> steps() const {
      std::vector<CallStep> all;
      for (const auto& step : call.steps()) all.push_back(step.step);
      return all;
    }
  };
  void record(const CallRecord& call) noexcept override { kept.emplace_back(call); }
  std::vector<Kept> kept;
};

class ShardRecordTest : public ShardTest {
 public:
  ShardRecordTest() { shard().set_sink(&sink_); }
  const Recording::Kept& only() {
    EXPECT_EQ(sink_.kept.size(), 1u);
    static const Recording::Kept none{CallRecord()};
    return sink_.kept.empty() ? none : sink_.kept.back();
  }
  Recording sink_;
};

TEST_F(ShardRecordTest, AColdCallAndAWarmOneAreToldWithTheirSteps) {
  auto cold = call("{\"a\":1}");
  cold.source = CallSource::queue;
  cold.attempt = 2;
  cold.accepted = clock_.now() - 3s;
  ASSERT_TRUE(finish(shard().invoke(std::move(cold))));
  const auto& first = only();
  EXPECT_EQ(first.request_id, "8f");
  EXPECT_EQ(first.function, "greet");
  EXPECT_EQ(first.version, "7");
  EXPECT_EQ(first.trace_id, "Root=1-0");
  EXPECT_EQ(first.instance.size(), 16u);
  EXPECT_EQ(first.call.source, CallSource::queue);
  EXPECT_EQ(first.call.attempt, 2);
  EXPECT_EQ(first.call.accepted, clock_.now() - 3s);
  EXPECT_EQ(first.call.begin, clock_.now());
  EXPECT_TRUE(first.call.cold);
  EXPECT_FALSE(first.call.http);
  EXPECT_EQ(first.call.end, CallEnd::success);
  EXPECT_EQ(first.call.payload_bytes, 7u);
  EXPECT_EQ(first.call.response_bytes, 7u);
  EXPECT_NE(first.call.find(CallStep::sandbox), nullptr);
  const auto* const init = first.call.find(CallStep::init);
  const auto* const handler = first.call.find(CallStep::handler);
  const auto* const response = first.call.find(CallStep::response);
  ASSERT_TRUE(init != nullptr && handler != nullptr && response != nullptr);
  EXPECT_GE(handler->begin, init->begin + init->duration);
  EXPECT_LE((response->begin + response->duration - first.call.total).count(), 1);

  ASSERT_TRUE(finish(shard().invoke(call("1"))));
  ASSERT_EQ(sink_.kept.size(), 2u);
  EXPECT_FALSE(sink_.kept.back().call.cold);
  EXPECT_THAT(sink_.kept.back().steps(), ElementsAre(CallStep::handler, CallStep::response));
  EXPECT_EQ(sink_.kept.back().instance, sink_.kept.front().instance);
}

class FrozenRecordTest : public ShardTest {
 public:
  FrozenRecordTest() {
    limits_.freeze_after = 1ms;
    shard().set_sink(&sink_);
  }
  Recording sink_;
};

TEST_F(FrozenRecordTest, AThawIsAStepOfTheCallThatCameNext) {
  ASSERT_TRUE(finish(shard().invoke(call("1"))));
  clock_.advance(1ms);
  ASSERT_TRUE(until([&] { return driver_.runtimes.front()->frozen; }));
  ASSERT_TRUE(finish(shard().invoke(call("2"))));
  ASSERT_EQ(sink_.kept.size(), 2u);
  EXPECT_FALSE(sink_.kept.back().call.cold);
  EXPECT_THAT(sink_.kept.back().steps(),
              ElementsAre(CallStep::thaw, CallStep::handler, CallStep::response));
}

TEST_F(ShardRecordTest, WhatADeployStartedIsNoStepOfTheFirstCall) {
  Invoker::InitFailure failure;
  ASSERT_TRUE(finish(shard().prepare(version_, failure)));
  EXPECT_TRUE(sink_.kept.empty());
  ASSERT_TRUE(finish(shard().invoke(call("1"))));
  EXPECT_TRUE(only().call.cold);
  EXPECT_THAT(only().steps(), ElementsAre(CallStep::handler, CallStep::response));
}

TEST_F(ShardRecordTest, AFunctionThatFailsIsToldWithItsError) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->post("invocation/" + event->id + "/error", R"({"errorType":"ValueError"})");
    co_await echo(runtime);
  };
  outcome_of("{}");
  EXPECT_EQ(only().call.end, CallEnd::handler_error);
  EXPECT_EQ(only().error_type, "ValueError");
  EXPECT_TRUE(observe::is_function_error(only().call.end));
}

TEST_F(ShardRecordTest, AnInitThatFailsIsToldWithWhatItTook) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
    co_return;
  };
  outcome_of("{}");
  EXPECT_EQ(only().call.end, CallEnd::init_error);
  EXPECT_EQ(only().error_type, "Runtime.ExitError");
  EXPECT_TRUE(only().call.cold);
  EXPECT_NE(only().call.find(CallStep::init), nullptr);
  EXPECT_EQ(only().call.find(CallStep::handler), nullptr);
}

TEST_F(ShardRecordTest, ATimeoutIsToldWithTheTimeThatTheHandlerHad) {
  set_timeout(1);
  driver_.script = silent;
  outcome_of("{}");
  EXPECT_EQ(only().call.end, CallEnd::timeout);
  ASSERT_NE(only().call.find(CallStep::handler), nullptr);
  EXPECT_GE(only().call.find(CallStep::handler)->duration, 1s);
}

TEST_F(ShardRecordTest, WhatDoesNotReachTheFunctionIsToldWithItsReason) {
  const auto too_large = finish(shard().invoke(call(std::string(kMaxPayloadBytes + 1, '1'))));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(only().call.end, CallEnd::refused);
  EXPECT_THAT(only().reason, HasSubstr("too large"));
  EXPECT_EQ(only().call.payload_bytes, kMaxPayloadBytes + 1);
  sink_.kept.clear();

  reserved_ = 0;
  ASSERT_FALSE(finish(shard().invoke(call("1"))));
  EXPECT_EQ(only().call.end, CallEnd::throttled);
  EXPECT_EQ(only().reason, "Rate Exceeded.");
  EXPECT_EQ(only().instance, "");
  EXPECT_TRUE(only().steps().empty());
  sink_.kept.clear();
  reserved_.reset();

  driver_.refusal = Error(ErrorCode::sandbox_failed, "no cgroup");
  ASSERT_FALSE(finish(shard().invoke(call("1"))));
  EXPECT_EQ(only().call.end, CallEnd::sandbox_failed);
  EXPECT_THAT(only().reason, HasSubstr("no cgroup"));
  EXPECT_THAT(only().steps(), ElementsAre(CallStep::waiting));
}

TEST_F(ShardRecordTest, AnEventForAnHttpFunctionIsToldOnceWithItsStatus) {
  serve_http();
  outcome_of("\"fail\"");
  EXPECT_EQ(only().call.end, CallEnd::handler_error);
  EXPECT_EQ(only().call.status, 500u);
  EXPECT_TRUE(only().call.http);
  EXPECT_NE(only().call.find(CallStep::response), nullptr);
}

TEST_F(ShardRecordTest, ARequestForAnHttpFunctionIsToldWhenItsLeaseIsGivenBack) {
  serve_http();
  auto lease = finish(shard().open_http(http_call()));
  ASSERT_TRUE(lease);
  settle();
  EXPECT_TRUE(sink_.kept.empty());
  auto& use = (*lease)->use();
  use.head = std::chrono::steady_clock::now();
  use.status = 404;
  use.payload_bytes = 3;
  use.response_bytes = 9;
  lease->reset();
  settle();
  EXPECT_EQ(only().request_id, "8f");
  EXPECT_EQ(only().call.source, CallSource::url);
  EXPECT_EQ(only().call.end, CallEnd::success);
  EXPECT_EQ(only().call.status, 404u);
  EXPECT_EQ(only().call.payload_bytes, 3u);
  EXPECT_EQ(only().call.response_bytes, 9u);
  EXPECT_NE(only().call.find(CallStep::handler), nullptr);
  EXPECT_NE(only().call.find(CallStep::response), nullptr);
  sink_.kept.clear();

  lease = finish(shard().open_http(http_call()));
  ASSERT_TRUE(lease);
  (*lease)->use().error = FunctionError::timeout;
  lease->reset();
  settle();
  EXPECT_EQ(only().call.end, CallEnd::timeout);
  EXPECT_EQ(only().error_type, "Sandbox.Timedout");
  EXPECT_EQ(only().call.find(CallStep::response), nullptr);
  sink_.kept.clear();

  // What it says of itself counts, whether or not anybody heard the end of it.
  lease = finish(shard().open_http(http_call()));
  ASSERT_TRUE(lease);
  (*lease)->use().head = std::chrono::steady_clock::now();
  (*lease)->use().status = 503;
  (*lease)->use().client_gone = true;
  lease->reset();
  settle();
  EXPECT_EQ(only().call.end, CallEnd::handler_error);
  EXPECT_EQ(only().error_type, "Http.503");
  EXPECT_EQ(only().call.status, 503u);
  sink_.kept.clear();

  lease = finish(shard().open_http(http_call()));
  ASSERT_TRUE(lease);
  (*lease)->use().client_gone = true;
  lease->reset();
  settle();
  EXPECT_EQ(only().call.end, CallEnd::client_gone);
}

TEST_F(ShardRecordTest, AnHttpFunctionThatEndsAtItsStartIsTold) {
  version_ = make_version(function::Kind::http);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    sandbox::ExitStatus status;
    status.code = 3;
    runtime->exit(status);
    co_return;
  };
  ASSERT_FALSE(finish(shard().open_http(http_call())));
  EXPECT_EQ(only().call.end, CallEnd::init_error);
  EXPECT_NE(only().call.find(CallStep::init), nullptr);
}

TEST_F(ShardRecordTest, ProgramsOfTheServersOwnAreNotTold) {
  auto take = [](std::string) -> Task<Result<bool>> { co_return false; };
  ASSERT_TRUE(finish(shard().run_builtin(version_, {"/compile"}, 2s, take)));
  EXPECT_TRUE(sink_.kept.empty());
}

TEST(CallFanOut, HandsEveryRecordToAllOfItsSinks) {
  Recording first;
  Recording second;
  observe::CallFanOut both({&first, &second});
  CallRecord call;
  call.request_id = "8f";
  both.record(call);
  EXPECT_EQ(first.kept.at(0).request_id, "8f");
  EXPECT_EQ(second.kept.at(0).request_id, "8f");
}

}  // namespace
}  // namespace lambda::invoke
