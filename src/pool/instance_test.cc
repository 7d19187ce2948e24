#include "pool/instance.h"

#include "pool/instance_fixture.h"

#include <gmock/gmock.h>
#include <spdlog/fmt/fmt.h>

#include <csignal>

namespace lambda::pool {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

using Kind = Failure::Kind;

sandbox::ExitStatus exit_code(int code, std::string detail = {}) {
  sandbox::ExitStatus status;
  status.code = code;
  status.detail = std::move(detail);
  return status;
}

sandbox::ExitStatus exit_signal(int signal, bool out_of_memory = false) {
  sandbox::ExitStatus status;
  status.signal = signal;
  status.out_of_memory = out_of_memory;
  return status;
}

// Fetches one event, then ends as `status` says.
template <class Status>
ScriptedDriver::Script dies_in_its_call(Status status) {
  struct Body {
    static Task<void> run(RuntimePtr runtime, sandbox::ExitStatus how) {
      co_await runtime->next();
      runtime->exit(std::move(how));
    }
  };
  return [status](RuntimePtr runtime) { return Body::run(std::move(runtime), status); };
}

class InstanceTest : public InstanceFixture {
 public:
  ~InstanceTest() override {
    if (instance_) finish(instance_->end());
    instance_.reset();
    driver_.runtimes.clear();
    settle();
  }
  void start() {
    instance_ = make_instance();
    sandbox::SandboxSpec spec;
    auto started = finish(instance_->start(driver_, std::move(spec)));
    EXPECT_TRUE(started) << started.error().message();
  }
  Failure failed_call() {
    start();
    auto result = finish(instance_->call(event("8f"), 3s));
    EXPECT_FALSE(result.reply);
    return result.failure.value_or(Failure());
  }
  std::shared_ptr<Instance> instance_;
};

// --- initialisation

TEST_F(InstanceTest, IsReadyWhenItsRuntimeAsksForTheFirstEvent) {
  start();
  EXPECT_FALSE(instance_->init_failure());
  EXPECT_FALSE(instance_->ended().is_set());
}

TEST_F(InstanceTest, ADriverThatCannotStartItIsAnErrorWithItsReason) {
  driver_.refusal = Error(ErrorCode::sandbox_failed, "no cgroup");
  instance_ = make_instance();
  sandbox::SandboxSpec spec;
  const auto started = finish(instance_->start(driver_, std::move(spec)));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::sandbox_failed);
  EXPECT_EQ(started.error().message(), "start scripted sandbox for function greet: no cgroup");
}

TEST_F(InstanceTest, ItsCpuIsLimitedOnceItIsInitialisedAndNotBefore) {
  auto limited = std::make_shared<function::Version>(*version_);
  limited->configuration.cpu_thousandths = 250;
  version_ = limited;
  std::optional<unsigned> during_init;
  driver_.script = [&during_init](RuntimePtr runtime) -> Task<void> {
    during_init = runtime->cpu_thousandths;
    return echo(std::move(runtime));
  };
  start();
  EXPECT_EQ(during_init, 0u);
  EXPECT_EQ(driver_.runtimes.back()->cpu_thousandths, 250u);
}

TEST_F(InstanceTest, WithoutTheLimitThatItsFunctionAsksForItIsNotStarted) {
  auto limited = std::make_shared<function::Version>(*version_);
  limited->configuration.cpu_thousandths = 250;
  version_ = limited;
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->limit_refusal = Error(ErrorCode::unsupported, "no such controller");
    return echo(std::move(runtime));
  };
  instance_ = make_instance();
  sandbox::SandboxSpec spec;
  const auto started = finish(instance_->start(driver_, std::move(spec)));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message(), "limit function greet to 0.25 CPUs: no such controller");
}

// Out of memory or watches: the call fails, the sandbox goes, and the loop goes on.
TEST_F(InstanceTest, ASandboxThatTheLoopCannotWatchIsAnErrorAndIsStopped) {
  for (const bool log : {true, false}) {
    driver_.broken_log = log;
    driver_.broken_listener = !log;
    instance_ = make_instance();
    sandbox::SandboxSpec spec;
    const auto started = finish(instance_->start(driver_, std::move(spec)));
    ASSERT_FALSE(started);
    const std::string what = log ? "log" : "Runtime API socket";
    EXPECT_NE(started.error().message().find("watch the sandbox's " + what), std::string::npos)
        << started.error().message();
    EXPECT_TRUE(driver_.runtimes.back()->stopped);
    EXPECT_TRUE(instance_->ended().is_set());
  }
}

TEST_F(InstanceTest, AnInitErrorIsTheRuntimesOwnWords) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    http::Headers headers;
    headers.add("Lambda-Runtime-Function-Error-Type", "Runtime.ImportModuleError");
    runtime->say("Traceback (most recent call last):\n");
    co_await runtime->post("init/error", "{ \"errorType\":\"X\"}", std::move(headers));
    runtime->say("last words");
    runtime->exit(exit_code(129));
  };
  start();
  ASSERT_TRUE(instance_->init_failure());
  EXPECT_EQ(instance_->init_failure()->kind, Kind::init);
  EXPECT_EQ(instance_->init_failure()->type, "Runtime.ImportModuleError");
  EXPECT_EQ(instance_->init_failure()->payload, "{ \"errorType\":\"X\"}");
  EXPECT_EQ(instance_->init_log(), "Traceback (most recent call last):\nlast words\n");
  const auto lines = log_lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines.back(),
              testing::MatchesRegex("INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: init\tStatus: "
                                    "error\tError Type: Runtime.ImportModuleError"));
}

TEST_F(InstanceTest, ARuntimeThatEndsBeforeItsFirstNextFailedToInitialise) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->exit(exit_code(1));
    co_return;
  };
  start();
  ASSERT_TRUE(instance_->init_failure());
  EXPECT_EQ(instance_->init_failure()->type, "Runtime.ExitError");
  EXPECT_EQ(instance_->init_failure()->reason, "Runtime exited with error: exit status 1");
  const auto lines = log_lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0],
            "[lambda] the initialisation failed: Runtime exited with error: exit status 1");
  EXPECT_THAT(lines[1], EndsWith("\tStatus: error\tError Type: Runtime.ExitError"));
}

TEST_F(InstanceTest, WithoutABootstrapThePayloadNamesWhereItLooked) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->exit(
        exit_code(127, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"));
    co_return;
  };
  start();
  ASSERT_TRUE(instance_->init_failure());
  EXPECT_EQ(instance_->init_failure()->type, "Runtime.InvalidEntrypoint");
  EXPECT_EQ(instance_->init_failure()->reason,
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
}

TEST_F(InstanceTest, WhyAProgramCannotBeExecutedIsInTheLog) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->exit(exit_code(127, "cannot execute /x: Permission denied"));
    co_return;
  };
  start();
  ASSERT_TRUE(instance_->init_failure());
  EXPECT_EQ(instance_->init_failure()->reason, "Runtime exited with error: exit status 127");
  EXPECT_EQ(instance_->init_failure()->detail, "cannot execute /x: Permission denied");
  EXPECT_EQ(instance_->init_log(), "cannot execute /x: Permission denied\n");
}

TEST_F(InstanceTest, AnHttpFunctionIsReadyWhenItsPortTakesConnections) {
  version_ = make_version(function::Kind::http);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 5ms);
    runtime->on_connect = [](const UniqueFd&) {};
    co_await runtime->exited.wait();
  };
  start();
  EXPECT_FALSE(instance_->init_failure());
  EXPECT_TRUE(finish(instance_->connect()));
}

TEST_F(InstanceTest, AnHttpFunctionThatEndsBeforeItListensFailedToInitialise) {
  version_ = make_version(function::Kind::http);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("no such module\n");
    runtime->exit(exit_code(2));
    co_return;
  };
  start();
  ASSERT_TRUE(instance_->init_failure());
  EXPECT_THAT(instance_->init_failure()->reason,
              testing::AllOf(testing::HasSubstr("` ended before it listened on port"),
                             testing::HasSubstr("($PORT): exit status 2. ")));
  EXPECT_EQ(instance_->init_log(), "no such module\n");
}

// --- calls that fail, in the words of the contract

TEST_F(InstanceTest, ATimeoutNamesItsLimitAndEndsTheInstance) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    co_await runtime->next();
    runtime->say("working\n");
    co_await runtime->exited.wait();
  };
  start();
  const auto result = finish(instance_->call(event("8f"), 10ms));
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(result.failure->kind, Kind::timeout);
  EXPECT_EQ(result.failure->type, "Sandbox.Timedout");
  EXPECT_EQ(result.failure->reason, "Task timed out after 0.01 seconds");
  EXPECT_THAT(result.log_tail,
              HasSubstr("working\n2026-01-02T03:04:05.000Z 8f Task timed out after "
                        "0.01 seconds\nEND RequestId: 8f\nREPORT "));
  EXPECT_THAT(result.log_tail, EndsWith("\tStatus: timeout\n"));
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

TEST_F(InstanceTest, AnExitWithoutAReason) {
  driver_.script = dies_in_its_call(exit_code(0));
  const auto failure = failed_call();
  EXPECT_EQ(failure.type, "Runtime.ExitError");
  EXPECT_EQ(failure.reason, "Runtime exited without providing a reason");
}

TEST_F(InstanceTest, AnExitWithAStatus) {
  driver_.script = dies_in_its_call(exit_code(127));
  EXPECT_EQ(failed_call().reason, "Runtime exited with error: exit status 127");
}

TEST_F(InstanceTest, ADeathByASignal) {
  driver_.script = dies_in_its_call(exit_signal(SIGKILL));
  const auto failure = failed_call();
  EXPECT_EQ(failure.type, "Runtime.ExitError");
  EXPECT_EQ(failure.reason, "Runtime exited with error: signal: killed");
}

TEST_F(InstanceTest, ACrash) {
  driver_.script = dies_in_its_call(exit_signal(SIGSEGV));
  EXPECT_EQ(failed_call().reason, "Runtime exited with error: signal: segmentation fault");
}

TEST_F(InstanceTest, ADeathForMemory) {
  driver_.script = dies_in_its_call(exit_signal(SIGKILL, true));
  const auto failure = failed_call();
  EXPECT_EQ(failure.kind, Kind::out_of_memory);
  EXPECT_EQ(failure.type, "Runtime.OutOfMemory");
  EXPECT_EQ(failure.reason, "Runtime exited with error: signal: killed");
  // START, why, END, REPORT; and nothing more once it has ended.
  ASSERT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  const auto lines = log_lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[1], EndsWith(" Error: Runtime exited with error: signal: killed "
                                 "(Runtime.OutOfMemory)"));
  EXPECT_THAT(lines[1], StartsWith("RequestId: "));
  EXPECT_THAT(lines[2], StartsWith("END RequestId: "));
}

TEST_F(InstanceTest, ADeathBetweenCallsIsInTheLog) {
  start();
  driver_.runtimes.front()->exit(exit_signal(SIGKILL, true));
  ASSERT_TRUE(until([&] { return !log_lines().empty(); }));
  EXPECT_EQ(log_lines().front(),
            "[lambda] the instance ended by itself: Runtime exited with error: signal: killed "
            "(Runtime.OutOfMemory)");
}

TEST_F(InstanceTest, AnInstanceThatIsEndedSaysNothingOfIt) {
  start();
  finish(instance_->end());
  EXPECT_TRUE(log_lines().empty());
}

TEST_F(InstanceTest, ACallOnAnInstanceThatHasEndedFails) {
  start();
  driver_.runtimes.front()->exit(exit_code(0));
  ASSERT_TRUE(until([&] { return instance_->ended().is_set(); }));
  const auto result = finish(instance_->call(event("8f"), 3s));
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(result.failure->type, "Runtime.ExitError");
}

TEST_F(InstanceTest, AResponseCountsThoughTheRuntimeEndsRightAfterIt) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto got = co_await runtime->next();
    co_await runtime->respond(got->id, "done");
    runtime->exit(exit_code(0));
  };
  start();
  const auto result = finish(instance_->call(event("8f"), 3s));
  ASSERT_TRUE(result.reply);
  EXPECT_EQ(result.reply->body, "done");
  EXPECT_FALSE(finish(instance_->wait_until_ready_again()));
}

TEST_F(InstanceTest, EndingItEndsACallThatRuns) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    co_await runtime->next();
    co_await runtime->exited.wait();
  };
  start();
  const auto running = begin(instance_->call(event("8f"), 3s));
  settle();
  finish(instance_->end());
  ASSERT_TRUE(until([&] { return running->done(); }));
  EXPECT_TRUE(running->value->failure);
  finish(instance_->end());
}

TEST_F(InstanceTest, ACallThatNobodyHoldsTheInstanceForIsSafe) {
  driver_.script = dies_in_its_call(exit_code(1));
  start();
  const auto running = begin(instance_->call(event("8f"), 3s));
  instance_.reset();
  ASSERT_TRUE(until([&] { return running->done(); }));
  EXPECT_TRUE(running->value->failure);
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

// --- the log

TEST_F(InstanceTest, TheTailIsTheCallsOwnFromStartToReport) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("loading\n");
    while (true) {
      const auto got = co_await runtime->next();
      if (!got) co_return;
      runtime->say("one\ntwo");
      co_await runtime->respond(got->id, "{}");
    }
  };
  start();
  const auto first = finish(instance_->call(event("8f"), 3s));
  EXPECT_THAT(first.log_tail,
              StartsWith("START RequestId: 8f Version: 7\none\ntwo\nEND RequestId: 8f\nREPORT "
                         "RequestId: 8f\tDuration: "));
  EXPECT_THAT(first.log_tail, HasSubstr(" ms\tMemory Size: 128 MB\tMax Memory Used: 37 MB\tInit "
                                        "Duration: "));
  EXPECT_THAT(first.log_tail, EndsWith(" ms\t\n"));
  ASSERT_TRUE(finish(instance_->wait_until_ready_again()));
  const auto second = finish(instance_->call(event("90"), 3s));
  EXPECT_THAT(second.log_tail, StartsWith("START RequestId: 90 Version: 7\none\ntwo\nEND "));
  EXPECT_THAT(second.log_tail, Not(HasSubstr("Init Duration")));
  EXPECT_THAT(log_lines().front(), "loading");
}

TEST_F(InstanceTest, WhatWasWrittenBeforeTheResponseComesBeforeItsEnd) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    while (true) {
      const auto got = co_await runtime->next();
      if (!got) co_return;
      runtime->say("id " + got->id + "\n");
      co_await runtime->respond(got->id, "{}");
    }
  };
  start();
  for (int i = 0; i < 2000; ++i) {
    const auto id = std::to_string(i);
    const auto result = finish(instance_->call(event(id), 3s));
    ASSERT_THAT(result.log_tail, HasSubstr(fmt::format("\nid {0}\nEND RequestId: {0}\n", id)));
    ASSERT_TRUE(finish(instance_->wait_until_ready_again()));
  }
}

TEST_F(InstanceTest, ATailIsTheLastFourKilobytes) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto got = co_await runtime->next();
    for (int i = 0; i < 1000; ++i) runtime->say(std::to_string(i) + " some words of a log\n");
    co_await runtime->respond(got->id, "{}");
    co_await runtime->exited.wait();
  };
  start();
  const auto result = finish(instance_->call(event("8f"), 3s));
  EXPECT_EQ(result.log_tail.size(), 4096u);
  EXPECT_THAT(result.log_tail, HasSubstr("\n999 some words of a log\nEND RequestId: 8f\nREPORT "));
}

TEST_F(InstanceTest, ATailIsTextWhateverWasWritten) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto got = co_await runtime->next();
    runtime->say(
        "gr\xFC\xDF"
        "e\n");
    co_await runtime->respond(got->id, "{}");
    co_await runtime->exited.wait();
  };
  start();
  const auto result = finish(instance_->call(event("8f"), 3s));
  EXPECT_THAT(result.log_tail, HasSubstr("\ngr\xEF\xBF\xBD\xEF\xBF\xBD"
                                         "e\n"));
}

TEST_F(InstanceTest, AProcessThatKeepsThePipeOpenHoldsNothingUp) {
  driver_.script = dies_in_its_call(exit_code(1));
  start();
  // The script's end of the pipe stays open as a grandchild's would.
  const auto result = finish(instance_->call(event("8f"), 3s));
  EXPECT_THAT(result.log_tail, HasSubstr("END RequestId: 8f\n"));
  finish(instance_->end());
}

TEST_F(InstanceTest, AFloodWithoutANewlineIsCutAndSaysSo) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto got = co_await runtime->next();
    const std::string piece(16 * 1024, 'x');
    for (int i = 0; i < 64; ++i) {
      runtime->say(piece);
      // The reader gets its turn, as it would beside another process.
      co_await asio::post(co_await asio::this_coro::executor, kUseAwaitable);
    }
    co_await runtime->respond(got->id, "{}");
    co_await runtime->exited.wait();
  };
  start();
  const auto result = finish(instance_->call(event("8f"), 3s));
  ASSERT_TRUE(result.reply);
  std::size_t written = 0;
  for (const auto& line : log_lines()) {
    EXPECT_LT(line.size(), 400u * 1024);
    if (line.starts_with('x')) written += line.size();
  }
  constexpr std::string_view kCut = " ... (the rest of this line was cut)";
  EXPECT_EQ(written, 256u * 1024 + kCut.size());
}

TEST_F(InstanceTest, LinesOutsideOfCallsBelongToNone) {
  start();
  driver_.runtimes.front()->say("background\n");
  ASSERT_TRUE(until([&] { return !log_lines().empty(); }));
  observe::LogStore::Query query;
  query.function = "greet";
  const auto lines = logs_->recent(query);
  EXPECT_EQ(lines.front().request_id, "");
  EXPECT_EQ(lines.front().version, "7");
  EXPECT_EQ(lines.front().instance, "i");
}

}  // namespace
}  // namespace lambda::pool
