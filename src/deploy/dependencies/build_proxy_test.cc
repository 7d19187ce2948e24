// The proxy of a build, over real sockets: a hostile sandbox on the one side, registries on the
// other.
#include "deploy/dependencies/build_proxy.h"

#include "base/loop_runner.h"
#include "http/client.h"
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace lambda::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::chrono_literals;

SteadyTime soon() {
  return std::chrono::steady_clock::now() + 10s;
}

// What a registry says; it notes who asked it.
class Registry final : public http::Handler {
 public:
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override {
    auto all = co_await http::read_all(body, 1 << 20);
    asked.push_back(fmt::format("{} {} {} [{}]", request.method, request.target,
                                request.headers.get("Host"),
                                request.headers.get("Proxy-Authorization")));
    http::Response answer(200, "text/plain",
                          request.target == "/large" ? std::string(300'000, 'x')
                          : all                      ? "got " + *all
                                                     : "nothing");
    co_await writer.send(std::move(answer));
  }
  std::vector<std::string> asked;
};

class BuildProxyTest : public ::testing::Test {
 public:
  ~BuildProxyTest() override {
    if (proxy_) run_on(loop_, proxy_->close());
    run_on(loop_, registry_server_.drain(soon()));
  }

 protected:
  BuildProxyTest() : registry_server_({&loop_}, registry_, {}) {
    auto listening = http::listen_on(loopback()).value();
    registry_port_ = http::bound_port(listening.get());
    registry_server_.add_listener(std::move(listening));
  }
  static http::ListenAddress loopback() {
    http::ListenAddress address;
    address.host = "127.0.0.1";
    return address;
  }

  // `allowed`: the networks that the configuration names.
  void open(BuildProxy::Limits limits = {},
            const std::vector<std::string>& allowed = {"127.0.0.1"}) {
    std::vector<egress::Network> networks;
    for (const auto& text : allowed) networks.push_back(egress::Network::parse(text).value());
    BuildProxy::Parts parts;
    parts.rules = egress::AddressRules(std::move(networks));
    parts.find = [this](std::string host, SteadyTime) { return find(this, std::move(host)); };
    parts.take = [this](std::string piece) { return take(this, std::move(piece)); };
    parts.on_unreached = [this](const Error& why) {
      (why.code() == ErrorCode::denied ? refusals_ : unreached_).push_back(why.message());
    };
    parts.on_error = [this] { ++errors_; };
    auto listening = http::listen_on(loopback()).value();
    port_ = http::bound_port(listening.get());
    proxy_ = BuildProxy::open(loop_.get_executor(), std::move(listening), std::move(parts), limits)
                 .value();
  }
  static Task<Result<egress::Addresses>> find(BuildProxyTest* self, std::string host) {
    ++self->lookups_;
    if (host == "nowhere.test") co_return fail(ErrorCode::unavailable, "look up {}: no", host);
    if (host == "metadata.test") {
      co_return fail(egress::address_refused(
          kBuilds, host, boost::asio::ip::make_address("169.254.169.254"), "a metadata address"));
    }
    co_return egress::Addresses{boost::asio::ip::make_address("127.0.0.1")};
  }
  static Task<Result<Done>> take(BuildProxyTest* self, std::string piece) {
    if (self->disk_full_) co_return fail(ErrorCode::internal, "the disk is full");
    self->taken_ += piece;
    co_return Done{};
  }

  // Sends bytes as they are, and reads to the end of the answer or of the connection.
  std::string say(const std::string& bytes, const std::string& until = {}) {
    return run_on(loop_, say_on_loop(port_, bytes, until));
  }
  static Task<std::string> say_on_loop(std::uint16_t port, std::string bytes, std::string until) {
    http::Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = port;
    auto connection = co_await http::ClientConnection::connect(endpoint, soon());
    if (!connection) co_return "no connection";
    const auto stream = (*connection)->take_stream();
    auto sent = co_await stream->write(std::move(bytes));
    std::string answer;
    while (sent) {
      auto piece = co_await stream->read_some();
      if (!piece || piece->empty()) break;
      answer += *piece;
      if (!until.empty() && answer.find(until) != std::string::npos) break;
    }
    co_return answer;
  }
  std::string put(const std::string& target, const std::string& body) {
    return say(
        fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
                    "{}\r\n\r\n{}",
                    target, body.size(), body));
  }
  std::string get(const std::string& url, const std::string& more = {}) {
    return say(fmt::format("GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n", url, more));
  }
  [[nodiscard]] std::string registry(const std::string& path) const {
    return fmt::format("http://registry.test:{}{}", registry_port_, path);
  }

  Loop loop_{1};
  Registry registry_;
  http::Server registry_server_;
  std::uint16_t registry_port_ = 0;
  std::uint16_t port_ = 0;
  std::unique_ptr<BuildProxy> proxy_;
  std::string taken_;
  bool disk_full_ = false;
  std::vector<std::string> refusals_;
  std::vector<std::string> unreached_;
  int errors_ = 0;
  int lookups_ = 0;
};

TEST_F(BuildProxyTest, PassesARequestOnToItsServerWithoutWhatIsOfTheConnection) {
  open();
  const auto answer = get(registry("/simple/a?b=c"), "Proxy-Authorization: Basic eA==\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("got "));
  EXPECT_THAT(registry_.asked,
              ElementsAre(fmt::format("GET /simple/a?b=c registry.test:{} []", registry_port_)));
}

TEST_F(BuildProxyTest, ATunnelCarriesBothWays) {
  open();
  const auto answer =
      say(fmt::format("CONNECT registry.test:{} HTTP/1.1\r\nHost: x\r\n\r\n"
                      "GET /through HTTP/1.1\r\nHost: inner\r\nConnection: "
                      "close\r\n\r\n",
                      registry_port_));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("got "));
  EXPECT_THAT(registry_.asked, ElementsAre("GET /through inner []"));
}

TEST_F(BuildProxyTest, AnOlderClientsConnectHasNoHost) {
  open();
  EXPECT_THAT(say(fmt::format("CONNECT registry.test:{} HTTP/1.0\r\n\r\n", registry_port_), "\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(BuildProxyTest, WhatIsForbiddenIsRefusedAndTold) {
  open();
  EXPECT_THAT(say("CONNECT metadata.test:80 HTTP/1.1\r\nHost: x\r\n\r\n", "build_networks"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(get("http://metadata.test/latest/"), StartsWith("HTTP/1.1 403 "));
  ASSERT_EQ(refusals_.size(), 2u);
  EXPECT_THAT(refusals_.front(), HasSubstr("metadata.test is 169.254.169.254"));
  EXPECT_THAT(get("http://nowhere.test/"), StartsWith("HTTP/1.1 502 "));
  EXPECT_EQ(refusals_.size(), 2u);
  EXPECT_THAT(unreached_, ElementsAre("look up nowhere.test: no"));
}

TEST_F(BuildProxyTest, OtherPortsAreOpenInNamedNetworksAlone) {
  open({}, {});
  EXPECT_THAT(get(registry("/")), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(say("CONNECT registry.test:22 HTTP/1.1\r\nHost: x\r\n\r\n", "443"),
              HasSubstr("the ports 80 and 443 alone"));
  EXPECT_THAT(registry_.asked, IsEmpty());
}

// The name is looked up once for each connection, and what was found is what is connected to: a
// name server that answers otherwise the next time is not asked a next time.
TEST_F(BuildProxyTest, TheAddressThatWasCheckedIsTheOneThatIsConnectedTo) {
  open();
  EXPECT_THAT(get(registry("/")), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(lookups_, 1);
}

TEST_F(BuildProxyTest, MalformedRequestsAreRefused) {
  open();
  for (const auto* target :
       {"", "registry.test", "registry.test:", "registry.test:x", "registry.test:99999",
        "registry.test:0", ":443", "a@b:443", "http://registry.test:443", "a/b:443", "[::1:443"}) {
    EXPECT_THAT(
        say(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target)),
        StartsWith("HTTP/1.1 400 "))
        << target;
  }
  EXPECT_THAT(get("https://registry.test/"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(get("http://user:secret@registry.test/"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(get("ftp://registry.test/"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(get("/2018-06-01/runtime/invocation/next"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(say("CONNECT a:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: "
                  "close\r\n\r\nx"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(lookups_, 0);
}

TEST_F(BuildProxyTest, TheResultIsTakenOnce) {
  open();
  EXPECT_FALSE(proxy_->has_result());
  EXPECT_THAT(put("/result", "a tar"), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(proxy_->has_result());
  EXPECT_THAT(put("/result", "another"), StartsWith("HTTP/1.1 409 "));
  EXPECT_EQ(taken_, "a tar");
}

TEST_F(BuildProxyTest, AResultThatIsTooLargeEndsTheBuild) {
  BuildProxy::Limits limits;
  limits.result_bytes = 1000;
  open(limits);
  EXPECT_THAT(put("/result", std::string(1001, 'x')), StartsWith("HTTP/1.1 413 "));
  EXPECT_FALSE(proxy_->has_result());
  ASSERT_TRUE(proxy_->error());
  EXPECT_EQ(proxy_->error()->code(), ErrorCode::too_large);
  EXPECT_EQ(errors_, 1);
}

TEST_F(BuildProxyTest, AFullDiskEndsTheBuild) {
  open();
  disk_full_ = true;
  EXPECT_THAT(put("/result", "x"), StartsWith("HTTP/1.1 502 "));
  ASSERT_TRUE(proxy_->error());
  EXPECT_THAT(proxy_->error()->message(), HasSubstr("the disk is full"));
}

TEST_F(BuildProxyTest, AResultThatIsCutOffIsNone) {
  open();
  const auto begun = begin_on(
      loop_, say_on_loop(port_, "PUT /result HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
                         "never"));
  ASSERT_TRUE(run_until(
      loop_, [this] { return taken_ == "abc"; }, 10s));
  EXPECT_FALSE(proxy_->has_result());
  EXPECT_FALSE(proxy_->error());
  run_on(loop_, proxy_->close());
  EXPECT_TRUE(run_until(
      loop_, [&begun] { return begun->done(); }, 10s));
  EXPECT_FALSE(proxy_->has_result());
}

TEST_F(BuildProxyTest, TheFirstFailureCountsAndIsPrintable) {
  open();
  EXPECT_THAT(put("/failure", "no \x1b[31mmatching\nversion\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(put("/failure", "another"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(proxy_->failure(), "no  [31mmatching version");
  EXPECT_THAT(put("/failure", std::string(5000, 'x')), StartsWith("HTTP/1.1 413 "));
}

TEST_F(BuildProxyTest, FetchingTooMuchEndsTheBuild) {
  BuildProxy::Limits limits;
  limits.fetched_bytes = 200'000;
  open(limits);
  EXPECT_LT(get(registry("/large")).size(), 300'000u);
  ASSERT_TRUE(proxy_->error());
  EXPECT_EQ(proxy_->error()->code(), ErrorCode::too_large);
  EXPECT_EQ(errors_, 1);
  EXPECT_THAT(get(registry("/small")), StartsWith("HTTP/1.1 502 "));
}

TEST_F(BuildProxyTest, ATunnelInWhichNothingMovesIsClosed) {
  BuildProxy::Limits limits;
  limits.silence = 1s;
  open(limits);
  const auto answer =
      say(fmt::format("CONNECT registry.test:{} HTTP/1.1\r\nHost: x\r\n\r\n", registry_port_));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
}

TEST_F(BuildProxyTest, MoreConnectionsThanItsLimitWait) {
  BuildProxy::Limits limits;
  limits.connections = 2;
  open(limits);
  const auto tunnel =
      fmt::format("CONNECT registry.test:{} HTTP/1.1\r\nHost: x\r\n\r\n", registry_port_);
  const auto one = begin_on(loop_, say_on_loop(port_, tunnel, "never"));
  const auto two = begin_on(loop_, say_on_loop(port_, tunnel, "never"));
  ASSERT_TRUE(run_until(
      loop_, [this] { return lookups_ == 2; }, 10s));
  const auto three = begin_on(loop_, say_on_loop(port_, tunnel, "200"));
  EXPECT_FALSE(run_until(
      loop_, [this] { return lookups_ > 2; }, 1s));
  run_on(loop_, proxy_->close());
  EXPECT_TRUE(run_until(
      loop_, [&] { return one->done() && two->done() && three->done(); }, 10s));
}

}  // namespace
}  // namespace lambda::deploy
