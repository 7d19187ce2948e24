// Answers that last, and what happens to them when the key that asked is none any more.
#include "access/caller_watch.h"

#include "api/api_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::api {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class CallerWatchTest : public ApiTest {
 protected:
  CallerWatchTest() { add_function("greet"); }
  static access::Caller holder_of(const store::KeyPtr& key) {
    access::Caller caller;
    caller.has_key = true;
    caller.access_key = key->id;
    caller.expires = key->expires;
    return caller;
  }
  store::KeyPtr key_until(WallTime end) {
    return keys_->create("ends", *store::Grants::make("read", {}), end).value();
  }
  void say(const std::string& text) {
    observe::LogLine line;
    line.time = clock_.now();
    line.text = text;
    logs_->source("greet")->append(std::move(line));
  }
  bool written(const Asked& asked, std::string_view text) {
    return run_until(loop_, [&] { return asked.writer.written.find(text) != std::string::npos; });
  }
  void run_for_a_while() {
    loop_.restart();
    loop_.run_for(20ms);
  }

  std::vector<std::string> said_;
  std::function<void(const Error&)> note_ = [this](const Error& error) {
    said_.push_back(error.message());
  };
};

TEST_F(CallerWatchTest, TellsOnceOfARevocationAndOfNoOther) {
  const auto key = make_key("ci", "read");
  const auto other = make_key("other", "read");
  auto services = this->services();
  const access::CallerWatch watch(services.keys, services.clock, holder_of(key),
                                  loop_.get_executor(), note_);
  ASSERT_TRUE(keys_->revoke(other->id));
  run_for_a_while();
  EXPECT_TRUE(said_.empty());
  ASSERT_TRUE(keys_->revoke(key->id));
  EXPECT_TRUE(said_.empty());  // on the loop alone
  run_for_a_while();
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_THAT(said_[0], HasSubstr("The key \"ci\" was revoked at 2026-"));
}

TEST_F(CallerWatchTest, TellsOfAKeyThatWasRevokedBeforeItWatched) {
  const auto key = make_key("ci", "read");
  ASSERT_TRUE(keys_->revoke(key->id));
  auto services = this->services();
  const access::CallerWatch watch(services.keys, services.clock, holder_of(key),
                                  loop_.get_executor(), note_);
  run_for_a_while();
  EXPECT_EQ(said_.size(), 1u);
}

TEST_F(CallerWatchTest, TellsOfTheEndOfAKeyWithinASecond) {
  const auto key = key_until(clock_.now() + 1h);
  auto services = this->services();
  const access::CallerWatch watch(services.keys, services.clock, holder_of(key),
                                  loop_.get_executor(), note_);
  run_for_a_while();
  EXPECT_TRUE(said_.empty());
  clock_.advance(1h);
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until(loop_, [this] { return !said_.empty(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s);
  EXPECT_THAT(said_[0], HasSubstr("the key \"ends\" ended at 2026-"));
}

TEST_F(CallerWatchTest, IsSilentOnceItIsGone) {
  const auto key = make_key("ci", "read");
  auto services = this->services();
  {
    const access::CallerWatch watch(services.keys, services.clock, holder_of(key),
                                    loop_.get_executor(), note_);
    ASSERT_TRUE(keys_->revoke(key->id));
  }
  run_for_a_while();
  EXPECT_TRUE(said_.empty());
}

TEST_F(CallerWatchTest, PeopleOnTheSocketHaveNoKeyToLose) {
  access::Caller person;
  person.access_key = "root";
  auto services = this->services();
  const access::CallerWatch watch(services.keys, services.clock, person, loop_.get_executor(),
                                  note_);
  run_for_a_while();
  EXPECT_TRUE(said_.empty());
  EXPECT_TRUE(access::check_caller(services.keys, services.clock, person));
}

TEST_F(CallerWatchTest, ALogThatIsFollowedEndsWithTheKeyAndShowsNoLineMore) {
  const auto key = make_key("ci", "read");
  const auto asked = ask(asking(key, "GET", "/_lambda/functions/greet/logs?follow=true"), "");
  ASSERT_TRUE(written(*asked, ": here"));
  say("before");
  ASSERT_TRUE(written(*asked, "before"));
  ASSERT_TRUE(keys_->revoke(key->id));
  say("after");
  finish(*asked);
  EXPECT_TRUE(asked->writer.finished);
  EXPECT_THAT(asked->writer.written,
              HasSubstr("event: denied\ndata: {\"message\":\"The security token included in the "
                        "request is invalid. The key \\\"ci\\\" was revoked at "));
  EXPECT_THAT(asked->writer.written, Not(HasSubstr("after")));
}

TEST_F(CallerWatchTest, ALogThatIsFollowedEndsWhenTheKeyDoes) {
  const auto key = key_until(clock_.now() + 1h);
  const auto asked = ask(asking(key, "GET", "/_lambda/functions/greet/logs?follow=true"), "");
  ASSERT_TRUE(written(*asked, ": here"));
  clock_.advance(1h);
  finish(*asked);
  EXPECT_THAT(asked->writer.written, HasSubstr("event: denied\n"));
  EXPECT_THAT(asked->writer.written, HasSubstr("ended at"));
}

// What a deploy that waits for its client waits for.
AsyncEvent* abandoned = nullptr;

TEST_F(CallerWatchTest, ADeploysLinesEndWithTheKeyAndTheBuildToo) {
  const auto key = make_key("ci", "deploy");
  AsyncEvent event;
  abandoned = &event;
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    progress.begin_step(2, "Installing dependencies");
    progress.when_abandoned([] { abandoned->set(); });
    co_await abandoned->wait();
    progress.output("more output");
    co_return fail(ErrorCode::unavailable, "the client went away");
  };
  auto request = asking(key, "POST", "/_lambda/functions/greet/deploy");
  request.headers.add("X-Lambda-Settings", base64_encode(R"({"source":"zip"})"));
  const auto asked = ask(std::move(request), "");
  ASSERT_TRUE(written(*asked, "Installing"));
  ASSERT_TRUE(keys_->revoke(key->id));
  finish(*asked);
  EXPECT_TRUE(asked->writer.finished);
  EXPECT_THAT(asked->writer.written, HasSubstr(R"("event":"error")"));
  EXPECT_THAT(asked->writer.written, HasSubstr("was revoked at"));
  EXPECT_THAT(asked->writer.written, Not(HasSubstr("more output")));
  EXPECT_THAT(asked->writer.written, Not(HasSubstr("went away")));
}

TEST_F(CallerWatchTest, ADeployIsAskedAgainWhetherItMay) {
  const auto key = make_key("ci", "deploy");
  auto request = asking(key, "POST", "/_lambda/functions/greet/deploy");
  request.headers.add("X-Lambda-Settings", base64_encode(R"({"source":"zip"})"));
  deployer_.admit = [this, key] { (void)keys_->revoke(key->id); };
  const auto asked = ask(std::move(request), "");
  finish(*asked);
  ASSERT_TRUE(asked->writer.sent);
  EXPECT_EQ(asked->writer.sent->status, 403u);
  EXPECT_THAT(asked->writer.sent->body, HasSubstr("was revoked at"));
}

}  // namespace
}  // namespace lambda::api
