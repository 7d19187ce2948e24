// The client against a server whose bytes a test writes itself, and against our own server.
#include "http/client.h"

#include "http/deadline_fixture.h"
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace lambda::http {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

Request get(std::string target, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.add("Host", "x");
  return request;
}

// Runs a coroutine to its end on a loop of its own.
template <class... Parameters, class... Arguments>
void run(Task<void> (*coroutine)(Parameters...), Arguments&&... arguments) {
  Loop loop;
  std::exception_ptr thrown;
  asio::co_spawn(loop, coroutine(std::forward<Arguments>(arguments)...),
                 [&thrown](std::exception_ptr error) { thrown = error; });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
}

// The other end of a socket pair, in a thread: what it reads until `until`, then what it writes.
class OtherEnd {
 public:
  OtherEnd() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
  }
  ~OtherEnd() {
    if (thread_.joinable()) thread_.join();
  }
  OtherEnd(const OtherEnd&) = delete;
  OtherEnd& operator=(const OtherEnd&) = delete;
  UniqueFd take() { return std::move(ours_); }
  void plays(std::function<void(OtherEnd&)> script) {
    thread_ = std::thread([this, script] {
      script(*this);
      theirs_.reset();
    });
  }
  void read_until(const std::string& end) {
    std::array<char, 4096> buffer;
    while (received.find(end) == std::string::npos) {
      const auto count = ::recv(theirs_.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) return;
      received.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  void say(const std::string& bytes) const {
    ::send(theirs_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void join() { thread_.join(); }
  std::string received;

 private:
  UniqueFd ours_;
  UniqueFd theirs_;
  std::thread thread_;
};

// A body that comes in pieces and does not say how long it is.
class Pieces final : public BodyReader {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  Task<Result<std::string>> read_some() override {
    if (next_ == pieces_.size()) co_return std::string();
    co_return pieces_[next_++];
  }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override { return std::nullopt; }

 private:
  std::vector<std::string> pieces_;
  std::size_t next_ = 0;
};

// A body that never comes.
class Silence final : public BodyReader {
 public:
  Task<Result<std::string>> read_some() override {
    co_await sleep_for(1h);
    co_return std::string();
  }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override { return std::nullopt; }
};

TEST(Client, UsesAConnectionAgainAndSkipsInterimResponses) {
  OtherEnd peer;
  peer.plays([](OtherEnd& self) {
    self.read_until("\r\n\r\n");
    self.say(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
        "2\r\n\r\nhi");
    self.read_until("abc");
    self.say("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n0\r\n\r\n");
  });
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    BufferedBody none("");
    auto first = co_await (*connection)->exchange(get("/1"), none, in(2s));
    EXPECT_EQ(first->status, 200u);
    EXPECT_FALSE((*connection)->reusable());
    auto body = co_await read_all((*connection)->body(2s), 100);
    EXPECT_EQ(*body, "hi");
    EXPECT_TRUE((*connection)->reusable());
    BufferedBody some("abc");
    auto second = co_await (*connection)->exchange(get("/2", "POST"), some, in(2s));
    EXPECT_EQ(second->status, 201u);
    auto rest = co_await read_all((*connection)->body(2s), 100);
    EXPECT_EQ(*rest, "foo");
  };
  run(+script, peer);
  peer.join();
  EXPECT_THAT(peer.received,
              HasSubstr("POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"));
  EXPECT_THAT(peer.received, HasSubstr("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
}

TEST(Client, SendsBodiesOfUnknownLengthInChunks) {
  OtherEnd peer;
  peer.plays([](OtherEnd& self) {
    self.read_until("0\r\n\r\n");
    self.say("HTTP/1.1 200 OK\r\n\r\nto the end");
  });
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    Pieces pieces({"ab", "cde"});
    auto response = co_await (*connection)->exchange(get("/", "POST"), pieces, in(2s));
    EXPECT_EQ(response->status, 200u);
    auto body = co_await read_all((*connection)->body(2s), 100);
    EXPECT_EQ(*body, "to the end");
    EXPECT_FALSE((*connection)->reusable());
  };
  run(+script, peer);
  peer.join();
  EXPECT_THAT(peer.received,
              HasSubstr("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"));
}

TEST(Client, StopsSendingAtAnEarlyRefusal) {
  OtherEnd peer;
  peer.plays([](OtherEnd& self) {
    self.read_until("\r\n\r\n");
    self.say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    self.read_until("never");
  });
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    Silence silence;
    auto response = co_await (*connection)->exchange(get("/", "POST"), silence, in(2s));
    EXPECT_EQ(response->status, 413u);
    (*connection)->close();
  };
  run(+script, peer);
}

TEST(Client, GivesUpAtTheDeadline) {
  OtherEnd peer;
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    BufferedBody none("");
    auto response = co_await (*connection)->exchange(get("/"), none, in(20ms));
    EXPECT_EQ(response.error().code(), ErrorCode::timeout) << response.error().message();
  };
  run(+script, peer);
}

// A socket that it connected itself, and a body that stops just where more could be there.
TEST(Client, WaitsForNoByteLongerThanTheDeadline) {
  ListenAddress address;
  address.host = "127.0.0.1";
  auto listening = listen_on(address);
  ASSERT_TRUE(listening) << listening.error().message();
  const auto port = bound_port(listening->get());
  std::thread server([fd = listening->get()] {
    const UniqueFd accepted(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
    const auto say = [&accepted](const std::string& bytes) {
      ::send(accepted.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    };
    say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    std::this_thread::sleep_for(100ms);
    say(std::string(4096, 'x'));
    std::this_thread::sleep_for(2s);
  });
  run(
      +[](std::uint16_t to) -> Task<void> {
        Endpoint endpoint;
        endpoint.host = "127.0.0.1";
        endpoint.port = to;
        const auto answer = co_await fetch(endpoint, get("/"), {}, in(600ms), 1 << 20);
        EXPECT_FALSE(answer);
        if (!answer) {
          EXPECT_EQ(answer.error().code(), ErrorCode::timeout);
        }
      },
      port);
  server.join();
}

TEST(Client, SaysThatAResponseWasCutOrIsNoHttp) {
  for (const auto* bytes : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"}) {
    OtherEnd peer;
    peer.plays([bytes](OtherEnd& self) {
      self.read_until("\r\n\r\n");
      self.say(bytes);
    });
    auto script = [](OtherEnd& other) -> Task<void> {
      auto connection = co_await ClientConnection::adopt(other.take());
      BufferedBody none("");
      auto response = co_await (*connection)->exchange(get("/"), none, in(2s));
      EXPECT_TRUE(response);
      auto body = co_await read_all((*connection)->body(2s), 100);
      EXPECT_EQ(body.error().code(), ErrorCode::unavailable);
      EXPECT_FALSE((*connection)->reusable());
    };
    run(+script, peer);
  }
  OtherEnd peer;
  peer.plays([](OtherEnd& self) {
    self.read_until("\r\n\r\n");
    self.say("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  });
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    BufferedBody none("");
    auto response = co_await (*connection)->exchange(get("/"), none, in(2s));
    EXPECT_EQ(response.error().code(), ErrorCode::invalid);
  };
  run(+script, peer);
}

TEST(Client, RefusesToSendWhatWouldBeReadAsSomethingElse) {
  OtherEnd peer;
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    BufferedBody none("");
    auto split = co_await (*connection)->exchange(get("/ HTTP/1.1\r\nX: 1"), none, in(1s));
    EXPECT_EQ(split.error().code(), ErrorCode::invalid);
    auto request = get("/");
    request.headers.add("X-A", "1\r\nX-B: 2");
    auto injected = co_await (*connection)->exchange(std::move(request), none, in(1s));
    EXPECT_EQ(injected.error().code(), ErrorCode::invalid);
  };
  run(+script, peer);
}

TEST(Client, TakesTheStreamAfterAnUpgrade) {
  OtherEnd peer;
  peer.plays([](OtherEnd& self) {
    self.read_until("\r\n\r\n");
    self.say("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nahead");
    self.read_until("ping");
    self.say("pong");
  });
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    BufferedBody none("");
    auto response = co_await (*connection)->exchange(get("/", "POST"), none, in(2s));
    EXPECT_EQ(response->status, 101u);
    const auto stream = (*connection)->take_stream();
    connection->reset();
    auto ahead = co_await stream->read_some();
    EXPECT_EQ(*ahead, "ahead");
    co_await stream->write("ping");
    auto answer = co_await stream->read_some();
    EXPECT_EQ(*answer, "pong");
    auto end = co_await stream->read_some();
    EXPECT_EQ(*end, "");
  };
  run(+script, peer);
}

TEST(Client, CloseWakesWhateverWaits) {
  OtherEnd peer;
  auto script = [](OtherEnd& other) -> Task<void> {
    auto connection = co_await ClientConnection::adopt(other.take());
    auto& raw = **connection;
    auto later = [](ClientConnection& it) -> Task<void> {
      co_await sleep_for(5ms);
      it.close();
    };
    asio::co_spawn(co_await asio::this_coro::executor, later(raw), asio::detached);
    Silence silence;
    auto response = co_await raw.exchange(get("/", "POST"), silence, in(5s));
    EXPECT_EQ(response.error().code(), ErrorCode::unavailable);
  };
  run(+script, peer);
}

TEST(Client, SaysWhyItCannotConnect) {
  auto script = []() -> Task<void> {
    Endpoint nobody;
    nobody.host = "127.0.0.1";
    nobody.port = 1;
    auto refused = co_await ClientConnection::connect(nobody, in(2s));
    EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
    EXPECT_THAT(refused.error().message(), HasSubstr("127.0.0.1:1: Connection refused"));
    Endpoint missing;
    missing.unix_path = "/nowhere/x.sock";
    auto no_file = co_await ClientConnection::connect(missing, in(2s));
    EXPECT_THAT(no_file.error().message(), HasSubstr("/nowhere/x.sock: No such file"));
  };
  run(+script);
}

// Answers with who the client is.
class WhoAreYou final : public Handler {
 public:
  Task<void> handle(Request& request, BodyReader&, ResponseWriter& writer) override {
    const auto& peer = request.peer;
    auto text = fmt::format("{} {} {} {}", peer.address, peer.loopback, peer.local_port,
                            peer.unix_uid ? std::to_string(*peer.unix_uid) : "none");
    Response answer(200, "text/plain", std::move(text));
    co_await writer.send(std::move(answer));
  }
};

TEST(Client, ReachesUnixSocketsAndLocalhostNamesAndIsKnownThere) {
  const std::string path = "/tmp/lambda-http-test-" + std::to_string(::getpid()) + ".sock";
  ListenAddress tcp;
  tcp.host = "127.0.0.1";
  ListenAddress local;
  local.unix_path = path;
  auto listening = listen_on(tcp);
  auto unix_listening = listen_on(local);
  ASSERT_TRUE(unix_listening) << unix_listening.error().message();
  EXPECT_EQ(listen_on(local).error().code(), ErrorCode::conflict);
  const auto port = bound_port(listening->get());
  Loop loop{1};
  WhoAreYou handler;
  std::vector<Loop*> loops{&loop};
  Server server(loops, handler, ServerLimits{});
  server.add_listener(std::move(*listening));
  server.add_listener(std::move(*unix_listening));
  auto script = [](Server& it, std::string socket, std::uint16_t number) -> Task<void> {
    Endpoint by_name;
    by_name.host = "greet.localhost";
    by_name.port = number;
    auto over_tcp = co_await fetch(by_name, get("/"), "", in(2s), 100);
    EXPECT_EQ(over_tcp->body, fmt::format("127.0.0.1 true {} none", number));
    // A name that is looked up nowhere; and the first address that answers.
    Endpoint by_address;
    by_address.host = "name.invalid";
    by_address.port = number;
    by_address.addresses = {asio::ip::make_address("127.0.0.2"),
                            asio::ip::make_address("127.0.0.1")};
    auto over_address = co_await fetch(by_address, get("/"), "", in(2s), 100);
    EXPECT_EQ(over_address->body, fmt::format("127.0.0.1 true {} none", number));
    Endpoint by_path;
    by_path.unix_path = socket;
    auto over_unix = co_await fetch(by_path, get("/"), "", in(2s), 100);
    EXPECT_EQ(over_unix->body, fmt::format(" true 0 {}", ::getuid()));
    auto too_much = co_await fetch(by_path, get("/"), "", in(2s), 3);
    EXPECT_EQ(too_much.error().code(), ErrorCode::too_large);
    co_await it.drain(in(1s));
  };
  asio::co_spawn(loop, script(server, path, port), asio::detached);
  loop.run();
  ::unlink(path.c_str());
  EXPECT_EQ(server.open_connections(), 0u);
}

}  // namespace
}  // namespace lambda::http
