// The whole gateway over real sockets: a real catalog, an invoker that follows a script, and for
// HTTP functions a real server of our own as the function.
#include "gateway/gateway.h"

#include "gateway/http_proxy.h"
#include "http/client.h"
#include "http/server.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"

#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>

namespace lambda::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr const char* kToken = "lam_AAAAAAAAAAAAAAAAAAAA_secret";

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval limit{5, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

void send_text(const UniqueFd& fd, std::string_view text) {
  EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// What came until `end` was in it, or nothing more came.
std::string read_until(const UniqueFd& fd, std::string_view end) {
  std::string all;
  std::array<char, 4096> buffer;
  while (all.find(end) == std::string::npos) {
    const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return all;
}

UniqueFd listen_anywhere() {
  http::ListenAddress address;
  address.host = "127.0.0.1";
  return std::move(*http::listen_on(address));
}

// The one key is known; a signature is right when X-Signed holds the body's size.
class OneKey final : public access::KeyChecker {
 public:
  Result<access::Caller> check_key(const http::Request&, std::string_view token) const override {
    if (token != kToken) return fail(ErrorCode::unauthenticated, "the key is unknown");
    return access::Caller{};
  }
  Result<Done> check_before_body(const http::Request& request) const override {
    if (!request.headers.has("X-Signed")) return fail(ErrorCode::unauthenticated, "unsigned");
    return Done{};
  }
  Result<access::Caller> check_signature(const http::Request& request,
                                         std::string_view body) const override {
    checked_on = std::this_thread::get_id();
    if (request.headers.get("X-Signed") != std::to_string(body.size())) {
      return fail(ErrorCode::denied, "Forbidden");
    }
    access::Caller caller;
    caller.account = "000000000000";
    caller.access_key = "AKIA";
    return caller;
  }
  mutable std::atomic<std::thread::id> checked_on;
};

class Lease final : public invoke::HttpLease {
 public:
  Lease(UniqueFd socket, std::atomic<int>& open, std::atomic<bool>& discarded)
      : socket_(std::move(socket)), open_(open), discarded_(discarded) {
    ++open_;
  }
  ~Lease() override { --open_; }
  UniqueFd take_socket() override { return std::move(socket_); }
  const invoke::Timing& timing() const override { return timing_; }
  void discard_instance() override { discarded_ = true; }
  Task<bool> ended_soon() override { co_return false; }

 private:
  UniqueFd socket_;
  std::atomic<int>& open_;
  std::atomic<bool>& discarded_;
  invoke::Timing timing_;
};

class Script final : public invoke::RefusingInvoker {
 public:
  Task<Result<invoke::Outcome>> invoke(invoke::Call call) override {
    calls.push_back(std::move(call));
    co_return answer;
  }
  Task<Result<std::unique_ptr<invoke::HttpLease>>> open_http(function::Resolved,
                                                             std::string) override {
    if (upstream_port == 0) co_return fail(ErrorCode::function_failed, "secret words of its log");
    std::unique_ptr<invoke::HttpLease> lease =
        std::make_unique<Lease>(connect_to(upstream_port), open_leases, discarded);
    co_return lease;
  }

  Result<invoke::Outcome> answer = invoke::Outcome{};
  std::vector<invoke::Call> calls;
  std::uint16_t upstream_port = 0;
  std::atomic<int> open_leases = 0;
  std::atomic<bool> discarded = false;
};

class Api final : public http::Handler {
 public:
  Task<void> handle(http::Request& request, http::BodyReader&,
                    http::ResponseWriter& writer) override {
    http::Response answer(200, "text/plain", "api " + request.target);
    co_await writer.send(std::move(answer));
  }
};

// An HTTP function.
class Upstream final : public http::Handler {
 public:
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override {
    const std::string path(request.path());
    if (path == "/hang") {
      gone = co_await writer.client_gone().wait_until(in(5s));
      co_return;
    }
    if (path == "/stream" || path == "/cut") {
      http::Response head(200);
      head.headers.add("Content-Type", "text/event-stream");
      co_await writer.start(std::move(head));
      for (int i = 0; i < 3; ++i) co_await writer.write("part" + std::to_string(i));
      if (path == "/stream") co_await writer.finish();
      co_return;
    }
    if (path == "/echo-stream") {
      co_await writer.start(http::Response(200));
      while (true) {
        auto piece = co_await body.read_some();
        if (!piece || piece->empty()) break;
        co_await writer.write(std::move(*piece));
      }
      co_await writer.finish();
      co_return;
    }
    if (path == "/answer-first") {
      co_await writer.start(http::Response(200));
      auto all = co_await http::read_all(body, 1 << 20);
      for (int i = 0; i < 8; ++i) {
        co_await writer.write("part" + std::to_string(i));
        co_await sleep_for(200ms);
      }
      co_await writer.finish();
      co_return;
    }
    if (path == "/early") {
      http::Response refusal(413, "text/plain", "no");
      co_await writer.send(std::move(refusal));
      co_return;
    }
    if (path == "/ws") {
      http::Response head(101);
      head.headers.add("Connection", "Upgrade");
      head.headers.add("Upgrade", "websocket");
      head.headers.add("Set-Cookie", "a=1");
      auto stream = co_await writer.upgrade(std::move(head));
      while (stream) {
        auto bytes = co_await (*stream)->read_some();
        if (!bytes || bytes->empty()) co_return;
        co_await (*stream)->write("<" + *bytes + ">");
      }
      co_return;
    }
    auto all = co_await http::read_all(body, 64 << 20);
    std::string text = request.method + " " + request.target + "\n";
    for (const auto& field : request.headers) text += field.name + ": " + field.value + "\n";
    http::Response answer(200, "text/plain", text + "\n" + (all ? *all : "broken"));
    answer.headers.add("Set-Cookie", "a=1");
    answer.headers.add("Keep-Alive", "timeout=5");
    answer.headers.add("Access-Control-Allow-Origin", "https://own.example");
    co_await writer.send(std::move(answer));
  }
  std::atomic<bool> gone = false;
};

class GatewayTest : public testing::Test {
 public:
  GatewayTest() {
    database_ = std::move(*store::Database::open_in_memory());
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{}));
    add("greet", function::UrlAuth::open, function::Kind::handler);
    add("shut", function::UrlAuth::closed, function::Kind::handler);
    add("keyed", function::UrlAuth::key, function::Kind::handler);
    add("signed", function::UrlAuth::iam, function::Kind::handler);
    add("web", function::UrlAuth::open, function::Kind::http);
    gateway_ = std::make_unique<Gateway>("localhost", *catalog_, script_, keys_, disk_, clock_,
                                         api_, AsyncCalls());
    std::vector<Loop*> loops{&loop_};
    http::ServerLimits limits;
    limits.bodies = &bodies_;
    server_ = std::make_unique<http::Server>(loops, *gateway_, limits);
    auto listening = listen_anywhere();
    port_ = http::bound_port(listening.get());
    server_->add_listener(std::move(listening));
    function_ = std::make_unique<http::Server>(loops, upstream_, http::ServerLimits{});
    auto upstream_listening = listen_anywhere();
    script_.upstream_port = http::bound_port(upstream_listening.get());
    function_->add_listener(std::move(upstream_listening));
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~GatewayTest() override {
    guard_.reset();
    loop_.stop();
    thread_.join();
  }

  void add(const std::string& name, function::UrlAuth auth, function::Kind kind) {
    function::DeployCommit commit;
    commit.function = name;
    commit.configuration.runtime = "python3.11";
    commit.configuration.handler = "app.handler";
    commit.configuration.kind = kind;
    commit.configuration.timeout_seconds = 1;
    if (kind == function::Kind::http) commit.configuration.port = 8080;
    commit.code.sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    commit.code.package_digest = std::string(64, 'a');
    commit.url = auth;
    auto committed = catalog_->commit_deploy(std::move(commit));
    ASSERT_TRUE(committed) << committed.error().message();
  }
  void set_cors(const std::string& name, const std::string& cors) {
    const auto change = [&cors](function::UrlConfig url) -> Result<function::UrlConfig> {
      url.cors_json = cors;
      return url;
    };
    auto set = catalog_->update_url(name, change);
    ASSERT_TRUE(set) << set.error().message();
  }
  void answer(std::string payload) {
    invoke::Outcome outcome;
    outcome.payload = std::move(payload);
    script_.answer = std::move(outcome);
  }
  void fail_with(invoke::FunctionError error, std::string type) {
    invoke::Outcome outcome;
    outcome.payload = R"({"errorMessage":"private words","errorType":"X"})";
    outcome.error = error;
    outcome.error_type = std::move(type);
    script_.answer = std::move(outcome);
  }

  // Sends bytes and returns all that comes until the server ends the connection.
  std::string raw(const std::string& bytes) const {
    const auto fd = connect_to(port_);
    EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    std::string all;
    std::array<char, 4096> buffer;
    while (true) {
      const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) return all;
      all.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  std::string get(const std::string& host, const std::string& target,
                  const std::string& more = {}) const {
    return raw("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + more +
               "\r\n");
  }
  std::string post(const std::string& host, const std::string& target, const std::string& body,
                   const std::string& more = {}) const {
    return raw("POST " + target + " HTTP/1.1\r\nHost: " + host +
               "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
               more + "\r\n" + body);
  }

  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<function::Catalog> catalog_;
  BlockingPool disk_{"disk", 1};
  http::BodyBudget bodies_{16 << 20};
  Loop loop_{1};
  asio::executor_work_guard<LoopExecutor> guard_ = asio::make_work_guard(loop_);
  Script script_;
  OneKey keys_;
  Api api_;
  Upstream upstream_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> function_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(GatewayTest, GivesOtherHostsToTheApi) {
  EXPECT_THAT(get("127.0.0.1", "/2015-03-31/functions"), HasSubstr("api /2015-03-31/functions"));
}

TEST_F(GatewayTest, CallsAHandlerWithAnEvent) {
  answer(R"({"message": "Hello, World!"})");
  const auto reply = post("greet.localhost", "/a?name=World", "{}",
                          "Content-Type: application/json\r\nAuthorization: Bearer mine\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("\r\n\r\n{\"message\": \"Hello, World!\"}"));
  ASSERT_EQ(script_.calls.size(), 1u);
  const auto& call = script_.calls.front();
  EXPECT_THAT(reply, HasSubstr("x-amzn-RequestId: " + call.request_id));
  EXPECT_THAT(call.payload, HasSubstr(R"("rawPath":"/a","rawQueryString":"name=World")"));
  EXPECT_THAT(call.payload, HasSubstr(R"("authorization":"Bearer mine")"));
  EXPECT_THAT(call.payload, HasSubstr(R"("body":"{}","isBase64Encoded":false)"));
  EXPECT_EQ(call.target.qualifier, "live");
  EXPECT_EQ(call.invoked_arn, "arn:aws:lambda:us-east-1:000000000000:function:greet:live");
}

TEST_F(GatewayTest, KeepsThePathDoorFromTheConsolesOrigin) {
  answer(R"({"statusCode":200,"cookies":["a=1"],"body":"x"})");
  const auto reply = get("127.0.0.1", "/fn/greet/x");
  EXPECT_THAT(reply, HasSubstr("Content-Security-Policy: sandbox"));
  EXPECT_THAT(reply, Not(HasSubstr("Set-Cookie")));
  EXPECT_THAT(script_.calls.at(0).payload, HasSubstr(R"("x-forwarded-prefix":"/fn/greet")"));
  EXPECT_THAT(get("greet.localhost", "/"), HasSubstr("Set-Cookie: a=1"));
}

TEST_F(GatewayTest, NamesTheNearestFunctionForAnUnknownOne) {
  const auto reply = get("gret.localhost", "/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(reply, HasSubstr(R"(did you mean \"greet\"?)"));
  EXPECT_THAT(reply, HasSubstr("requestId"));
  EXPECT_THAT(get("127.0.0.1", "/fn/gret"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(get("greet.a.localhost", "/"), StartsWith("HTTP/1.1 404"));
}

TEST_F(GatewayTest, SaysHowToOpenAClosedUrl) {
  const auto reply = get("shut.localhost", "/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(reply, HasSubstr("lambda url shut open"));
  EXPECT_TRUE(script_.calls.empty());
}

TEST_F(GatewayTest, TakesAKeyAndKeepsItFromTheFunction) {
  answer("1");
  EXPECT_THAT(get("keyed.localhost", "/"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(get("keyed.localhost", "/", "X-Lambda-Key: lam_x_y\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_TRUE(script_.calls.empty());
  EXPECT_THAT(get("keyed.localhost", "/", std::string("X-Lambda-Key: ") + kToken + "\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(script_.calls.at(0).payload, Not(HasSubstr("lam_")));
}

TEST_F(GatewayTest, ChecksASignatureOverTheWholeBody) {
  answer("1");
  EXPECT_THAT(post("signed.localhost", "/", "abc", "X-Signed: 4\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(post("signed.localhost", "/", "abc", "X-Signed: 3\r\nAuthorization: AWS4\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(script_.calls.at(0).payload, HasSubstr(R"("accessKey":"AKIA")"));
  EXPECT_THAT(script_.calls.at(0).payload, Not(HasSubstr("AWS4")));
  EXPECT_THAT(script_.calls.at(0).payload, HasSubstr(R"("body":"YWJj")"));
}

TEST_F(GatewayTest, RefusesAnUnsignedRequestBeforeItsBody) {
  const auto fd = connect_to(port_);
  send_text(fd, "POST / HTTP/1.1\r\nHost: signed.localhost\r\nContent-Length: 6000000\r\n\r\n");
  EXPECT_THAT(read_until(fd, "}\n"), StartsWith("HTTP/1.1 403"));
}

TEST_F(GatewayTest, ChecksTheSignatureOfALargeBodyBesideTheLoop) {
  answer("1");
  const std::string small(1000, 'b');
  EXPECT_THAT(post("signed.localhost", "/", small, "X-Signed: 1000\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(keys_.checked_on.load(), thread_.get_id());
  const std::string large(1'000'000, 'b');
  EXPECT_THAT(post("signed.localhost", "/", large, "X-Signed: 1000000\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_NE(keys_.checked_on.load(), thread_.get_id());
}

TEST_F(GatewayTest, WorksThroughLargeBodiesBesideTheLoop) {
  // The longest that one turn of the loop takes while a body comes and a result goes.
  std::atomic<bool> ended = false;
  std::atomic<std::chrono::steady_clock::duration> longest{};
  auto watch = [](std::atomic<bool>& end, auto& most) -> Task<void> {
    auto last = std::chrono::steady_clock::now();
    while (!end) {
      co_await sleep_for(1ms);
      const auto now = std::chrono::steady_clock::now();
      most = std::max(most.load(), now - last);
      last = now;
    }
  };
  std::string arrays = "[";
  while (arrays.size() < 6'000'000) arrays += "[],";
  answer(arrays + "[]]");
  // What other processes take of the processor is no finding: one quick turn is enough.
  for (int i = 0; i == 0 || (i < 3 && longest.load() >= 100ms); ++i) {
    ended = false;
    longest = std::chrono::steady_clock::duration::zero();
    auto watched = asio::co_spawn(loop_, watch(ended, longest), asio::use_future);
    EXPECT_THAT(post("greet.localhost", "/", std::string(4'500'000, '\xff')),
                StartsWith("HTTP/1.1 200"));
    ended = true;
    watched.get();
  }
  EXPECT_LT(longest.load(), 100ms);
}

TEST_F(GatewayTest, TellsFailuresApartAndKeepsTheirDetailsPrivate) {
  fail_with(invoke::FunctionError::handled, "ValueError");
  auto reply = get("greet.localhost", "/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(reply, HasSubstr(R"("errorType":"ValueError")"));
  EXPECT_THAT(reply, HasSubstr("lambda logs greet"));
  EXPECT_THAT(reply, Not(HasSubstr("private words")));
  fail_with(invoke::FunctionError::timeout, "Sandbox.Timedout");
  EXPECT_THAT(get("greet.localhost", "/"), StartsWith("HTTP/1.1 504"));
  fail_with(invoke::FunctionError::exit, "Runtime.ExitError");
  EXPECT_THAT(get("greet.localhost", "/"), StartsWith("HTTP/1.1 502"));
  answer(R"({"statusCode":9})");
  EXPECT_THAT(get("greet.localhost", "/"), StartsWith("HTTP/1.1 502"));
  script_.answer = fail(ErrorCode::overloaded, "1000 calls run at once");
  reply = get("greet.localhost", "/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(reply, HasSubstr("Retry-After: 1"));
  script_.answer = fail(ErrorCode::sandbox_failed, "mount /secret: no");
  reply = get("greet.localhost", "/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(reply, Not(HasSubstr("/secret")));
}

TEST_F(GatewayTest, RefusesABodyThatIsTooLargeForAHandler) {
  EXPECT_THAT(raw("POST / HTTP/1.1\r\nHost: greet.localhost\r\nContent-Length: 6291457\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  const std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
  std::string bytes =
      "POST / HTTP/1.1\r\nHost: greet.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 7; ++i) bytes += chunk;
  EXPECT_THAT(raw(bytes), StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(script_.calls.empty());
}

TEST_F(GatewayTest, RefusesABodyThatTheServerHasNoRoomFor) {
  answer("1");
  http::BodyBudget::Share others(&bodies_);
  ASSERT_TRUE(others.grow_to(12 << 20, 0));
  for (const auto* host : {"greet.localhost", "signed.localhost"}) {
    const auto refusal = post(host, "/", std::string(4 << 20, 'x'), "X-Signed: 4194304\r\n");
    EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503"));
    EXPECT_THAT(refusal, HasSubstr("Retry-After: 1\r\n"));
  }
  EXPECT_THAT(post("greet.localhost", "/", "small"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(post("web.localhost", "/", std::string(4 << 20, 'x')), StartsWith("HTTP/1.1 200"));
  // A body may become longer as an event.
  EXPECT_THAT(
      post("greet.localhost", "/", std::string(1'000'000, '\1'), "Content-Type: text/a\r\n"),
      StartsWith("HTTP/1.1 503"));
  others.release();
  EXPECT_THAT(post("greet.localhost", "/", std::string(4 << 20, 'x')), StartsWith("HTTP/1.1 200"));
}

TEST_F(GatewayTest, AnswersPreflightsItself) {
  set_cors("greet", R"({"AllowOrigins":["*"],"AllowMethods":["GET"]})");
  const auto reply =
      raw("OPTIONS / HTTP/1.1\r\nHost: greet.localhost\r\nOrigin: https://a\r\n"
          "Access-Control-Request-Method: GET\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Methods: GET"));
  EXPECT_TRUE(script_.calls.empty());
}

// --- HTTP functions

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
  ProxiedRequest proxied(request, body, route, reply, *catalog_->resolve_live("web"), "trace");
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
}

TEST_F(GatewayTest, SaysThatAnHttpFunctionDoesNotStartAndNoMore) {
  script_.upstream_port = 0;
  const auto reply = get("web.localhost", "/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(reply, Not(HasSubstr("secret words")));
}

}  // namespace
}  // namespace lambda::gateway
