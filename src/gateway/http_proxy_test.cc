// HTTP functions behind the gateway: requests and responses as streams, upgrades, and who ends
// what.
#include "gateway/http_proxy.h"

#include "gateway/gateway_fixture.h"

#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <array>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <tuple>

namespace lambda::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

TEST_F(GatewayTest, PassesARequestOnAsItIs) {
  set_cors("web", R"({"AllowOrigins":["https://a"]})");
  const auto reply = post(
      "web.localhost:81", "/p%20q?x=1", "body",
      "X-A: 1\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nOrigin: https://a\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("POST /p%20q?x=1\n"));
  EXPECT_THAT(reply, HasSubstr("Host: web.localhost:81\n"));
  EXPECT_THAT(reply, HasSubstr("X-A: 1\n"));
  EXPECT_THAT(reply, HasSubstr("x-forwarded-for: 127.0.0.1\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Length: 4\n"));
  EXPECT_THAT(reply, Not(HasSubstr("X-Hop")));
  EXPECT_THAT(reply, Not(HasSubstr("TE:")));
  EXPECT_THAT(reply, Not(HasSubstr("Keep-Alive: timeout")));
  EXPECT_THAT(reply, HasSubstr("Set-Cookie: a=1\r\n"));
  EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Origin: https://a\r\n"));
  EXPECT_THAT(reply, Not(HasSubstr("own.example")));
  EXPECT_TRUE(reply.ends_with("\nbody")) << reply;
}

TEST_F(GatewayTest, StreamsAResponse) {
  const auto reply = get("127.0.0.1", "/fn/web/stream");
  EXPECT_THAT(reply, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Security-Policy: sandbox"));
  EXPECT_THAT(reply, HasSubstr("\r\npart0"));
  EXPECT_TRUE(reply.ends_with("\r\n0\r\n\r\n"));
}

TEST_F(GatewayTest, LetsTheClientSeeThatAResponseWasCut) {
  const auto reply = get("web.localhost", "/cut");
  EXPECT_THAT(reply, HasSubstr("part2"));
  EXPECT_FALSE(reply.ends_with("0\r\n\r\n"));
}

TEST_F(GatewayTest, StreamsALargeUploadBothWays) {
  const std::string body(8'000'000, 'y');
  const auto fd = connect_to(port_);
  const std::string head =
      "POST /echo-stream HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\nContent-Length: "
      "8000000\r\n\r\n";
  std::thread sender([&] {
    ::send(fd.get(), head.data(), head.size(), MSG_NOSIGNAL);
    std::size_t done = 0;
    while (done < body.size()) {
      const auto count = ::send(fd.get(), body.data() + done, body.size() - done, MSG_NOSIGNAL);
      if (count <= 0) break;
      done += static_cast<std::size_t>(count);
    }
  });
  std::string all;
  std::vector<char> buffer(65536);
  while (true) {
    const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(count));
  }
  sender.join();
  EXPECT_EQ(std::count(all.begin(), all.end(), 'y'), 8'000'000);
  EXPECT_TRUE(all.ends_with("0\r\n\r\n"));
}

TEST_F(GatewayTest, LetsAResponseThatBeganOutlastItsUploadByMoreThanTheTimeout) {
  const auto reply =
      raw("POST /answer-first HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n"
          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_THAT(reply, HasSubstr("part7"));
  EXPECT_TRUE(reply.ends_with("0\r\n\r\n")) << reply;
}

TEST_F(GatewayTest, PassesAnEarlyRefusalOn) {
  // More than the sockets hold, and never sent to its end.
  const auto reply =
      raw("POST /early HTTP/1.1\r\nHost: web.localhost\r\nContent-Length: 100000000\r\n\r\n" +
          std::string(100'000, 'z'));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(reply, HasSubstr("no"));
}

// A body whose end does not come.
class EndlessBody final : public http::BodyReader {
 public:
  Task<Result<std::string>> read_some() override {
    if (!std::exchange(begun_, true)) co_return std::string(1000, 'e');
    ++reads;
    co_await never_.wait_until(in(5s));
    --reads;
    co_return fail(ErrorCode::unavailable, "cut");
  }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override { return 1'000'000; }
  int reads = 0;  // that wait

 private:
  bool begun_ = false;
  AsyncEvent never_;
};

class FallingWriter final : public http::ResponseWriter {
 public:
  Task<Result<std::size_t>> send(http::Response) override { throw std::runtime_error("no room"); }
  Task<Result<std::size_t>> start(http::Response) override { throw std::runtime_error("no room"); }
  Task<Result<std::size_t>> write(std::string) override { co_return std::size_t{0}; }
  Task<Result<std::size_t>> finish() override { co_return std::size_t{0}; }
  Task<Result<std::unique_ptr<http::ByteStream>>> upgrade(http::Response) override {
    co_return fail(ErrorCode::internal, "not here");
  }
  [[nodiscard]] bool started() const override { return false; }
  AsyncEvent& client_gone() override { return gone_; }
  void on_client_gone(std::function<void()>) override {}

 private:
  AsyncEvent gone_;
};

TEST_F(GatewayTest, AnAnswerThatFallsLeavesNobodyReadingTheBody) {
  http::Request request;
  request.method = "POST";
  request.target = "/stream";
  request.headers.add("Host", "web.localhost");
  const auto route = Router("localhost").route(request);
  const SystemClock clock;
  FailureLog failures(clock);
  const Reply reply(request, route, "id", failures);
  EndlessBody body;
  FallingWriter writer;
  ProxiedRequest proxied(request, body, route, reply, *catalog_->resolve_live("web"),
                         invoke::CallTrace());
  // How many reads of the body were left; -1 where nothing was thrown.
  auto run = [](invoke::Invoker& invoker, ProxiedRequest what, EndlessBody& sent,
                http::ResponseWriter& to) -> Task<int> {
    try {
      co_await proxy(invoker, std::move(what), to);
    } catch (const std::runtime_error&) {
      co_return sent.reads;
    }
    co_return -1;
  };
  auto left =
      asio::co_spawn(loop_, run(script_, std::move(proxied), body, writer), asio::use_future);
  EXPECT_EQ(left.get(), 0);
}

TEST_F(GatewayTest, TunnelsAnUpgrade) {
  const auto fd = connect_to(port_);
  const std::string head =
      "GET /ws HTTP/1.1\r\nHost: web.localhost\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\n\r\nhi";
  ::send(fd.get(), head.data(), head.size(), MSG_NOSIGNAL);
  std::string all;
  std::array<char, 4096> buffer;
  while (all.find("<hi>") == std::string::npos) {
    const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    ASSERT_GT(count, 0) << all;
    all.append(buffer.data(), static_cast<std::size_t>(count));
  }
  EXPECT_THAT(all, StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(all, HasSubstr("Upgrade: websocket\r\n"));
  EXPECT_EQ(script_.open_leases, 1);
  ::send(fd.get(), "more", 4, MSG_NOSIGNAL);
  EXPECT_GT(::recv(fd.get(), buffer.data(), buffer.size(), 0), 0);
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_EQ(::recv(fd.get(), buffer.data(), buffer.size(), 0), 0);
}

// Whose silence alone would end them much later.
TEST_F(GatewayTest, ATunnelAndAStreamEndWithTheKeyThatLetThemIn) {
  const std::string key = std::string("X-Lambda-Key: ") + kToken + "\r\n";
  for (const auto& [head, sent, text] :
       {std::tuple{"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", "hi",
                   "<hi>"},
        std::tuple{"GET /endless HTTP/1.1\r\n", "", "part"}}) {
    const auto fd = connect_to(port_);
    send_text(fd, head + ("Host: keyedweb.localhost\r\n" + key + "\r\n") + sent);
    EXPECT_THAT(read_until(fd, text), HasSubstr(text));
    asio::post(loop_, [this] { keys_.end(); });
    std::array<char, 64> rest;
    auto count = ::recv(fd.get(), rest.data(), rest.size(), 0);
    while (count > 0) count = ::recv(fd.get(), rest.data(), rest.size(), 0);
    EXPECT_EQ(count, 0) << head;
  }
  EXPECT_TRUE(script_.noted.empty());
  EXPECT_FALSE(script_.discarded);
}

TEST_F(GatewayTest, KeepsTheConnectionFromAFunctionThatSwitchesProtocolsUnasked) {
  const auto client = connect_to(port_);
  send_text(client, "GET /ws HTTP/1.1\r\nHost: web.localhost\r\n\r\n");
  EXPECT_THAT(read_until(client, "}\n"), StartsWith("HTTP/1.1 502"));
  send_text(client, "GET /secret HTTP/1.1\r\nHost: api.example\r\n\r\n");
  EXPECT_THAT(read_until(client, "api /secret"), StartsWith("HTTP/1.1 200"));
}

TEST_F(GatewayTest, SwitchesNoProtocolBesideABodyThatStillComes) {
  const auto client = connect_to(port_);
  send_text(client,
            "POST /ws HTTP/1.1\r\nHost: web.localhost\r\nConnection: Upgrade\r\nUpgrade: "
            "websocket\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_THAT(read_until(client, "}\n"), StartsWith("HTTP/1.1 502"));
}

TEST_F(GatewayTest, SetsNoCookieByAnUpgradeThroughThePathDoor) {
  const auto upgrade = [this](const std::string& host, const std::string& target) {
    const auto fd = connect_to(port_);
    const std::string head = "GET " + target + " HTTP/1.1\r\nHost: " + host +
                             "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    ::send(fd.get(), head.data(), head.size(), MSG_NOSIGNAL);
    std::string all;
    std::array<char, 4096> buffer;
    while (all.find("\r\n\r\n") == std::string::npos) {
      const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      all.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return all;
  };
  EXPECT_THAT(upgrade("web.localhost", "/ws"), HasSubstr("Set-Cookie: a=1\r\n"));
  const auto reply = upgrade("127.0.0.1", "/fn/web/ws");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(reply, HasSubstr("Upgrade: websocket\r\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Security-Policy: sandbox"));
  EXPECT_THAT(reply, Not(HasSubstr("Set-Cookie")));
}

TEST_F(GatewayTest, GivesUpAFunctionThatDoesNotAnswerInTime) {
  const auto reply = get("web.localhost", "/hang");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 504"));
  EXPECT_TRUE(script_.discarded);
  EXPECT_THAT(script_.noted, ElementsAre("Task timed out after 1.00 seconds"));
}

TEST_F(GatewayTest, EndsTheCallOfAClientThatWent) {
  {
    const auto fd = connect_to(port_);
    const std::string head = "GET /hang HTTP/1.1\r\nHost: web.localhost\r\n\r\n";
    ::send(fd.get(), head.data(), head.size(), MSG_NOSIGNAL);
    while (script_.open_leases == 0) std::this_thread::yield();
  }
  const auto limit = in(900ms);  // before the function's timeout
  while (!upstream_.gone && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_TRUE(upstream_.gone);
  EXPECT_FALSE(script_.discarded);
  EXPECT_THAT(script_.noted, IsEmpty());
}

TEST_F(GatewayTest, SaysThatAnHttpFunctionDoesNotStartAndNoMore) {
  script_.upstream_port = 0;
  const auto reply = get("web.localhost", "/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(reply, Not(HasSubstr("secret words")));
}

}  // namespace
}  // namespace lambda::gateway
