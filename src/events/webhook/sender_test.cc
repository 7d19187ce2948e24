// The sender against a receiver on loopback whose bytes a test writes itself.
#include "events/webhook/sender.h"

#include "base/loop_runner.h"
#include "base/unique_fd.h"
#include "events/webhook/signature.h"
#include "store/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <future>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace lambda::events {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Takes one connection, reads a request, and does what `script` says with the socket.
class Receiver {
 public:
  using Script = std::function<void(int socket)>;
  explicit Receiver(Script script) : script_(std::move(script)) {
    listening_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listening_.get(), 8), 0);
    socklen_t length = sizeof(address);
    ::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Receiver() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1",
                                const std::string& path = "/") const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }
  [[nodiscard]] const std::string& request() const { return request_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve() {
    while (true) {
      const UniqueFd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return;
      ++connections_;
      std::string text;
      std::array<char, 4096> piece{};
      while (text.find("[1]") == std::string::npos) {
        const auto count = ::read(socket.get(), piece.data(), piece.size());
        if (count <= 0) break;
        text.append(piece.data(), static_cast<std::size_t>(count));
      }
      request_ = text;
      script_(socket.get());
    }
  }

  Script script_;
  UniqueFd listening_;
  std::uint16_t port_ = 0;
  std::string request_;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

Receiver::Script says(std::string bytes) {
  return [bytes = std::move(bytes)](int socket) {
    EXPECT_GT(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
  };
}

class SenderTest : public testing::Test {
 public:
  SenderTest() {
    function::Configuration configuration;
    configuration.runtime = "python3.11";
    configuration.handler = "app.handler";
    configuration.role = "arn:aws:iam::000000000000:role/r";
    function::Code code;
    code.sha256 = "x";
    code.package_digest = "x";
    auto made = catalog_->create_function("work", configuration, code, {}, false);
    EXPECT_TRUE(made) << made.error().message();
  }

  Result<WebhookAnswer> send(const std::string& url, const std::vector<std::string>& allowed,
                             std::chrono::milliseconds timeout = 10s) {
    const auto sender = make_sender(allowed, timeout);
    return send(*sender, url);
  }

  std::unique_ptr<WebhookSender> make_sender(
      const std::vector<std::string>& allowed, std::chrono::milliseconds timeout,
      const egress::AddressSystem& system = egress::AddressSystem()) {
    WebhookSender::Options options;
    std::vector<egress::Network> networks;
    for (const auto& text : allowed) networks.push_back(*egress::Network::parse(text));
    options.rules = egress::AddressRules(networks);
    options.timeout = timeout;
    options.user_agent = "lambdad/test";
    options.system = system;
    const WebhookSender::Parts parts{*catalog_, master_, pool_, clock_};
    return std::make_unique<WebhookSender>(parts, options);
  }

  Result<WebhookAnswer> send(WebhookSender& sender, const std::string& url) {
    ClaimedEvent delivery;
    delivery.event.id = "e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01";
    delivery.event.function = "work";
    delivery.event.url = url;
    delivery.event.payload = "[1]";
    delivery.event.client_context = context_;
    secret_ = sender.secret("work").value_or("");
    return run_on(loop_, sender.send(delivery, trace_));
  }

  Loop loop_;
  FakeClock clock_;
  std::unique_ptr<store::Database> database_ = std::move(*store::Database::open_in_memory());
  std::unique_ptr<function::Catalog> catalog_ = std::move(*function::Catalog::load(
      *database_, clock_, function::Tenant(), store::MasterKey::ephemeral()));
  store::MasterKey master_ = store::MasterKey::ephemeral();
  BlockingPool pool_{"test", 1};
  std::string context_;
  invoke::CallTrace trace_;
  std::string secret_;
  const std::vector<std::string> loopback_ = {"127.0.0.0/8"};
};

TEST_F(SenderTest, SendsOneSignedPost) {
  const Receiver receiver(says("HTTP/1.1 204 No Content\r\n\r\n"));
  const auto answer = send(receiver.url("127.0.0.1", "/in?a=b"), loopback_);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 204u);
  const auto signature =
      webhook_signature(secret_, "e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01", 1767323045, "[1]");
  EXPECT_THAT(receiver.request(),
              AllOf(HasSubstr("POST /in?a=b HTTP/1.1\r\n"),
                    HasSubstr("\r\nHost: " + receiver.url().substr(7, receiver.url().size() - 8)),
                    HasSubstr("\r\nContent-Type: application/json\r\n"),
                    HasSubstr("\r\nUser-Agent: lambdad/test\r\n"),
                    HasSubstr("\r\nwebhook-id: e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01\r\n"),
                    HasSubstr("\r\nwebhook-timestamp: 1767323045\r\n"),
                    HasSubstr("\r\nwebhook-signature: " + signature + "\r\n"),
                    HasSubstr("\r\nContent-Length: 3\r\n"), HasSubstr("\r\n\r\n[1]")));
}

TEST_F(SenderTest, AttributesOfADeadLetterAreHeadersAndNothingMore) {
  const Receiver receiver(says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  context_ = R"({"custom":{"ErrorMessage":"a\r\nX-Evil: 1","RequestID":"r"}})";
  ASSERT_TRUE(send(receiver.url(), loopback_));
  EXPECT_THAT(receiver.request(), AllOf(HasSubstr("\r\nErrorMessage: a  X-Evil: 1\r\n"),
                                        HasSubstr("\r\nRequestID: r\r\n")));
}

TEST_F(SenderTest, TheRequestIsASpanOfItsTrace) {
  const std::string kept = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  trace_ = invoke::TraceRules().resume({"", kept, "a=1"}, "id", clock_.now());
  const auto span = observe::hex_of(trace_.context.span);
  EXPECT_NE(span, "b7ad6b7169203331");
  {
    const Receiver receiver(says("HTTP/1.1 204 No Content\r\n\r\n"));
    ASSERT_TRUE(send(receiver.url(), loopback_));
    EXPECT_THAT(
        receiver.request(),
        AllOf(HasSubstr("\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-" + span + "-01\r\n"),
              HasSubstr("\r\ntracestate: a=1\r\n")));
  }
  trace_.state.clear();
  const Receiver receiver(says("HTTP/1.1 204 No Content\r\n\r\n"));
  ASSERT_TRUE(send(receiver.url(), loopback_));
  EXPECT_THAT(receiver.request(), Not(HasSubstr("tracestate")));
}

TEST_F(SenderTest, ConnectsToNoAddressThatIsRefused) {
  const Receiver receiver(says("HTTP/1.1 200 OK\r\n\r\n"));
  for (const char* host : {"127.0.0.1", "localhost", "x.localhost", "[::ffff:127.0.0.1]"}) {
    const auto answer = send(receiver.url(host), {});
    ASSERT_FALSE(answer) << host;
    EXPECT_EQ(answer.error().code(), ErrorCode::denied) << host;
    EXPECT_THAT(answer.error().message(), HasSubstr("a loopback address")) << host;
  }
  EXPECT_EQ(receiver.connections(), 0);
}

// What /etc/hosts or DNS says is checked like what stands in the URL.
TEST_F(SenderTest, ANameIsJudgedByItsAddress) {
  std::array<char, 256> name{};
  ASSERT_EQ(::gethostname(name.data(), name.size() - 1), 0);
  const auto answer = send("http://" + std::string(name.data()) + ":9/", {});
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().code() == ErrorCode::denied ||
              answer.error().code() == ErrorCode::unavailable)
      << answer.error().message();
}

// What was found is known for a while, but no longer than it is any good.
TEST_F(SenderTest, AReceiverThatMovedIsLookedUpAnew) {
  const Receiver receiver(says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  std::atomic<std::size_t> asked{0};
  egress::AddressSystem system;
  system.host = [&asked](const std::string&) -> Result<egress::Addresses> {
    const std::array<const char*, 3> in_turn = {"10.0.0.1", "127.0.0.2", "127.0.0.1"};
    return egress::Addresses{
        boost::asio::ip::make_address(in_turn.at(std::min<std::size_t>(asked++, 2)))};
  };
  const auto sender = make_sender(loopback_, 10s, system);
  const auto url = receiver.url("moves.example.org");
  EXPECT_EQ(send(*sender, url).error().code(), ErrorCode::denied);
  EXPECT_EQ(send(*sender, url).error().code(), ErrorCode::unavailable);
  for (int i = 0; i < 2; ++i) {
    const auto answer = send(*sender, url);
    ASSERT_TRUE(answer) << answer.error().message();
  }
  EXPECT_EQ(asked, 3u);
}

TEST_F(SenderTest, ARedirectIsAnAnswerAndNotFollowed) {
  const Receiver elsewhere(says("HTTP/1.1 200 OK\r\n\r\n"));
  const Receiver receiver(
      says("HTTP/1.1 302 Found\r\nLocation: " + elsewhere.url() + "\r\nContent-Length: 0\r\n\r\n"));
  const auto answer = send(receiver.url(), loopback_);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 302u);
  EXPECT_EQ(answer->location, elsewhere.url());
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST_F(SenderTest, OneThatDoesNotAnswerEndsWithTheDeadline) {
  std::promise<void> over;
  auto waits = over.get_future().share();
  const Receiver receiver([waits](int) { waits.wait_for(20s); });
  const auto began = std::chrono::steady_clock::now();
  const auto answer = send(receiver.url(), loopback_, 300ms);
  over.set_value();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST_F(SenderTest, AnEndlessBodyIsNotReadToItsEnd) {
  const Receiver receiver([](int socket) {
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    while (::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0)
      bytes.assign(64 * 1024, 'x');
  });
  const auto answer = send(receiver.url(), loopback_);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 200u);
}

TEST_F(SenderTest, ABodyThatDripsIsNotReadToItsEnd) {
  const Receiver receiver([](int socket) {
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    for (int i = 0; i < 400 && ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0; ++i) {
      bytes = "x";
      std::this_thread::sleep_for(10ms);
    }
  });
  const auto began = std::chrono::steady_clock::now();
  const auto answer = send(receiver.url(), loopback_);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
}

TEST_F(SenderTest, ABodyThatDoesNotComeIsNotWaitedFor) {
  std::promise<void> over;
  auto waits = over.get_future().share();
  const Receiver receiver([waits](int socket) {
    says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")(socket);
    waits.wait_for(20s);
  });
  const auto began = std::chrono::steady_clock::now();
  const auto answer = send(receiver.url(), loopback_, 60s);
  over.set_value();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 200u);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
}

TEST_F(SenderTest, WhatIsNoHttpIsAnError) {
  const Receiver receiver(says("220 mail.example.org ESMTP\r\n"));
  const auto answer = send(receiver.url(), loopback_);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::invalid);
}

TEST_F(SenderTest, AFunctionThatIsGoneHasNoSecret) {
  const WebhookSender::Parts parts{*catalog_, master_, pool_, clock_};
  const WebhookSender sender(parts, WebhookSender::Options());
  EXPECT_EQ(sender.secret("nobody").error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace lambda::events
