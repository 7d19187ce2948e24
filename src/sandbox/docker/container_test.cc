// Containers that the Engine makes too late, or says nothing about, with an Engine that does as it
// is told.
#include "sandbox/docker/container.h"

#include "base/deadline.h"
#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "http/server.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

namespace lambda::sandbox::docker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Answers creations with silence, or by hanging up; what it was asked to delete is not there at
// first.
class Engine final : public http::Handler {
 public:
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override {
    http::Response response;
    response.headers.add("Api-Version", "1.41");
    if (request.target.find("/containers/create") != std::string::npos) {
      [[maybe_unused]] const auto read = co_await http::read_all(body, 4096);
      ++creations;
      if (silent) co_await answer_at_last.wait_until(in(seconds(20)));
      if (hangs_up) {
        response.headers.add("Content-Length", "100");
        [[maybe_unused]] const auto begun = co_await writer.start(std::move(response));
        co_return;  // which closes the connection
      }
    } else if (request.method == "DELETE") {
      deletions.push_back(request.target);
      response.status = deletions.size() <= absent_for ? 404 : 204;
    }
    [[maybe_unused]] const auto sent = co_await writer.send(std::move(response));
  }

  bool silent = false;
  bool hangs_up = false;
  std::size_t absent_for = 0;
  AsyncEvent answer_at_last;
  unsigned creations = 0;
  std::vector<std::string> deletions;
};

class LateContainers : public testing::Test {
 protected:
  void SetUp() override {
    http::ListenAddress address;
    address.unix_path = directory_.path() / "docker.sock";
    auto listening = http::listen_on(address);
    ASSERT_TRUE(listening) << listening.error().message();
    server_.emplace(std::vector<Loop*>{&loop_}, engine_, http::ServerLimits{});
    server_->add_listener(std::move(*listening));
    client_ = std::make_shared<EngineClient>(address.unix_path, users_);
  }
  void TearDown() override {
    engine_.answer_at_last.set();
    run_on(loop_, server_->drain(in(seconds(5))));
    loop_.abandon();
  }

  std::shared_ptr<Container> make(milliseconds limit) {
    auto control = ControlSocket::make(directory_.path() / "one");
    EXPECT_TRUE(control) << control.error().message();
    auto container =
        std::make_shared<Container>(loop_.get_executor(), client_, std::move(*control));
    container->volumes = {"lambda-one-0"};
    run_on(loop_, make_container(container, "lambda-one", "{}", limit));
    return container;
  }

  BlockingPool users_{"users", 1};
  Loop loop_{1};
  const TemporaryDirectory directory_;
  Engine engine_;
  std::optional<http::Server> server_;
  std::shared_ptr<EngineClient> client_;
};

const std::vector<std::string> kUntilItIsThere{
    "/v1.41/containers/lambda-one?force=1&v=1", "/v1.41/containers/lambda-one?force=1&v=1",
    "/v1.41/containers/lambda-one?force=1&v=1", "/v1.41/volumes/lambda-one-0"};

TEST_F(LateContainers, OneWhoseCreationIsNotAnsweredInTimeIsRemovedWhenItAppears) {
  engine_.silent = true;
  engine_.absent_for = 2;
  const auto container = make(milliseconds(100));
  ASSERT_TRUE(container->error);
  EXPECT_EQ(container->error->code(), ErrorCode::timeout);
  ASSERT_TRUE(
      run_until(loop_, [this] { return engine_.deletions.size() == kUntilItIsThere.size(); }));
  EXPECT_EQ(engine_.deletions, kUntilItIsThere);
}

TEST_F(LateContainers, OneWhoseCreationIsCutOffIsRemovedWhenItAppears) {
  engine_.hangs_up = true;
  engine_.absent_for = 2;
  const auto container = make(seconds(5));
  ASSERT_TRUE(container->error);
  EXPECT_EQ(engine_.creations, 1u);
  ASSERT_TRUE(
      run_until(loop_, [this] { return engine_.deletions.size() == kUntilItIsThere.size(); }));
  EXPECT_EQ(engine_.deletions, kUntilItIsThere);
}

TEST(Container, ThereIsNothingToRemoveWhereNothingWasAskedFor) {
  const Error timeout(ErrorCode::timeout, "late");
  EXPECT_TRUE(leaves_open(timeout, true));
  EXPECT_FALSE(leaves_open(timeout, false));
  EXPECT_TRUE(leaves_open(Error(ErrorCode::unavailable, "cut off"), true));
  EXPECT_FALSE(leaves_open(Error(ErrorCode::not_found, "no such image"), true));
}

}  // namespace
}  // namespace lambda::sandbox::docker
