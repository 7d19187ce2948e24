// What the tests of the gateway share: all of it over real sockets, with a real catalog, an invoker
// that follows a script, and for HTTP functions a real server of our own as the function. For tests
// alone; the servers have a thread of their own.
#pragma once

#include "base/deadline.h"
#include "function/catalog.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

namespace lambda::gateway {

inline constexpr const char* kToken = "lam_AAAAAAAAAAAAAAAAAAAA_secret";

inline UniqueFd connect_to(std::uint16_t port) {
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

inline void send_text(const UniqueFd& fd, std::string_view text) {
  EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// What came until `end` was in it, or nothing more came.
inline std::string read_until(const UniqueFd& fd, std::string_view end) {
  std::string all;
  std::array<char, 4096> buffer;
  while (all.find(end) == std::string::npos) {
    const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return all;
}

inline UniqueFd listen_anywhere() {
  http::ListenAddress address;
  address.host = "127.0.0.1";
  return std::move(*http::listen_on(address));
}

// The one key is known; a signature is right when X-Signed holds the body's size.
class OneKey final : public access::KeyChecker {
 public:
  Result<access::Caller> check_key(const http::Request&, std::string_view token) const override {
    if (token != kToken) return fail(ErrorCode::unauthenticated, "the key is unknown");
    access::Caller caller;
    caller.grants = grants;
    return caller;
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
    caller.grants = grants;
    return caller;
  }
  std::unique_ptr<access::KeyWatch> watch(const access::Caller&, LoopExecutor,
                                          std::function<void(const Error&)> on_end) const override {
    ends = std::move(on_end);
    return std::make_unique<Watch>(ends);
  }
  // On the loop: the key is none any more.
  void end() const {
    if (ends) ends(Error(ErrorCode::unauthenticated, "it was revoked"));
  }

  struct Watch final : access::KeyWatch {
    explicit Watch(std::function<void(const Error&)>& of) : ends(of) {}
    ~Watch() override { ends = {}; }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    std::function<void(const Error&)>& ends;
  };
  // Who is to be told of that; the last one.
  mutable std::function<void(const Error&)> ends;
  // What the key may do.
  store::Grants grants = store::Grants::everything();
  mutable std::atomic<std::thread::id> checked_on;
};

class Lease final : public invoke::HttpLease {
 public:
  Lease(UniqueFd socket, std::atomic<int>& open, std::atomic<bool>& discarded,
        std::vector<std::string>& noted)
      : socket_(std::move(socket)), open_(open), discarded_(discarded), noted_(noted) {
    ++open_;
  }
  ~Lease() override { --open_; }
  UniqueFd take_socket() override { return std::move(socket_); }
  const invoke::Timing& timing() const override { return timing_; }
  invoke::HttpUse& use() override { return use_; }
  void discard_instance() override { discarded_ = true; }
  Task<bool> ended_soon() override { co_return false; }
  Task<void> note_failure(std::string, std::string reason) override {
    noted_.push_back(std::move(reason));
    co_return;
  }

 private:
  UniqueFd socket_;
  std::atomic<int>& open_;
  std::atomic<bool>& discarded_;
  std::vector<std::string>& noted_;
  invoke::Timing timing_;
  invoke::HttpUse use_;
};

class Script final : public invoke::RefusingInvoker {
 public:
  Task<Result<invoke::Outcome>> invoke(invoke::Call call) override {
    calls.push_back(std::move(call));
    co_return answer;
  }
  Task<Result<std::unique_ptr<invoke::HttpLease>>> open_http(invoke::HttpCall) override {
    if (upstream_port == 0) co_return fail(ErrorCode::function_failed, "secret words of its log");
    std::unique_ptr<invoke::HttpLease> lease =
        std::make_unique<Lease>(connect_to(upstream_port), open_leases, discarded, noted);
    co_return lease;
  }

  Result<invoke::Outcome> answer = invoke::Outcome{};
  std::vector<invoke::Call> calls;
  std::uint16_t upstream_port = 0;
  std::atomic<int> open_leases = 0;
  std::atomic<bool> discarded = false;
  std::vector<std::string> noted;  // in the function's log
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
      gone = co_await writer.client_gone().wait_until(in(std::chrono::seconds(5)));
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
        co_await sleep_for(std::chrono::milliseconds(200));
      }
      co_await writer.finish();
      co_return;
    }
    if (path == "/endless") {
      co_await writer.start(http::Response(200));
      co_await writer.write("part");
      gone = co_await writer.client_gone().wait_until(in(std::chrono::seconds(60)));
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
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{},
                                                  store::MasterKey::ephemeral()));
    add("greet", function::UrlAuth::open, function::Kind::handler);
    add("shut", function::UrlAuth::closed, function::Kind::handler);
    add("keyed", function::UrlAuth::key, function::Kind::handler);
    add("signed", function::UrlAuth::iam, function::Kind::handler);
    add("web", function::UrlAuth::open, function::Kind::http);
    add("keyedweb", function::UrlAuth::key, function::Kind::http, 60);
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

  void add(const std::string& name, function::UrlAuth auth, function::Kind kind, int timeout = 1) {
    function::DeployCommit commit;
    commit.function = name;
    commit.configuration.runtime = "python3.11";
    commit.configuration.handler = "app.handler";
    commit.configuration.kind = kind;
    commit.configuration.timeout_seconds = timeout;
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

}  // namespace lambda::gateway
