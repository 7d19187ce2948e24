// Real sockets on loopback: our server, our client, and raw bytes where a client would be too
// polite.
#include "base/loop_runner.h"
#include "http/client.h"
#include "http/deadline_fixture.h"
#include "http/message.h"
#include "http/response_text.h"
#include "http/server.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <functional>
#include <future>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace lambda::http {
namespace {

using namespace std::chrono_literals;

// Answers by path; what a test needs of a server.
class Echo final : public Handler {
 public:
  Task<void> handle(Request& request, BodyReader& body, ResponseWriter& writer) override {
    ++requests;
    const std::string path(request.path());
    if (path == "/throw") throw std::runtime_error("on purpose");
    if (path == "/silent") co_return;
    if (path == "/unread") {
      Response answer(200, "text/plain", "unread");
      co_await writer.send(std::move(answer));
      co_return;
    }
    if (path == "/stream") {
      co_await writer.start(Response(200));
      for (int i = 0; i < 3; ++i) co_await writer.write("part" + std::to_string(i));
      co_await writer.finish();
      co_return;
    }
    if (path == "/upgrade") {
      Response head(101);
      head.headers.add("Connection", "Upgrade");
      head.headers.add("Upgrade", "echo");
      auto stream = co_await writer.upgrade(std::move(head));
      if (!stream) co_return;
      while (true) {
        auto bytes = co_await (*stream)->read_some();
        if (!bytes || bytes->empty()) co_return;
        co_await (*stream)->write(std::move(*bytes));
      }
    }
    if (path == "/wait") {
      gone = co_await writer.client_gone().wait_until(in(5s));
      co_return;
    }
    auto all = co_await read_all(body, 64 * 1024 * 1024);
    if (!all) {
      Response answer(400, "text/plain", all.error().message());
      co_await writer.send(std::move(answer));
      co_return;
    }
    Response answer(200, "text/plain", request.method + " " + request.target + "\n" + *all);
    answer.headers.add("X-Bad", "a\r\nInjected: 1");
    answer.headers.add("Set-Cookie", "a=1");
    answer.headers.add("Set-Cookie", "b=2");
    co_await writer.send(std::move(answer));
  }
  std::atomic<int> requests = 0;
  std::atomic<bool> gone = false;
};

class HttpServer : public testing::Test {
 public:
  HttpServer() {
    ListenAddress address;
    address.host = "127.0.0.1";
    auto listening = listen_on(address);
    port_ = bound_port(listening->get());
    limits_.header_bytes = 8 * 1024;
    limits_.head_time = 1s;
    std::vector<Loop*> loops{&loop_};
    server_ = std::make_unique<Server>(loops, echo_, limits_);
    server_->add_listener(std::move(*listening));
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~HttpServer() override {
    guard_.reset();
    loop_.stop();
    thread_.join();
  }

  // Sends bytes as they are and returns everything that comes until the server closes, or for a
  // second.
  std::string raw(const std::string& bytes, bool end_sending = true) {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    timeval limit{2, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    if (end_sending) ::shutdown(fd.get(), SHUT_WR);
    std::string all;
    char buffer[4096];
    while (true) {
      const auto count = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (count <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(count));
    }
  }

  Result<Response> call(Request request, std::string body) {
    Loop loop;
    Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = port_;
    return run_on(loop,
                  fetch(endpoint, std::move(request), std::move(body), in(5s), 64 * 1024 * 1024));
  }

  static Request request(std::string method, std::string target) {
    Request made;
    made.method = std::move(method);
    made.target = std::move(target);
    return made;
  }

  Loop loop_{1};
  asio::executor_work_guard<LoopExecutor> guard_ = asio::make_work_guard(loop_);
  Echo echo_;
  ServerLimits limits_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(HttpServer, AnswersAndKeepsTheConnectionForPipelinedRequests) {
  const auto reply =
      raw("GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: "
          "3\r\n\r\nabcGET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(reply.find("GET /a\n"), std::string::npos);
  EXPECT_NE(reply.find("POST /b\nabc"), std::string::npos);
  EXPECT_NE(reply.find("GET /c\n"), std::string::npos);
  EXPECT_EQ(echo_.requests, 3);
}

TEST_F(HttpServer, NeverSendsAFieldThatBreaksTheHead) {
  const auto reply = raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(reply.find("Injected"), std::string::npos);
  EXPECT_NE(reply.find("Set-Cookie: a=1\r\n"), std::string::npos);
  EXPECT_NE(reply.find("Set-Cookie: b=2\r\n"), std::string::npos);
}

struct Smuggled {
  const char* name;
  const char* bytes;
  const char* status;
};
class Smuggling : public HttpServer, public testing::WithParamInterface<Smuggled> {};

TEST_P(Smuggling, IsRefusedAndTheConnectionEnds) {
  const auto reply = raw(GetParam().bytes, false);
  EXPECT_EQ(reply.find(std::string("HTTP/1.1 ") + GetParam().status), 0u) << reply;
  EXPECT_EQ(reply.find("HTTP/1.1", 5), std::string::npos) << "a second answer: " << reply;
  EXPECT_NE(reply.find("Connection: close"), std::string::npos) << reply;
}

INSTANTIATE_TEST_SUITE_P(
    Requests, Smuggling,
    testing::Values(
        Smuggled{"BothLengths",
                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n",
                 "400"},
        Smuggled{"BothLengthsSwapped",
                 "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
                 "4\r\n\r\n0\r\n\r\n",
                 "400"},
        Smuggled{"TwoLengths",
                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
                 "400"},
        Smuggled{"Folding", "GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n 2\r\n\r\n", "400"},
        Smuggled{"SpaceBeforeColon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
        Smuggled{"NoHost", "GET / HTTP/1.1\r\n\r\n", "400"},
        Smuggled{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        Smuggled{"OtherAuthority", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        Smuggled{"OddEncoding",
                 "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                 "501"},
        Smuggled{"NotHttp", "hello\r\n\r\n", "400"},
        Smuggled{"NegativeLength", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                 "400"}),
    [](const auto& chosen) { return chosen.param.name; });

TEST_F(HttpServer, RefusesBadChunks) {
  const auto reply =
      raw("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
          false);
  EXPECT_EQ(reply.find("HTTP/1.1 400"), 0u) << reply;
}

TEST_F(HttpServer, RefusesAHeadThatIsTooLarge) {
  const auto reply =
      raw("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20000, 'a') + "\r\n\r\n", false);
  EXPECT_EQ(reply.find("HTTP/1.1 431"), 0u) << reply.substr(0, 100);
}

TEST_F(HttpServer, GivesASlowHeadUp) {
  const auto reply = raw("GET / HTTP/1.1\r\nHo", false);
  EXPECT_EQ(reply.find("HTTP/1.1 408"), 0u) << reply;
}

TEST_F(HttpServer, TakesAbsoluteTargetsOfTheSameHost) {
  const auto reply = raw("GET http://x/p?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(reply.find("GET /p?q\n"), std::string::npos) << reply;
}

TEST_F(HttpServer, SurvivesAHandlerThatThrowsOrSaysNothing) {
  EXPECT_EQ(raw("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n").find("HTTP/1.1 500"), 0u);
  EXPECT_EQ(raw("GET /silent HTTP/1.1\r\nHost: x\r\n\r\n").find("HTTP/1.1 500"), 0u);
  EXPECT_EQ(call(request("GET", "/fine"), "")->status, 200u);
}

TEST_F(HttpServer, AnswersHeadWithoutABody) {
  const auto reply = raw("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(reply.find("Content-Length: 8\r\n"), std::string::npos) << reply;
  EXPECT_TRUE(reply.ends_with("\r\n\r\n"));
}

TEST_F(HttpServer, SaysContinueOnlyWhenTheBodyIsWanted) {
  EXPECT_EQ(
      raw("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
          .find("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"),
      0u);
  const auto unwanted =
      raw("POST /unread HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(unwanted.find("HTTP/1.1 200"), 0u) << unwanted;
}

TEST_F(HttpServer, DropsALittleUnreadBodyAndGoesOn) {
  const auto reply =
      raw("POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /n "
          "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(reply.find("GET /n\n"), std::string::npos) << reply;
}

TEST_F(HttpServer, TellsWhenTheClientHasGone) {
  raw("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(echo_.gone);
}

TEST_F(HttpServer, CarriesLargeBodiesBothWays) {
  const std::string body(5'000'000, 'x');
  const auto answer = call(request("POST", "/large"), body);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body.size(), body.size() + std::string("POST /large\n").size());
}

TEST_F(HttpServer, StreamsInChunks) {
  const auto answer = call(request("GET", "/stream"), "");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "part0part1part2");
  EXPECT_NE(
      raw("GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").find("5\r\npart0\r\n"),
      std::string::npos);
  EXPECT_TRUE(raw("GET /stream HTTP/1.0\r\n\r\n").ends_with("\r\n\r\npart0part1part2"));
}

TEST_F(HttpServer, GivesTheConnectionAwayAfterAnUpgrade) {
  const auto reply = raw(
      "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping pong");
  EXPECT_EQ(reply.find("HTTP/1.1 101"), 0u) << reply;
  EXPECT_TRUE(reply.ends_with("ping pong")) << reply;
}

TEST_F(HttpServer, DrainEndsIdleConnections) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  while (server_->open_connections() == 0) std::this_thread::yield();
  std::promise<void> done;
  auto drain = [](Server& server, std::promise<void>& finished) -> Task<void> {
    co_await server.drain(in(1s));
    finished.set_value();
  };
  asio::co_spawn(loop_, drain(*server_, done), asio::detached);
  done.get_future().wait();
  EXPECT_EQ(server_->open_connections(), 0u);
}

TEST(ParseUrl, TakesWhatPeopleWrite) {
  EXPECT_EQ(parse_url("http://a.b:81/x?y")->endpoint.port, 81);
  EXPECT_EQ(parse_url("http://a.b:81/x?y")->path, "/x?y");
  EXPECT_EQ(parse_url("http://[::1]:81")->endpoint.host, "::1");
  EXPECT_TRUE(parse_url("https://a")->endpoint.tls);
  EXPECT_EQ(parse_url("unix:///run/x.sock")->endpoint.unix_path, "/run/x.sock");
  EXPECT_FALSE(parse_url("a.b"));
  EXPECT_FALSE(parse_url("http://"));
  EXPECT_FALSE(parse_url("http://u:p@h/"));
  EXPECT_FALSE(parse_url("http://h:99999/"));
}

TEST(Headers, CompareNamesWithoutCase) {
  Headers headers;
  headers.add("X-A", "1");
  headers.add("x-a", "2");
  EXPECT_EQ(headers.joined("X-a"), "1, 2");
  headers.set("X-A", "3");
  EXPECT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers.get("none", "d"), "d");
}

TEST(ParseQuery, DecodesPairs) {
  const auto pairs = parse_query("a=1&b=x%20y+z&c&&=d");
  ASSERT_EQ(pairs.size(), 4u);
  EXPECT_EQ(pairs[1].second, "x y z");
  EXPECT_EQ(pairs[2].first, "c");
}

}  // namespace
}  // namespace lambda::http
