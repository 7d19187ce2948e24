// Bytes as a client could send them, through a whole server connection: whatever comes, the server
// answers or closes, and what it hands to a handler keeps its promises.
#include "http/server.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <sys/socket.h>

namespace {

using namespace lambda;

void demand(bool promise) {
  if (!promise) std::abort();
}

class Reader final : public http::Handler {
 public:
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override {
    demand(request.target.starts_with('/') || request.target == "*");
    demand(request.target.find_first_of(" \r\n") == std::string::npos);
    demand(!request.headers.has("Content-Length") || !request.headers.has("Transfer-Encoding"));
    demand(request.version < 11 || request.headers.has("Host"));
    for (const auto& field : request.headers) {
      demand(field.value.find_first_of("\r\n") == std::string::npos);
    }
    auto all = co_await http::read_all(body, 1 << 20);
    const auto declared = body.declared_length();
    demand(!all || !declared || all->size() == *declared);
    http::Response answer(200, "text/plain", all ? std::move(*all) : all.error().message());
    for (const auto& field : request.headers) answer.headers.add(field.name, field.value);
    co_await writer.send(std::move(answer));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Reader reader;
  static Loop loop{1};
  if (size > 60'000) return 0;  // what the socket's buffer takes at once
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return 0;
  UniqueFd server(ends[0]);
  const UniqueFd client(ends[1]);
  static_cast<void>(::send(client.get(), data, size, MSG_NOSIGNAL));
  ::shutdown(client.get(), SHUT_WR);
  http::ServerLimits limits;
  limits.body_time = std::chrono::seconds(1);  // answers that the client does not read
  asio::co_spawn(loop, http::serve_connection(std::move(server), http::Peer{}, reader, limits),
                 asio::detached);
  loop.restart();
  loop.run();
  return 0;
}
