// One shard over scripted sandboxes: admission, payloads, HTTP functions, deploys, housekeeping.
#include "invoke/shard.h"

#include "function/package_store.h"
#include "http/server.h"
#include "invoke/sharded_invoker.h"
#include "pool/instance_fixture.h"

#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <sys/socket.h>
#include <thread>

namespace lambda::invoke {
namespace {

using pool::RuntimePtr;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

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
    Drivers drivers;
    drivers.native = &driver_;
    starter_ = std::make_unique<InstanceStarter>(drivers, runtimes_, *packages_, *logs_, clock_,
                                                 function::Tenant{});
    limits_.longest_wait = 20s;
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
  std::unique_ptr<InstanceStarter> starter_;
  pool::PoolLimits limits_;
  std::unique_ptr<pool::InstanceBudget> budget_ = std::make_unique<pool::InstanceBudget>(100);
  std::optional<int> reserved_;
  Site site_;
  std::unique_ptr<Shard> shard_;
};

// --- handlers

TEST_F(ShardTest, CarriesTheEventAndTheResponseVerbatim) {
  const auto first = outcome_of("{ \"a\" : [1]}");
  EXPECT_EQ(first.payload, "{ \"a\" : [1]}");
  EXPECT_EQ(first.error, FunctionError::none);
  EXPECT_EQ(first.executed_version, "7");
  EXPECT_TRUE(first.timing.cold);
  EXPECT_THAT(first.log_tail, StartsWith("START RequestId: 8f Version: 7\n"));
  EXPECT_FALSE(outcome_of("1").timing.cold);
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, TheLargestEventIsTakenAndALargerOneIsNot) {
  EXPECT_EQ(outcome_of(std::string(6291456, '1')).payload.size(), 6291456u);
  const auto refused = finish(shard().invoke(call(std::string(6291457, '1'))));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::too_large);
  EXPECT_EQ(refused.error().message(),
            "6291457 byte payload is too large for the RequestResponse invocation type (limit "
            "6291456 bytes)");
}

TEST_F(ShardTest, AnErrorOfTheHandlerIsItsOwnObject) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->post("invocation/" + event->id + "/error",
                           R"({ "errorType":"ValueError", "errorMessage":"no"})");
    co_await echo(runtime);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::handled);
  EXPECT_EQ(outcome.error_type, "ValueError");
  EXPECT_EQ(outcome.payload, R"({ "errorType":"ValueError", "errorMessage":"no"})");
  EXPECT_EQ(outcome_of("1").error, FunctionError::none);
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, ATimeoutIsToldAndTheNextCallGetsAnotherInstance) {
  set_timeout(1);
  driver_.script = silent;
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::timeout);
  EXPECT_EQ(
      outcome.payload,
      R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 8f Error: Task timed out after 1.00 seconds"})");
  driver_.script = echo;
  EXPECT_EQ(outcome_of("1").payload, "1");
}

TEST_F(ShardTest, AnExitIsToldInAwssWords) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    co_await runtime->next();
    sandbox::ExitStatus status;
    status.code = 127;
    runtime->exit(status);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::exit);
  EXPECT_EQ(
      outcome.payload,
      R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: 8f Error: Runtime exited with error: exit status 127"})");
}

TEST_F(ShardTest, AResponseThatIsTooLargeIsToldAndTheInstanceLivesOn) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->respond(event->id, std::string(sandbox::kMaxResponseBytes + 1, 'x'));
    co_await echo(runtime);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::response_too_large);
  EXPECT_THAT(outcome.payload, HasSubstr("Function.ResponseSizeTooLarge"));
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, AnInitThatFailsIsThePayloadOfTheCall) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("Traceback\n");
    co_await runtime->post("init/error", R"({"errorType":"Runtime.ImportModuleError"})");
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error, FunctionError::init);
  EXPECT_EQ(outcome.payload, R"({"errorType":"Runtime.ImportModuleError"})");
  EXPECT_EQ(outcome.error_type, "Runtime.ImportModuleError");
  EXPECT_THAT(outcome.log_tail, HasSubstr("Traceback\n"));
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
}

TEST_F(ShardTest, AnInvalidResponseModeIsToldInAwssWords) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    http::Headers headers;
    headers.add("Lambda-Runtime-Function-Response-Mode", "sometimes");
    co_await runtime->post("invocation/" + event->id + "/response", "1", std::move(headers));
    co_await echo(runtime);
  };
  const auto outcome = outcome_of("{}");
  EXPECT_EQ(outcome.error_type, "Runtime.InvalidResponseModeHeader");
  EXPECT_EQ(outcome_of("1").payload, "1");
}

// --- reserved concurrency

TEST_F(ShardTest, ReservedConcurrencyRefusesTheNextCall) {
  reserved_ = 1;
  driver_.script = silent;
  set_timeout(1);
  const auto running = begin(shard().invoke(call("1")));
  settle();
  const auto refused = finish(shard().invoke(call("2")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::overloaded);
  EXPECT_EQ(refused.error().aws_type(), "ReservedFunctionConcurrentInvocationLimitExceeded");
  ASSERT_TRUE(until([&] { return running->done(); }));
  driver_.script = echo;
  EXPECT_EQ(outcome_of("3").payload, "3");
}

TEST_F(ShardTest, ReservedConcurrencyOfAnHttpFunctionLastsAsLongAsItsConnection) {
  serve_http();
  reserved_ = 1;
  auto lease = finish(shard().open_http(target(), "8f"));
  ASSERT_TRUE(lease);
  auto refused = finish(shard().open_http(target(), "8f"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::overloaded);
  lease->reset();
  settle();
  EXPECT_TRUE(finish(shard().open_http(target(), "8f")));
  settle();
  // An event for it counts once.
  EXPECT_EQ(outcome_of("1").payload, "got 1");
}

// --- HTTP functions

TEST_F(ShardTest, AnEventForAnHttpFunctionIsPosted) {
  serve_http();
  const auto outcome = outcome_of("{\"a\":1}");
  EXPECT_EQ(outcome.payload, "got {\"a\":1}");
  EXPECT_EQ(outcome.content_type, "text/plain");
  EXPECT_EQ(site_.targets.back(), "POST /");
  const auto failed = outcome_of("\"fail\"");
  EXPECT_EQ(failed.error, FunctionError::handled);
  EXPECT_EQ(failed.error_type, "Http.500");
  EXPECT_EQ(failed.payload, "got \"fail\"");
}

TEST_F(ShardTest, ATooLargeAnswerOfAnHttpFunctionIsToldInAwssWords) {
  serve_http();
  EXPECT_EQ(outcome_of("\"large\"").error, FunctionError::response_too_large);
  EXPECT_EQ(outcome_of("1").payload, "got 1");
}

TEST_F(ShardTest, ATimeoutOfOneRequestDoesNotKillTheOthers) {
  serve_http();
  const auto slow = begin(shard().invoke(call("\"slow\"")));
  ASSERT_TRUE(until([&] { return site_.targets.size() == 1; }));
  set_timeout(1);
  const auto late = outcome_of("\"hang\"");
  EXPECT_EQ(late.error, FunctionError::timeout);
  ASSERT_TRUE(until([&] { return !site_.hanging; }));
  EXPECT_FALSE(driver_.runtimes.front()->stopped);
  site_.release.set();
  ASSERT_TRUE(until([&] { return slow->done(); }));
  ASSERT_TRUE(*slow->value);
  EXPECT_EQ((*slow->value)->payload, "got \"slow\"");
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(outcome_of("1").payload, "got 1");
  EXPECT_EQ(driver_.runtimes.size(), 2u);
}

TEST_F(ShardTest, AnInstanceThatServedAndListensNoMoreIsReplaced) {
  serve_http();
  EXPECT_EQ(outcome_of("1").payload, "got 1");
  settle();
  driver_.runtimes.front()->on_connect = {};
  EXPECT_EQ(outcome_of("2").payload, "got 2");
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(driver_.runtimes.size(), 2u);
}

TEST_F(ShardTest, APortThatIsClosedBeforeTheFirstRequestIsNamedAndItsOutputIsNot) {
  serve_http();
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->on_connect = [runtime = runtime.get()](const UniqueFd&) {
      runtime->say("closing my port\n");
      runtime->on_connect = {};
    };
    co_await runtime->exited.wait();
  };
  const auto failed = finish(shard().open_http(target(), "8f"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::function_failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("stopped listening"));
  EXPECT_THAT(failed.error().message(), Not(HasSubstr("closing my port"))) << "it is logged";
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

TEST_F(ShardTest, AConnectionWaitsAMomentForTheEndOfItsInstance) {
  serve_http();
  auto lease = finish(shard().open_http(target(), "8f"));
  ASSERT_TRUE(lease);
  // On the loop's next turns, as an exit comes after its closed connections.
  auto later = [](RuntimePtr runtime) -> Task<void> {
    co_await sleep_for(std::chrono::milliseconds(1));
    sandbox::ExitStatus status;
    status.code = 5;
    runtime->exit(status);
  };
  asio::co_spawn(*loop_, later(driver_.runtimes.front()), asio::detached);
  EXPECT_TRUE(finish((*lease)->ended_soon()));
}

TEST_F(ShardTest, AnHttpFunctionsLastOutputIsForWhoInvokesItAndNotInTheError) {
  serve_http();
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("no such module\n");
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
    co_return;
  };
  const auto failed = finish(shard().open_http(target(), "8f"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::function_failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("exit status 1"));
  EXPECT_THAT(failed.error().message(), Not(HasSubstr("no such module"))) << "it is logged";
  const auto outcome = outcome_of("1");
  EXPECT_THAT(outcome.payload, HasSubstr("exit status 1"));
  EXPECT_THAT(outcome.payload, HasSubstr("no such module"));
}

// --- deploys

TEST_F(ShardTest, APreparedInstanceServesTheFirstCallOfThePublishedVersion) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  version_ = make_version(function::Kind::handler, "published");
  shard().adopt(prepared, version_);
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_EQ(driver_.runtimes.size(), 1u);
}

TEST_F(ShardTest, APreparedInstanceIsGivenUpWhenTheVersionHasOneAlready) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  version_ = make_version(function::Kind::handler, "published");
  EXPECT_EQ(outcome_of("1").payload, "1");
  shard().adopt(prepared, version_);
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(outcome_of("2").payload, "2");
  EXPECT_EQ(driver_.runtimes.size(), 2u);
}

TEST_F(ShardTest, APreparedInstanceIsGivenUpWhenTheNumberBecameAnother) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  auto published = std::make_shared<function::Version>(*version_);
  published->number = 8;
  shard().adopt(prepared, published);
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

TEST_F(ShardTest, CodeThatFailsToInitialiseIsToldWithItsWordsAndLeavesNothing) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    runtime->say("Traceback\n");
    co_await runtime->post("init/error", R"({"errorType":"Runtime.UserCodeSyntaxError"})");
    sandbox::ExitStatus status;
    status.code = 1;
    runtime->exit(status);
  };
  Invoker::InitFailure failure;
  const auto prepared = finish(shard().prepare(version_, failure));
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::function_failed);
  EXPECT_EQ(failure.payload, R"({"errorType":"Runtime.UserCodeSyntaxError"})");
  EXPECT_THAT(failure.log, HasSubstr("Traceback\n"));
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
}

TEST_F(ShardTest, ARetiredVersionServesTheCallThatRuns) {
  set_timeout(3);
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 20ms);
    co_await runtime->respond(event->id, "\"old code\"");
    co_await runtime->exited.wait();
  };
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !driver_.runtimes.empty(); }));
  shard().retire(version_);
  ASSERT_TRUE(until([&] { return running->done(); }));
  ASSERT_TRUE(*running->value);
  EXPECT_EQ((*running->value)->payload, "\"old code\"");
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
}

TEST_F(ShardTest, AConnectionWithoutEndIsCutWhenARetiredVersionsTimeoutIsOver) {
  serve_http();
  set_timeout(1);
  auto lease = finish(shard().open_http(target(), "8f"));
  ASSERT_TRUE(lease);
  const auto begin = std::chrono::steady_clock::now();
  shard().retire(version_);
  settle();
  EXPECT_FALSE(driver_.runtimes.front()->stopped);
  EXPECT_TRUE(shard().runs(*version_));
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_LE(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_TRUE(until([&] { return !shard().runs(*version_); }));
}

TEST_F(ShardTest, AVersionRunsAsLongAsItHasAnInstance) {
  EXPECT_FALSE(shard().runs(*version_));
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_TRUE(shard().runs(*version_));
  EXPECT_FALSE(shard().runs(*make_version(function::Kind::handler, "another")));
  shard().retire(version_);
  EXPECT_TRUE(until([&] { return !shard().runs(*version_); }));
}

TEST_F(ShardTest, ACallThatHadAReplacedVersionAlreadyGetsAnInstanceForItAlone) {
  shard().set_standing([](const function::Resolved&) { return function::Standing::replaced; });
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(outcome_of("1").payload, "1");
    EXPECT_TRUE(until([&] { return driver_.runtimes.at(i)->stopped; }));
  }
  EXPECT_TRUE(until([&] { return budget_->used() == 0; }));
  EXPECT_FALSE(shard().runs(*version_));
}

TEST_F(ShardTest, ACallOfAFunctionThatWasDeletedMeanwhileStartsNothing) {
  shard().set_standing([](const function::Resolved&) { return function::Standing::deleted; });
  const auto handler = finish(shard().invoke(call("1")));
  ASSERT_FALSE(handler);
  EXPECT_EQ(handler.error().code(), ErrorCode::not_found);
  version_ = make_version(function::Kind::http);
  const auto http = finish(shard().open_http(target(), "8f"));
  ASSERT_FALSE(http);
  EXPECT_EQ(http.error().code(), ErrorCode::not_found);
  EXPECT_TRUE(driver_.runtimes.empty());
}

TEST_F(ShardTest, TheLogOfADeletedFunctionDoesNotComeBack) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 20ms);
    runtime->say("its last words\n");
    co_await runtime->respond(event->id, "1");
    co_await runtime->exited.wait();
  };
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !log_lines().empty(); }));
  logs_->forget(version_->function);
  shard().retire(version_);
  ASSERT_TRUE(until([&] { return running->done(); }));
  EXPECT_THAT((*running->value)->log_tail, HasSubstr("its last words\n"));
  EXPECT_TRUE(log_lines().empty());
  // The next function of that name has one.
  driver_.script = echo;
  version_ = make_version(function::Kind::handler, "another");
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_FALSE(log_lines().empty());
}

TEST_F(ShardTest, APreparedInstanceIsGivenUpWhenAFunctionOfItsNameWasDeletedMeanwhile) {
  Invoker::InitFailure failure;
  const auto prepared = version_;
  ASSERT_TRUE(finish(shard().prepare(prepared, failure)));
  logs_->forget(version_->function);
  version_ = make_version(function::Kind::handler, "published");
  shard().adopt(prepared, version_);
  EXPECT_TRUE(until([&] { return driver_.runtimes.front()->stopped; }));
  EXPECT_EQ(outcome_of("1").payload, "1");
  EXPECT_FALSE(log_lines().empty());
}

Task<Result<bool>> keep(std::vector<std::string>* answers, std::size_t wanted, std::string answer) {
  answers->push_back(std::move(answer));
  co_return answers->size() < wanted;
}

TEST_F(ShardTest, ABuiltInProgramGetsEventsUntilItsAnswersSufficeAndGivesItsRoomBack) {
  std::vector<std::string> argv{"/lambda/compile"};
  std::vector<std::string> answers;
  const Invoker::TakeAnswer three = [&answers](std::string answer) {
    return keep(&answers, 3, std::move(answer));
  };
  ASSERT_TRUE(finish(shard().run_builtin(version_, argv, 3s, three)));
  EXPECT_TRUE(log_lines().empty());  // it is no call of the function
  EXPECT_EQ(answers, std::vector<std::string>(3, "{}"));
  EXPECT_EQ(driver_.runtimes.size(), 1u);
  EXPECT_EQ(driver_.runtimes.front()->spec.argv, argv);
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
  EXPECT_EQ(budget_->used(), 0u);
  driver_.refusal = Error(ErrorCode::sandbox_failed, "no");
  EXPECT_FALSE(finish(shard().run_builtin(version_, argv, 3s, three)));
  EXPECT_EQ(budget_->used(), 0u);
}

TEST_F(ShardTest, WhatABuiltInProgramCannotAnswerIsNamed) {
  std::vector<std::string> answers;
  const Invoker::TakeAnswer one = [&answers](std::string answer) {
    return keep(&answers, 1, std::move(answer));
  };
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->respond(event->id, std::string(sandbox::kMaxResponseBytes + 1, 'x'));
    co_await runtime->exited.wait();
  };
  const auto large = finish(shard().run_builtin(version_, {"/lambda/compile"}, 10s, one));
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().message(), HasSubstr("response_too_large"));
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->post("invocation/" + event->id + "/error", R"({"errorType":"MemoryError"})");
    co_await runtime->exited.wait();
  };
  const auto error = finish(shard().run_builtin(version_, {"/lambda/compile"}, 10s, one));
  ASSERT_FALSE(error);
  EXPECT_THAT(error.error().message(), HasSubstr("MemoryError"));
  EXPECT_TRUE(answers.empty());
}

// --- housekeeping

TEST_F(ShardTest, AnIdleInstanceMakesRoomForAnotherFunction) {
  budget_ = std::make_unique<pool::InstanceBudget>(1);
  EXPECT_EQ(outcome_of("1").payload, "1");
  version_ = make_version(function::Kind::handler, "another");
  EXPECT_EQ(outcome_of("2").payload, "2");
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
}

TEST_F(ShardTest, WhenAllAreInUseHereAnotherShardIsAsked) {
  budget_ = std::make_unique<pool::InstanceBudget>(0);
  int asked = 0;
  shard().set_room_elsewhere([&asked] { ++asked; });
  const auto waiting = begin(shard().invoke(call("1")));
  settle();
  EXPECT_GE(asked, 1);
}

TEST_F(ShardTest, AfterItsStopItTakesNothing) {
  EXPECT_EQ(outcome_of("1").payload, "1");
  finish(shard().stop(std::chrono::steady_clock::now() + 5s));
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
  Invoker::InitFailure failure;
  EXPECT_EQ(finish(shard().invoke(call("1"))).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(finish(shard().prepare(version_, failure)).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(finish(shard().run_builtin(version_, {}, 1s, {})).error().code(),
            ErrorCode::unavailable);
}

TEST_F(ShardTest, AtItsDeadlineAStopEndsWhatStillRuns) {
  driver_.script = silent;
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !driver_.runtimes.empty(); }));
  finish(shard().stop(std::chrono::steady_clock::now() + 5ms));
  ASSERT_TRUE(until([&] { return running->done(); }));
  EXPECT_TRUE(driver_.runtimes.front()->stopped);
  EXPECT_EQ(budget_->used(), 0u);
}

TEST_F(ShardTest, AStopWaitsForTheCallsOfRetiredVersions) {
  driver_.script = [](RuntimePtr runtime) -> Task<void> {
    const auto event = co_await runtime->next();
    co_await runtime->exited.wait_until(std::chrono::steady_clock::now() + 20ms);
    co_await runtime->respond(event->id, "\"old code\"");
    co_await runtime->exited.wait();
  };
  const auto running = begin(shard().invoke(call("1")));
  ASSERT_TRUE(until([&] { return !driver_.runtimes.empty(); }));
  shard().retire(version_);
  finish(shard().stop(std::chrono::steady_clock::now() + 10s));
  ASSERT_TRUE(until([&] { return running->done(); }));
  ASSERT_TRUE(*running->value);
  EXPECT_EQ((*running->value)->payload, "\"old code\"");
}

// --- several loops

TEST_F(ShardTest, ACallFromAnotherLoopIsCarriedOutOnTheFunctionsHomeAndAnsweredOnItsOwn) {
  Loop home(1);
  auto keep = asio::make_work_guard(home);
  std::thread thread([&home] { home.run(); });
  {
    ShardedInvoker invoker({&home}, *starter_, limits_, 10, clock_);
    for (int i = 0; i < 50; ++i) {
      const auto outcome = finish(invoker.invoke(call(std::to_string(i))));
      ASSERT_TRUE(outcome);
      EXPECT_EQ(outcome->payload, std::to_string(i));
    }
    finish(invoker.stop(std::chrono::steady_clock::now() + 5s));
    EXPECT_EQ(invoker.budget().used(), 0u);
    auto drop = [this] { driver_.runtimes.clear(); };
    asio::post(home, std::move(drop));
    keep.reset();
    thread.join();
  }
}

}  // namespace
}  // namespace lambda::invoke
