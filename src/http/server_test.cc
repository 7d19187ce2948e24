// The server as a whole: several loops, shortages, draining, clients that are slow or do not read.
#include "http/server.h"

#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <array>
#include <atomic>
#include <future>
#include <mutex>
#include <netinet/in.h>
#include <set>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

namespace lambda::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

class Behaviour final : public Handler {
 public:
  Task<void> handle(Request& request, BodyReader& body, ResponseWriter& writer) override {
    request.door = 2;
    request.answerer = "greet";
    request.answerer_version = "7";
    if (request.target == "/large") {
      Response head(200);
      head.headers.add("Content-Length", std::to_string(kLarge));
      co_await writer.start(std::move(head));
      for (std::size_t sent = 0; sent < kLarge; sent += 65536) {
        auto written = co_await writer.write(std::string(65536, 'l'));
        if (!written) break;
        produced += 65536;
      }
      co_await writer.finish();
      co_return;
    }
    if (request.target == "/slow") {
      ++waiting;
      co_await release.wait_until(in(5s));
    }
    if (request.target == "/beside") {
      co_await read_beside(body, writer);
      co_return;
    }
    if (request.target == "/whole") {
      Response answer(200, "text/plain", std::string(600'000, 'w'));
      answer.headers.add("x-amzn-RequestId", "id-of-the-whole");
      co_await writer.send(std::move(answer));
      co_return;
    }
    if (request.target == "/refuse") {
      Response answer(413, "text/plain", "too large");
      co_await writer.send(std::move(answer));
      co_return;
    }
    if (request.target == "/headers") {
      Response answer(200, "text/plain", std::string(request.headers.get("X-Long")));
      co_await writer.send(std::move(answer));
      co_return;
    }
    auto all = co_await read_all(body, 1 << 20);
    if (all && body.trailers() != nullptr) *all += body.trailers()->get("X-Behind");
    Response answer(200, "text/plain", all ? "ok " + *all : all.error().message());
    co_await writer.send(std::move(answer));
  }
  // The response and the request's body at the same time, as the gateway does it.
  Task<void> read_beside(BodyReader& body, ResponseWriter& writer) {
    const auto executor = co_await asio::this_coro::executor;
    AsyncEvent ended;
    auto on_end = [&ended](const std::exception_ptr&) { ended.set(); };
    asio::co_spawn(executor, count(body, uploaded), on_end);
    Response head(200);
    head.headers.add("Content-Length", std::to_string(kLarge));
    auto sent = co_await writer.start(std::move(head));
    for (std::size_t done = 0; done < kLarge && sent; done += 65536) {
      sent = co_await writer.write(std::string(65536, 'l'));
      if (sent) produced += 65536;
    }
    co_await writer.finish();
    co_await ended.wait();
  }
  static Task<void> count(BodyReader& body, std::atomic<std::size_t>& bytes) {
    while (true) {
      auto piece = co_await body.read_some();
      if (!piece || piece->empty()) co_return;
      bytes += piece->size();
    }
  }
  static constexpr std::size_t kLarge = 64 << 20;
  std::atomic<std::size_t> produced = 0;
  std::atomic<std::size_t> uploaded = 0;
  std::atomic<int> waiting = 0;
  AsyncEvent release;  // the one loop of the test that uses it
};

// "door status received sent answerer:version" of each request, in order.
class Observed final : public RequestObserver {
 public:
  void served(const ServedRequest& request) noexcept override {
    const std::lock_guard guard(mutex_);
    seen_.push_back(fmt::format("{} {} {} {} {}:{}", request.door, request.status, request.received,
                                request.sent, request.answerer, request.answerer_version));
  }
  std::vector<std::string> seen() {
    const std::lock_guard guard(mutex_);
    return seen_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> seen_;
};

class ServerTest : public testing::Test {
 public:
  void start(unsigned loops, ServerLimits limits = {}) {
    std::vector<Loop*> all;
    for (unsigned i = 0; i < loops; ++i) {
      loops_.push_back(std::make_unique<Loop>(1));
      guards_.push_back(asio::make_work_guard(*loops_.back()));
      all.push_back(loops_.back().get());
    }
    ListenAddress address;
    address.host = "127.0.0.1";
    auto listening = listen_on(address);
    ASSERT_TRUE(listening);
    port_ = bound_port(listening->get());
    server_ = std::make_unique<Server>(all, behaviour_, limits,
                                       std::vector<RequestObserver*>(loops, &observed_));
    server_->add_listener(std::move(*listening));
    for (auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
  }
  ~ServerTest() override {
    guards_.clear();
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
  }
  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connect(fd);
    return fd;
  }
  void connect(const UniqueFd& fd) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval limit{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  // A byte now and then, for 5 seconds at most: what is answered to that.
  static std::string drip(const UniqueFd& fd) {
    std::string answer;
    const auto end = in(5s);
    while (answer.empty() && std::chrono::steady_clock::now() < end) {
      say(fd, "b");
      std::this_thread::sleep_for(50ms);
      std::array<char, 4096> buffer;
      const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (count > 0) answer.assign(buffer.data(), static_cast<std::size_t>(count));
    }
    return answer;
  }
  static void say(const UniqueFd& fd, const std::string& bytes) {
    ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void expect_no_connection(std::chrono::seconds time) const {
    const auto limit = in(time);
    while (server_->open_connections() > 0 && std::chrono::steady_clock::now() < limit)
      std::this_thread::sleep_for(1ms);
    EXPECT_EQ(server_->open_connections(), 0u);
  }
  // Until the end of the connection, or until `until` has come.
  static std::string hear(const UniqueFd& fd, const std::string& until = {}) {
    std::string all;
    std::array<char, 65536> buffer;
    while (until.empty() || all.find(until) == std::string::npos) {
      const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      all.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return all;
  }
  std::string get(const std::string& path) const {
    const auto fd = connect();
    say(fd, "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    return hear(fd);
  }
  std::future<void> drain(std::chrono::milliseconds time) {
    auto done = std::make_shared<std::promise<void>>();
    auto work = [](Server& server, std::chrono::milliseconds limit,
                   std::shared_ptr<std::promise<void>> finished) -> Task<void> {
      co_await server.drain(in(limit));
      finished->set_value();
    };
    asio::co_spawn(*loops_.front(), work(*server_, time, done), asio::detached);
    return done->get_future();
  }

  Behaviour behaviour_;
  Observed observed_;
  BodyBudget budget_{768 * 1024};
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<asio::executor_work_guard<LoopExecutor>> guards_;
  std::unique_ptr<Server> server_;
  std::vector<std::thread> threads_;
  std::uint16_t port_ = 0;
};

TEST_F(ServerTest, ServesManyConnectionsOnSeveralLoops) {
  start(3);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect());
  for (const auto& client : clients) say(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  for (const auto& client : clients) EXPECT_THAT(hear(client, "ok "), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server_->open_connections(), 200u);
}

TEST_F(ServerTest, TellsOfEveryRequestThatIsOver) {
  start(1);
  const auto client = connect();
  say(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  hear(client, "ok ");
  say(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  hear(client, "ok hello");
  say(client, "HEAD /whole HTTP/1.1\r\nHost: x\r\n\r\n");
  hear(client, "\r\n\r\n");
  say(client, "GET  / HTTP/1.1\r\n\r\n");
  hear(client);
  const auto half = connect();
  say(half, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (behaviour_.waiting == 0) std::this_thread::yield();
  auto drained = drain(20ms);
  EXPECT_EQ(hear(half), "");
  asio::post(*loops_.front(), [this] { behaviour_.release.set(); });
  drained.wait();
  const auto seen = observed_.seen();
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen[0], "2 200 0 3 greet:7");
  EXPECT_EQ(seen[1], "2 200 5 8 greet:7");
  EXPECT_EQ(seen[2], "2 200 0 0 greet:7");
  EXPECT_THAT(seen[3], StartsWith("0 400 0 "));
  EXPECT_EQ(seen[4], "2 200 0 0 greet:7");  // it got none of it
}

TEST_F(ServerTest, HoldsASlowReaderWithABufferOnly) {
  start(1);
  const auto client = connect();
  say(client, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::size_t before = 0;
  do {  // until the kernel's buffers are full
    before = behaviour_.produced;
    std::this_thread::sleep_for(50ms);
  } while (behaviour_.produced != before || before == 0);
  EXPECT_LT(before, Behaviour::kLarge / 2);
  const auto all = hear(client);
  EXPECT_GT(all.size(), Behaviour::kLarge);
  EXPECT_EQ(behaviour_.produced, Behaviour::kLarge);
}

TEST_F(ServerTest, LosesNoRefusalToAReset) {
  start(1);
  for (int i = 0; i < 20; ++i) {
    const auto client = connect();
    say(client, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n");
    say(client, std::string(300'000, 'x'));
    EXPECT_THAT(hear(client), HasSubstr("too large"));
  }
}

TEST_F(ServerTest, TakesHeaderLinesOf32KiBAndCountsThem) {
  start(1);
  const std::string value(40'000, 'v');
  auto client = connect();
  say(client,
      "GET /headers HTTP/1.1\r\nHost: x\r\nX-Long: " + value + "\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(hear(client), HasSubstr("\r\n\r\n" + value));
  client = connect();
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 300; ++i) many += "X-A: 1\r\n";
  say(client, many + "\r\n");
  EXPECT_THAT(hear(client), StartsWith("HTTP/1.1 431"));
}

TEST_F(ServerTest, GivesTheHandlerWhatCameBehindTheLastChunk) {
  start(1);
  const auto fd = connect();
  say(fd,
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Behind\r\n\r\n"
      "4\r\nbody\r\n0\r\nX-Behind:  and more \r\n\r\n");
  EXPECT_THAT(hear(fd, "more"), HasSubstr("ok bodyand more"));
  say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nplain");
  EXPECT_THAT(hear(fd, "plain"), HasSubstr("ok plain"));
}

TEST_F(ServerTest, EndsAnIdleConnectionAndOneWhoseBodyDoesNotCome) {
  ServerLimits limits;
  limits.idle_time = 1s;
  limits.body_time = 1s;
  start(1, limits);
  const auto idle = connect();
  auto silent = connect();
  say(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  say(silent, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_THAT(hear(silent), HasSubstr("silent too long"));
  silent.reset();  // or the server lingers
  EXPECT_THAT(hear(idle), HasSubstr("ok "));
  expect_no_connection(2s);
}

TEST_F(ServerTest, EndsAClientThatUploadsBesideAResponseItDoesNotRead) {
  ServerLimits limits;
  limits.body_time = 1s;
  start(1, limits);
  const auto client = connect();
  say(client, "POST /beside HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
  say(client, std::string(100'000, 'x'));
  std::size_t before = 0;
  do {  // until the response waits for the client
    before = behaviour_.produced;
    std::this_thread::sleep_for(50ms);
  } while (behaviour_.produced != before || before == 0);
  say(client, std::string(100'000, 'x'));
  expect_no_connection(8s);
  EXPECT_EQ(behaviour_.uploaded, 200'000u);
}

TEST_F(ServerTest, AnUploadThatStopsDoesNotCutTheResponseBesideIt) {
  ServerLimits limits;
  limits.body_time = 1s;
  start(1, limits);
  const auto client = connect();
  say(client, "POST /beside HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\nhalf");
  std::size_t heard = 0;
  std::array<char, 65536> buffer;
  const auto hear_some = [&] {
    const auto count = ::recv(client.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) heard += static_cast<std::size_t>(count);
    return count > 0;
  };
  // Slowly, until the body's time has passed; then to the end.
  for (const auto slow = in(1500ms); std::chrono::steady_clock::now() < slow;) {
    ASSERT_TRUE(hear_some());
    std::this_thread::sleep_for(5ms);
  }
  while (heard <= Behaviour::kLarge && hear_some()) {
  }
  EXPECT_GT(heard, Behaviour::kLarge);
  EXPECT_EQ(behaviour_.uploaded, 4u);
}

TEST_F(ServerTest, HoldsNoMoreOfBodiesThanItsBudget) {
  ServerLimits limits;
  limits.bodies = &budget_;
  start(2, limits);
  constexpr std::size_t kBody = 300'000;
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n";
  std::vector<UniqueFd> held;
  std::string refusal;
  for (int i = 0; i < 8 && refusal.empty(); ++i) {
    held.push_back(connect());
    say(held.back(), head + std::string(kBody - 1, 'b'));
    // All of it is there, or the answer is.
    const auto limit = in(10s);
    while (refusal.empty() && budget_.used() < held.size() * (kBody - 1) &&
           std::chrono::steady_clock::now() < limit) {
      std::array<char, 4096> buffer;
      const auto count = ::recv(held.back().get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (count > 0) refusal.assign(buffer.data(), static_cast<std::size_t>(count));
      std::this_thread::sleep_for(1ms);
    }
  }
  EXPECT_EQ(held.size(), 3u);  // two fit beside what is kept for small bodies
  EXPECT_THAT(refusal, HasSubstr("as much of requests as it may"));
  EXPECT_LE(budget_.used(), budget_.limit());
  // Small calls go on.
  EXPECT_THAT(get("/"), HasSubstr("ok "));
  const auto small = connect();
  say(small, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n" +
                 std::string(60'000, 's'));
  EXPECT_THAT(hear(small), HasSubstr("ok sss"));
  // And what is answered makes room.
  say(held[0], "b");
  EXPECT_THAT(hear(held[0], "bbb"), StartsWith("HTTP/1.1 200"));
  held.clear();
  const auto next = connect();
  const auto limit = in(2s);
  while (budget_.used() > 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_EQ(budget_.used(), 0u);
  say(next, head + std::string(kBody, 'b'));
  EXPECT_THAT(hear(next, "bbb"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, CountsAResponseUntilItsReaderHasIt) {
  ServerLimits limits;
  limits.bodies = &budget_;
  start(1, limits);
  BodyBudget::Share others(&budget_);
  ASSERT_TRUE(others.grow_to(400'000, 0));
  const auto refusal = get("/whole");  // of 600,000 bytes
  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refusal, HasSubstr("this was carried out"));
  EXPECT_THAT(refusal, HasSubstr("x-amzn-RequestId: id-of-the-whole\r\n"));
  EXPECT_THAT(refusal, Not(HasSubstr("Retry-After")));
  others.release();
  EXPECT_THAT(get("/whole"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(ServerTest, EndsABodyThatComesTooSlowly) {
  ServerLimits limits;
  limits.slack = 1s;
  start(1, limits);
  const auto fd = connect();
  // Nearly all of it at once earns no more than the slack.
  say(fd,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + std::string(400'000, 'b'));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(drip(fd), HasSubstr("too slow"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
}

TEST_F(ServerTest, EndsChunksAndTrailersThatDripWithoutEnd) {
  ServerLimits limits;
  limits.slack = 1s;
  start(1, limits);
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string begun : {"3\r\nabc\r\n1;", "3\r\nabc\r\n0\r\nX: "}) {
    const auto fd = connect();
    say(fd, head + begun);
    EXPECT_THAT(drip(fd), HasSubstr("too slow")) << begun;
  }
}

TEST_F(ServerTest, EndsAReaderThatIsTooSlow) {
  ServerLimits limits;
  limits.body_time = 1s;
  limits.least_rate = 512 << 20;
  start(1, limits);
  const auto fd = connect();
  say(fd, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto begin = std::chrono::steady_clock::now();
  std::array<char, 65536> buffer;
  std::size_t got = 0;
  while (std::chrono::steady_clock::now() < begin + 8s) {
    const auto count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
    std::this_thread::sleep_for(10ms);  // 6 MB a second: never silent
  }
  EXPECT_LT(got, Behaviour::kLarge);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
}

TEST_F(ServerTest, CollectsABodyOfAKnownLengthInOneBlock) {
  class TwoPieces final : public BodyReader {
   public:
    Task<Result<std::string>> read_some() override {
      co_return std::string(left_-- > 0 ? 60'000 : 0, 'p');
    }
    std::optional<std::size_t> declared_length() const override { return 600'000; }

   private:
    int left_ = 10;
  };
  Loop loop(1);
  TwoPieces pieces;
  auto all = asio::co_spawn(loop, read_all(pieces, 1 << 20), asio::use_future);
  loop.run();
  const auto text = all.get();
  ASSERT_TRUE(text);
  EXPECT_EQ(text->size(), 600'000u);
  EXPECT_EQ(text->capacity(), 600'000u);
}

TEST_F(ServerTest, DrainLetsTheCurrentResponseFinish) {
  start(1);
  const auto busy = connect();
  say(busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (behaviour_.waiting == 0) std::this_thread::yield();
  auto drained = drain(5s);
  EXPECT_EQ(drained.wait_for(20ms), std::future_status::timeout);
  asio::post(*loops_.front(), [this] { behaviour_.release.set(); });
  const auto reply = hear(busy);
  EXPECT_THAT(reply, HasSubstr("ok "));
  EXPECT_THAT(reply, HasSubstr("Connection: close"));
  drained.wait();
  EXPECT_EQ(server_->open_connections(), 0u);
}

TEST_F(ServerTest, DrainClosesWhatIsLeftAtTheDeadline) {
  start(1);
  const auto busy = connect();
  say(busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (behaviour_.waiting == 0) std::this_thread::yield();
  auto drained = drain(20ms);
  EXPECT_EQ(hear(busy), "");
  asio::post(*loops_.front(), [this] { behaviour_.release.set(); });
  drained.wait();
  EXPECT_EQ(server_->open_connections(), 0u);
}

TEST_F(ServerTest, LetsMoreThanItsConnectionsWait) {
  ServerLimits limits;
  limits.connections = 2;
  start(1, limits);
  auto first = connect();
  auto second = connect();
  say(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(hear(first, "ok "), HasSubstr("ok "));
  auto third = connect();
  say(third, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  first.reset();
  EXPECT_THAT(hear(third), HasSubstr("ok "));
}

TEST_F(ServerTest, ClosesWhatIsIdleLongestForANewConnection) {
  ServerLimits limits;
  limits.connections = 3;
  start(1, limits);
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 3; ++i) {
    idle.push_back(connect());
    say(idle.back(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(idle.back(), "ok ");
  }
  // The first has a request again; the second is idle longest now, and gives way.
  say(idle[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  hear(idle[0], "ok ");
  const auto fresh = connect();
  say(fresh, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(hear(fresh, "ok "), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(hear(idle[1]), "");
  say(idle[2], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(hear(idle[2], "ok "), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, KeepsAWayInByTheUnixSocket) {
  ServerLimits limits;
  limits.connections = 2;
  start(1, limits);
  const std::string path = testing::TempDir() + "server_test.sock";
  ::unlink(path.c_str());
  ListenAddress address;
  address.unix_path = path;
  auto listening = listen_on(address);
  ASSERT_TRUE(listening) << listening.error().message();
  server_->add_listener(std::move(*listening));
  std::vector<UniqueFd> busy;
  for (int i = 0; i < 2; ++i) {
    busy.push_back(connect());
    say(busy.back(), "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  while (behaviour_.waiting < 2) std::this_thread::yield();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  const timeval limit{2, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(hear(fd, "ok "), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, OutlivesAShortageOfDescriptors) {
  start(1);
  const auto earlier = connect();  // once the loop runs, it needs no descriptors of its own
  say(earlier, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(hear(earlier, "ok "), HasSubstr("ok "));
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = 3;  // nothing new can be opened
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  connect(client);
  say(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::this_thread::sleep_for(80ms);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(hear(client), HasSubstr("ok "));
}

}  // namespace
}  // namespace lambda::http
