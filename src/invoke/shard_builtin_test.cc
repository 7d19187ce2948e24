// The built-in programs of a runtime, run on a shard.
#include "invoke/shard_fixture.h"

#include <gmock/gmock.h>

namespace lambda::invoke {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

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

}  // namespace
}  // namespace lambda::invoke
