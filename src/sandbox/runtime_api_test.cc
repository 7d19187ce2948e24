// The Runtime API as a runtime sees it: bytes over a loopback socket.
#include "sandbox/runtime_api.h"

#include "base/encoding.h"
#include "base/loop_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <functional>
#include <netinet/in.h>
#include <sys/socket.h>

namespace lambda::sandbox {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kId = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

class RuntimeApiTest : public testing::Test {
 public:
  RuntimeApiTest() {
    UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.get(), generic, size), 0);
    EXPECT_EQ(::listen(listener.get(), 16), 0);
    EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
    address_ = address;
    auto opened = RuntimeApi::open(loop_.get_executor(), std::move(listener));
    EXPECT_TRUE(opened) << opened.error().message();
    api_ = std::move(*opened);
  }
  ~RuntimeApiTest() override {
    api_.reset();
    loop_.poll();
  }

  // Runs the loop until it holds; false when it does not within some seconds.
  bool until(const std::function<bool()>& holds) { return run_until(loop_, holds); }
  template <class T>
  std::shared_ptr<Begun<T>> begin(Task<T> task) {
    return begin_on(loop_, std::move(task));
  }
  template <class T>
  T finish(Task<T> task) {
    return run_on(loop_, std::move(task));
  }

  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_),
              0);
    return fd;
  }
  // Sends all of it, with the loop running as needed.
  void say(const UniqueFd& fd, std::string_view bytes) {
    EXPECT_TRUE(until([&] {
      const auto count = ::send(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
      return bytes.empty() || (count < 0 && errno != EAGAIN);
    }));
  }
  // What comes until `last` has been seen, or the connection ended.
  std::string hear(const UniqueFd& fd, std::string_view last) {
    std::string all;
    EXPECT_TRUE(until([&] {
      std::array<char, 65536> buffer;
      const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (count > 0) all.append(buffer.data(), static_cast<std::size_t>(count));
      return count == 0 || all.find(last) != std::string::npos;
    })) << "heard: "
        << all;
    return all;
  }

  static std::string post(std::string_view path, std::string_view body,
                          std::string_view headers = {}) {
    return fmt::format(
        "POST /2018-06-01/runtime/{} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n{}", path,
        body.size(), headers, body);
  }
  static std::string response_path() { return fmt::format("invocation/{}/response", kId); }
  static std::string error_path() { return fmt::format("invocation/{}/error", kId); }
  static RuntimeEvent event(std::string payload = "{}") {
    RuntimeEvent made;
    made.request_id = kId;
    made.payload = std::move(payload);
    made.invoked_arn = "arn:aws:lambda:us-east-1:000000000000:function:greet:live";
    made.trace_id = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
    made.deadline = std::chrono::sys_time<std::chrono::milliseconds>(1542409706888ms);
    return made;
  }

  // A runtime that has fetched the event of `running_`.
  UniqueFd busy_runtime(std::string payload = "{}") {
    auto fd = connect();
    say(fd, kNext);
    EXPECT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
    running_ = begin(api_->run(event(std::move(payload)), in(10s)));
    EXPECT_THAT(hear(fd, "\r\n\r\n{}"), StartsWith("HTTP/1.1 200 "));
    return fd;
  }
  RuntimeReply reply() {
    EXPECT_TRUE(until([&] { return running_->done(); }));
    EXPECT_TRUE(running_->value->has_value());
    return running_->value->value_or(RuntimeReply());
  }

  static constexpr std::string_view kNext =
      "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view kWrongState =
      R"({"errorMessage":"State transition is not allowed","errorType":"InvalidStateTransition"})";
  static constexpr std::string_view kAccepted = "{\"status\":\"OK\"}\n";

  Loop loop_{1};
  sockaddr_in address_{};
  std::unique_ptr<RuntimeApi> api_;
  std::shared_ptr<Begun<std::optional<RuntimeReply>>> running_;
};

TEST_F(RuntimeApiTest, TheFirstNextEndsTheInitialisation) {
  const auto waiting = begin(api_->wait_init(in(10s)));
  EXPECT_FALSE(api_->runtime_is_waiting());
  const auto runtime = connect();
  say(runtime, kNext);
  ASSERT_TRUE(until([&] { return waiting->done(); }));
  EXPECT_TRUE(waiting->value->value().ready);
  EXPECT_TRUE(api_->runtime_is_waiting());
}

TEST_F(RuntimeApiTest, AnEventComesWithItsHeadersAndItsBytes) {
  const auto runtime = connect();
  say(runtime, kNext);
  ASSERT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
  auto sent = event("{ \"a\" : 1}  ");
  sent.client_context = R"({"custom":{}})";
  const auto running = begin(api_->run(std::move(sent), in(10s)));
  const auto heard = hear(runtime, "1}  ");
  EXPECT_THAT(heard, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(heard, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(heard, HasSubstr(fmt::format("\r\nLambda-Runtime-Aws-Request-Id: {}\r\n", kId)));
  EXPECT_THAT(heard, HasSubstr("\r\nLambda-Runtime-Deadline-Ms: 1542409706888\r\n"));
  EXPECT_THAT(heard, HasSubstr("\r\nLambda-Runtime-Invoked-Function-Arn: "
                               "arn:aws:lambda:us-east-1:000000000000:function:greet:live\r\n"));
  EXPECT_THAT(heard, HasSubstr("\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-"));
  EXPECT_THAT(heard, HasSubstr("\r\nLambda-Runtime-Client-Context: {\"custom\":{}}\r\n"));
  EXPECT_THAT(heard, EndsWith("\r\n\r\n{ \"a\" : 1}  "));
}

TEST_F(RuntimeApiTest, NoClientContextNoHeader) {
  const auto runtime = connect();
  say(runtime, kNext);
  ASSERT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
  const auto running = begin(api_->run(event(), in(10s)));
  EXPECT_THAT(hear(runtime, "\r\n\r\n{}"), Not(HasSubstr("Client-Context")));
}

TEST_F(RuntimeApiTest, AnEventWaitsUntilTheRuntimeAsks) {
  const auto running = begin(api_->run(event(), in(10s)));
  loop_.poll();
  const auto runtime = connect();
  say(runtime, kNext);
  EXPECT_THAT(hear(runtime, "\r\n\r\n{}"), HasSubstr(kId));
}

TEST_F(RuntimeApiTest, AResponseIsCarriedAsItIs) {
  const auto runtime = busy_runtime();
  say(runtime, post(response_path(), " { \"x\": [1 ,2]}\n", "Content-Type: text/x\r\n"));
  const auto told = hear(runtime, kAccepted);
  EXPECT_THAT(told, StartsWith("HTTP/1.1 202 Accepted\r\n"));
  EXPECT_THAT(told, HasSubstr("\r\nContent-Type: application/json\r\n"));
  const auto got = reply();
  EXPECT_EQ(got.kind, RuntimeReply::Kind::response);
  EXPECT_EQ(got.body, " { \"x\": [1 ,2]}\n");
}

TEST_F(RuntimeApiTest, TheSameConnectionServesOneEventAfterAnother) {
  auto runtime = busy_runtime();
  for (int i = 0; i < 3; ++i) {
    say(runtime, post(response_path(), std::to_string(i)));
    hear(runtime, kAccepted);
    EXPECT_EQ(reply().body, std::to_string(i));
    EXPECT_FALSE(api_->runtime_is_waiting());
    say(runtime, kNext);
    EXPECT_TRUE(finish(api_->wait_until_waiting(in(10s))));
    running_ = begin(api_->run(event(), in(10s)));
    hear(runtime, "\r\n\r\n{}");
  }
}

TEST_F(RuntimeApiTest, ANewConnectionMayAskForTheNextEventAsSoonAsTheReplyIsThere) {
  auto runtime = busy_runtime();
  say(runtime, post(response_path(), "1"));
  hear(runtime, kAccepted);
  const auto other = connect();
  say(other, kNext);
  ASSERT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
  EXPECT_EQ(reply().body, "1");
}

TEST_F(RuntimeApiTest, AResponseBeforeTheFirstNextIsRefused) {
  const auto runtime = connect();
  say(runtime, post(response_path(), "1"));
  const auto told = hear(runtime, "}");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(told, EndsWith(kWrongState));
}

TEST_F(RuntimeApiTest, ASecondResponseIsRefused) {
  const auto runtime = busy_runtime();
  say(runtime, post(response_path(), "1"));
  hear(runtime, kAccepted);
  say(runtime, post(response_path(), "2"));
  EXPECT_THAT(hear(runtime, "}"), EndsWith(kWrongState));
  say(runtime, post(error_path(), "{}"));
  EXPECT_THAT(hear(runtime, "}"), EndsWith(kWrongState));
  EXPECT_EQ(reply().body, "1");
}

TEST_F(RuntimeApiTest, ASecondResponseIsRefusedWhileTheFirstIsOnItsWay) {
  const auto runtime = busy_runtime();
  const auto whole = post(response_path(), "12345");
  say(runtime, whole.substr(0, whole.size() - 2));
  loop_.poll();
  const auto other = connect();
  say(other, post(response_path(), "other"));
  EXPECT_THAT(hear(other, "}"), EndsWith(kWrongState));
  say(runtime, whole.substr(whole.size() - 2));
  hear(runtime, kAccepted);
  EXPECT_EQ(reply().body, "12345");
}

TEST_F(RuntimeApiTest, NextIsRefusedWhileAnEventIsUnanswered) {
  const auto runtime = busy_runtime();
  say(runtime, kNext);
  EXPECT_THAT(hear(runtime, "}"), EndsWith(kWrongState));
}

TEST_F(RuntimeApiTest, AnotherIdIsRefusedAndTheEventGoesOn) {
  const auto runtime = busy_runtime();
  say(runtime, post("invocation/another/response", "1"));
  const auto told = hear(runtime, "}");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(told,
              EndsWith(R"({"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"})"));
  say(runtime, post(response_path(), "2"));
  EXPECT_EQ(reply().body, "2");
}

TEST_F(RuntimeApiTest, TheLargestResponseIsTaken) {
  const auto runtime = busy_runtime();
  say(runtime, post(response_path(), std::string(6291556, 'x')));
  EXPECT_THAT(hear(runtime, kAccepted), StartsWith("HTTP/1.1 202 "));
  EXPECT_EQ(reply().body.size(), 6291556u);
}

TEST_F(RuntimeApiTest, ALargerResponseIsRefusedAndTheRuntimeLivesOn) {
  auto runtime = busy_runtime();
  say(runtime, post(response_path(), std::string(6291557, 'x')));
  const auto told = hear(runtime, "}");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(told, HasSubstr(R"("errorType":"RequestEntityTooLarge")"));
  EXPECT_THAT(told, HasSubstr("Exceeded maximum allowed payload size (6291556 bytes)."));
  EXPECT_EQ(reply().kind, RuntimeReply::Kind::response_too_large);
  runtime = connect();
  say(runtime, kNext);
  EXPECT_TRUE(finish(api_->wait_until_waiting(in(10s))));
}

TEST_F(RuntimeApiTest, ALargerChunkedResponseIsRefusedToo) {
  const auto runtime = busy_runtime();
  say(runtime, fmt::format("POST /2018-06-01/runtime/{} HTTP/1.1\r\nHost: h\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n",
                           response_path()));
  const std::string piece = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
  for (int i = 0; i < 7; ++i) say(runtime, piece);
  EXPECT_THAT(hear(runtime, "}"), StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(reply().kind, RuntimeReply::Kind::response_too_large);
}

TEST_F(RuntimeApiTest, AModeThatDoesNotExistIsRefused) {
  const auto runtime = busy_runtime();
  say(runtime, post(response_path(), "1", "Lambda-Runtime-Function-Response-Mode: sometimes\r\n"));
  const auto told = hear(runtime, "}");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(told, HasSubstr(R"("errorType":"InvalidFunctionResponseMode")"));
  EXPECT_EQ(reply().kind, RuntimeReply::Kind::invalid_mode);
}

constexpr std::string_view kStreamHead =
    "POST /2018-06-01/runtime/{} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
    "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    "Trailer: Lambda-Runtime-Function-Error-Type\r\n"
    "Trailer: Lambda-Runtime-Function-Error-Body\r\n"
    "Content-Type: application/vnd.awslambda.http-integration-response\r\n\r\n";

TEST_F(RuntimeApiTest, AStreamedResponseIsCarriedWithItsPrelude) {
  const auto runtime = busy_runtime();
  say(runtime, fmt::format(fmt::runtime(kStreamHead), response_path()));
  say(runtime, "12\r\n{\"statusCode\":201}\r\n");
  say(runtime, std::string("8\r\n\0\0\0\0\0\0\0\0\r\n", 13) + "4\r\nbody\r\n0\r\n\r\n");
  EXPECT_THAT(hear(runtime, kAccepted), StartsWith("HTTP/1.1 202 "));
  const auto got = reply();
  EXPECT_EQ(got.kind, RuntimeReply::Kind::response);
  EXPECT_EQ(got.body, "{\"statusCode\":201}" + std::string(8, '\0') + "body");
}

TEST_F(RuntimeApiTest, AStreamThatFailedHalfWayIsAnErrorByItsTrailers) {
  const auto runtime = busy_runtime();
  say(runtime, fmt::format(fmt::runtime(kStreamHead), response_path()));
  const std::string error = R"({"errorType":"RangeError","errorMessage":"no"})";
  say(runtime,
      "4\r\nbody\r\n0\r\nLambda-Runtime-Function-Error-Type: RangeError\r\n"
      "Lambda-Runtime-Function-Error-Body: " +
          base64_encode(error) + "\r\n\r\n");
  EXPECT_THAT(hear(runtime, kAccepted), StartsWith("HTTP/1.1 202 "));
  const auto got = reply();
  EXPECT_EQ(got.kind, RuntimeReply::Kind::error);
  EXPECT_EQ(got.error_type, "RangeError");
  EXPECT_EQ(got.body, error);
}

TEST_F(RuntimeApiTest, ATruncatedResponseIsRefusedAndMayBeFollowedByAnError) {
  const auto runtime = busy_runtime();
  const auto whole = post(response_path(), "12345");
  say(runtime, whole.substr(0, whole.size() - 2));
  ::shutdown(runtime.get(), SHUT_WR);
  const auto told = hear(runtime, "}");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(told, HasSubstr(R"("errorType":"TruncatedHTTPRequest")"));
  EXPECT_FALSE(running_->done());
  const auto other = connect();
  say(other, post(error_path(), "{}"));
  EXPECT_EQ(reply().kind, RuntimeReply::Kind::error);
}

TEST_F(RuntimeApiTest, ATruncatedErrorIsNoError) {
  const auto runtime = busy_runtime();
  const auto whole = post(error_path(), "12345");
  say(runtime, whole.substr(0, whole.size() - 2));
  ::shutdown(runtime.get(), SHUT_WR);
  EXPECT_THAT(hear(runtime, "}"), StartsWith("HTTP/1.1 400 "));
  EXPECT_FALSE(running_->done());
}

TEST_F(RuntimeApiTest, AnErrorIsCarriedAsItIs) {
  const auto runtime = busy_runtime();
  // The Node client puts a whole X-Ray cause into one line.
  say(runtime, post(error_path(), "{ \"errorType\":\"E\"}",
                    "Lambda-Runtime-Function-Error-Type: Runtime.E\r\n"
                    "Lambda-Runtime-Function-XRay-Error-Cause: " +
                        std::string(40 * 1024, 'c') + "\r\n"));
  EXPECT_THAT(hear(runtime, kAccepted), StartsWith("HTTP/1.1 202 "));
  const auto got = reply();
  EXPECT_EQ(got.kind, RuntimeReply::Kind::error);
  EXPECT_EQ(got.error_type, "Runtime.E");
  EXPECT_EQ(got.body, "{ \"errorType\":\"E\"}");
}

TEST_F(RuntimeApiTest, AnInitErrorEndsTheInitialisation) {
  const auto waiting = begin(api_->wait_init(in(10s)));
  const auto runtime = connect();
  say(runtime, post("init/error", "{\"errorType\":\"X\"}",
                    "Lambda-Runtime-Function-Error-Type: Runtime.ImportModuleError\r\n"));
  EXPECT_THAT(hear(runtime, kAccepted), StartsWith("HTTP/1.1 202 "));
  ASSERT_TRUE(until([&] { return waiting->done(); }));
  const auto& init = waiting->value->value();
  EXPECT_FALSE(init.ready);
  EXPECT_EQ(init.error_type, "Runtime.ImportModuleError");
  EXPECT_EQ(init.body, "{\"errorType\":\"X\"}");
  say(runtime, kNext);
  EXPECT_THAT(hear(runtime, "}"), EndsWith(kWrongState));
}

TEST_F(RuntimeApiTest, AnInitErrorAfterTheFirstNextIsRefused) {
  const auto runtime = busy_runtime();
  say(runtime, post("init/error", "{}"));
  EXPECT_THAT(hear(runtime, "}"), EndsWith(kWrongState));
}

TEST_F(RuntimeApiTest, AnInitialisationEndsAtItsDeadline) {
  EXPECT_FALSE(finish(api_->wait_init(in(5ms))));
}

TEST_F(RuntimeApiTest, AnEventEndsAtItsDeadline) {
  const auto runtime = connect();
  say(runtime, kNext);
  ASSERT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
  EXPECT_FALSE(finish(api_->run(event(), in(5ms))));
}

TEST_F(RuntimeApiTest, ANewerNextTakesOver) {
  auto first = connect();
  say(first, kNext);
  ASSERT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
  const auto second = connect();
  say(second, kNext);
  hear(first, "}");
  running_ = begin(api_->run(event(), in(10s)));
  EXPECT_THAT(hear(second, "\r\n\r\n{}"), HasSubstr(kId));
}

TEST_F(RuntimeApiTest, AnEventDoesNotGoToAConnectionThatWasLeft) {
  auto first = connect();
  say(first, kNext);
  ASSERT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
  first.reset();
  ASSERT_TRUE(until([&] { return !api_->runtime_is_waiting(); }));
  running_ = begin(api_->run(event(), in(10s)));
  loop_.poll();
  const auto second = connect();
  say(second, kNext);
  EXPECT_THAT(hear(second, "\r\n\r\n{}"), HasSubstr(kId));
}

TEST_F(RuntimeApiTest, WhoeverWaitsForARuntimeThatIsGoneGetsNothing) {
  const auto init = begin(api_->wait_init(in(10s)));
  const auto ready = begin(api_->wait_until_waiting(in(10s)));
  running_ = begin(api_->run(event(), in(10s)));
  loop_.poll();
  api_->abandon();
  ASSERT_TRUE(until([&] { return init->done() && ready->done() && running_->done(); }));
  EXPECT_FALSE(init->value->has_value());
  EXPECT_FALSE(*ready->value);
  EXPECT_FALSE(running_->value->has_value());
  EXPECT_FALSE(finish(api_->run(event(), in(10s))));
}

TEST_F(RuntimeApiTest, CloseEndsWhatWaitsAndWaitsForTheRest) {
  auto idle = connect();
  say(idle, post(response_path(), "1"));
  hear(idle, "}");
  auto waits = connect();
  say(waits, kNext);
  ASSERT_TRUE(until([&] { return api_->runtime_is_waiting(); }));
  auto closing = [](RuntimeApi& api) -> Task<bool> {
    co_await api.close();
    co_return true;
  };
  const auto closed = begin(closing(*api_));
  hear(waits, "the end of the connection");
  EXPECT_FALSE(closed->done());
  idle.reset();
  EXPECT_TRUE(until([&] { return closed->done(); }));
}

TEST_F(RuntimeApiTest, WhatItDoesNotServeIs404) {
  for (const char* path : {"/", "/2018-06-01/runtime/nothing", "/2020-01-01/extension/register",
                           "/2018-06-01/runtime/invocation/8/nothing"}) {
    const auto client = connect();
    say(client, fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", path));
    EXPECT_THAT(hear(client, "}"), StartsWith("HTTP/1.1 404 ")) << path;
  }
}

}  // namespace
}  // namespace lambda::sandbox
