// Steps: accept connections inside the sandbox, so many at once -> http::serve_connection -> by the
// request: a tunnel, a request passed on, the result, the failure.
#include "deploy/dependencies/build_proxy.h"

#include "base/async_fd.h"
#include "base/background.h"
#include "deploy/dependencies/proxy_target.h"
#include "http/client.h"
#include "http/server.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <sys/socket.h>
#include <utility>

namespace lambda::deploy {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kLongestFailure = 4 * 1024;
constexpr std::chrono::milliseconds kPauseWhenFull{20};

http::Response told(unsigned status, std::string_view text) {
  return http::Response(status, "text/plain", fmt::format("{}\n", text));
}

unsigned status_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::denied:
      return 403;
    case ErrorCode::invalid:
      return 400;
    case ErrorCode::timeout:
      return 504;
    case ErrorCode::too_large:
      return 413;
    default:
      return 502;
  }
}

// For a terminal: one line, nothing that moves its cursor.
std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  const auto end = text.find_last_not_of(' ');
  text.resize(end == std::string::npos ? 0 : end + 1);
  return text;
}

}  // namespace

struct BuildProxy::Impl final : http::Handler, std::enable_shared_from_this<BuildProxy::Impl> {
  Impl(LoopExecutor loop, Parts its_parts, Limits its_limits)
      : executor(loop), listener(loop), parts(std::move(its_parts)), limits(its_limits) {}

  // What close() wakes: something open, while it lives.
  class Open;

  LoopExecutor executor;
  asio::posix::basic_stream_descriptor<LoopExecutor> listener;
  Parts parts;
  Limits limits;
  std::size_t connections = 0;
  std::uint64_t fetched = 0;
  std::uint64_t result_bytes = 0;
  bool closing = false;
  bool result_begun = false;
  bool result_whole = false;
  std::optional<std::string> failure;
  std::optional<Error> error;
  std::set<Open*> open;
  AsyncEvent all_closed;

  Task<void> accept_loop(std::shared_ptr<Impl> self);
  Task<void> serve(std::shared_ptr<Impl> self, int fd);
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override;
  Task<void> make_tunnel(const http::Request& request, http::BodyReader& body,
                         http::ResponseWriter& writer);
  Task<void> forward(const http::Request& request, http::BodyReader& body,
                     http::ResponseWriter& writer);
  Task<void> pass_on(http::ClientConnection& upstream, http::Request request,
                     http::BodyReader& body, http::ResponseWriter& writer);
  Task<Result<Done>> take_result(http::BodyReader& body);
  Task<void> keep_result(http::BodyReader& body, http::ResponseWriter& writer);
  Task<void> keep_failure(http::BodyReader& body, http::ResponseWriter& writer);
  // The endpoint with addresses that may be connected to.
  Task<Result<http::Endpoint>> checked(http::Endpoint endpoint, SteadyTime deadline);
  Task<Result<std::unique_ptr<http::ClientConnection>>> connect(http::Endpoint endpoint);
  Task<void> refuse(const Error& why, http::ResponseWriter& writer);
  // False: that is more than may be fetched.
  bool count(std::size_t bytes);
  void give_up(Error why);
  void end_all();
  void check_closed() {
    if (closing && connections == 0 && !listener.is_open()) all_closed.set();
  }
};

class BuildProxy::Impl::Open {
 public:
  Open(Impl& owner, std::function<void()> end) : owner_(owner), end_(std::move(end)) {
    owner_.open.insert(this);
  }
  ~Open() { owner_.open.erase(this); }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  void end() const { end_(); }

 private:
  Impl& owner_;
  std::function<void()> end_;
};

namespace {

// A server's end of a tunnel, whose bytes count.
class CountedStream final : public http::ByteStream {
 public:
  CountedStream(std::unique_ptr<http::ByteStream> stream, std::function<bool(std::size_t)> count)
      : stream_(std::move(stream)), count_(std::move(count)) {}
  Task<Result<std::string>> read_some() override {
    auto bytes = co_await stream_->read_some();
    if (bytes && !count_(bytes->size())) co_return fail(ErrorCode::too_large, "too much");
    co_return bytes;
  }
  Task<Result<std::size_t>> write(std::string bytes) override {
    if (!count_(bytes.size())) co_return fail(ErrorCode::too_large, "too much");
    co_return co_await stream_->write(std::move(bytes));
  }
  void shutdown_send() override { stream_->shutdown_send(); }
  void close() override { stream_->close(); }

 private:
  std::unique_ptr<http::ByteStream> stream_;
  std::function<bool(std::size_t)> count_;
};

}  // namespace

// --- connections

Task<void> BuildProxy::Impl::accept_loop([[maybe_unused]] std::shared_ptr<Impl> self) {
  while (!closing) {
    if (connections >= limits.connections) {
      co_await sleep_for(kPauseWhenFull);
      continue;
    }
    auto [failed] = co_await listener.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (failed) break;
    const int fd =
        ::accept4(listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        co_await sleep_for(kPauseWhenFull);
      continue;
    }
    ++connections;
    asio::co_spawn(executor, serve(shared_from_this(), fd),
                   in_background("a connection of a build"));
  }
  boost::system::error_code ignored;
  listener.close(ignored);
  check_closed();
}

Task<void> BuildProxy::Impl::serve(std::shared_ptr<Impl> self, int fd) {
  http::ServerLimits server;
  server.forwards = true;
  server.idle_time = limits.silence;
  server.body_time = limits.silence;
  server.least_rate = 0;
  http::Peer peer;
  peer.loopback = true;
  // Shared: close() may come while it waits for its next request.
  const auto raw = std::make_shared<UniqueFd>(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const Open listed(*self, [raw] { ::shutdown(raw->get(), SHUT_RDWR); });
  co_await http::serve_connection(UniqueFd(fd), std::move(peer), *self, server);
  --connections;
  check_closed();
}

Task<void> BuildProxy::Impl::handle(http::Request& request, http::BodyReader& body,
                                    http::ResponseWriter& writer) {
  if (request.method == "CONNECT") co_return co_await make_tunnel(request, body, writer);
  if (!request.target.starts_with('/')) co_return co_await forward(request, body, writer);
  if (request.method == "PUT" && request.target == "/result")
    co_return co_await keep_result(body, writer);
  if (request.method == "PUT" && request.target == "/failure")
    co_return co_await keep_failure(body, writer);
  auto answer = told(404, "this is the proxy of a build: it takes http:// URLs and CONNECT");
  co_await writer.send(std::move(answer));
}

void BuildProxy::Impl::give_up(Error why) {
  if (error) return;
  error = std::move(why);
  if (parts.on_error && !closing) parts.on_error();
}

bool BuildProxy::Impl::count(std::size_t bytes) {
  fetched += bytes;
  if (fetched <= limits.fetched_bytes) return true;
  give_up(Error(ErrorCode::too_large,
                fmt::format("the build sent and fetched more than {} MB: name fewer dependencies, "
                            "or deploy with a Dockerfile",
                            limits.fetched_bytes >> 20)));
  return false;
}

Task<void> BuildProxy::Impl::refuse(const Error& why, http::ResponseWriter& writer) {
  const bool telling = why.code() == ErrorCode::denied || why.code() == ErrorCode::unavailable ||
                       why.code() == ErrorCode::timeout;
  if (telling && parts.on_unreached && !closing && !error)
    parts.on_unreached(Error(why.code(), one_line(why.message())));
  auto answer = told(status_of(why), one_line(why.message()));
  co_await writer.send(std::move(answer));
}

// --- out

Task<Result<http::Endpoint>> BuildProxy::Impl::checked(http::Endpoint endpoint,
                                                       SteadyTime deadline) {
  auto addresses = co_await parts.find(endpoint.host, deadline);
  if (!addresses) co_return fail(std::move(addresses.error()));
  const bool web = endpoint.port == 80 || endpoint.port == 443;
  const bool named = std::ranges::all_of(
      *addresses, [this](const egress::Address& address) { return parts.rules.names(address); });
  if (!web && !named) {
    co_return fail(ErrorCode::denied,
                   "{}:{}: builds go to the ports 80 and 443 alone, unless the server's "
                   "build_networks names the network",
                   endpoint.host, endpoint.port);
  }
  endpoint.addresses = std::move(*addresses);
  co_return endpoint;
}

Task<Result<std::unique_ptr<http::ClientConnection>>> BuildProxy::Impl::connect(
    http::Endpoint endpoint) {
  const auto deadline = steady_clock::now() + limits.connect_time;
  auto there = co_await checked(std::move(endpoint), deadline);
  if (!there) co_return fail(std::move(there.error()));
  // TLS is the business of those who talk.
  there->tls = false;
  if (closing || error) co_return fail(ErrorCode::unavailable, "the build is over");
  co_return co_await http::ClientConnection::connect(std::move(*there), deadline);
}

Task<void> BuildProxy::Impl::make_tunnel(const http::Request& request, http::BodyReader& body,
                                         http::ResponseWriter& writer) {
  auto endpoint = connect_target(request.target);
  if (endpoint && body.declared_length() != std::size_t{0})
    endpoint = fail(ErrorCode::invalid, "CONNECT has no body");
  if (!endpoint) co_return co_await refuse(endpoint.error(), writer);
  auto upstream = co_await connect(std::move(*endpoint));
  if (!upstream) co_return co_await refuse(upstream.error(), writer);
  CountedStream there((*upstream)->take_stream(),
                      [this](std::size_t bytes) { return count(bytes); });
  auto here = co_await writer.upgrade(http::Response(200));
  if (!here) co_return;
  const Open listed(*this, [&there] { there.close(); });
  if (closing) co_return;
  co_await http::tunnel(**here, there, limits.silence);
}

Task<void> BuildProxy::Impl::forward(const http::Request& request, http::BodyReader& body,
                                     http::ResponseWriter& writer) {
  auto target = forward_target(request);
  if (!target) co_return co_await refuse(target.error(), writer);
  auto upstream = co_await connect(std::move(target->endpoint));
  if (!upstream) co_return co_await refuse(upstream.error(), writer);
  const Open listed(*this, [&upstream] { (*upstream)->close(); });
  if (closing) co_return;
  std::exception_ptr thrown;
  try {
    co_await pass_on(**upstream, std::move(target->request), body, writer);
  } catch (...) {
    thrown = std::current_exception();
  }
  // The body is sent by a coroutine of its own, which must not outlive it.
  co_await (*upstream)->stop_sending();
  if (thrown) std::rethrow_exception(thrown);
}

Task<void> BuildProxy::Impl::pass_on(http::ClientConnection& upstream, http::Request request,
                                     http::BodyReader& body, http::ResponseWriter& writer) {
  auto head =
      co_await upstream.exchange(std::move(request), body, steady_clock::now() + limits.silence);
  if (!head) co_return co_await refuse(head.error(), writer);
  auto& answer = upstream.body(limits.silence);
  auto sent = co_await writer.start(passed_on(std::move(*head)));
  while (sent) {
    auto piece = co_await answer.read_some();
    // Without finish() the connection ends, which tells that something is missing.
    if (!piece || !count(piece->size())) co_return;
    if (piece->empty()) break;
    sent = co_await writer.write(std::move(*piece));
  }
  if (sent) co_await writer.finish();
}

// --- what the sandbox hands over

Task<Result<Done>> BuildProxy::Impl::take_result(http::BodyReader& body) {
  while (true) {
    auto piece = co_await body.read_some();
    if (!piece) co_return fail(std::move(piece.error()), "receive what was installed");
    if (piece->empty()) co_return Done{};
    result_bytes += piece->size();
    if (result_bytes > limits.result_bytes) {
      co_return fail(ErrorCode::too_large,
                     "what was installed is larger than a function may be (250 MB with its code): "
                     "name fewer dependencies, or deploy with a Dockerfile");
    }
    if (closing) co_return fail(ErrorCode::unavailable, "the build is over");
    auto taken = co_await parts.take(std::move(*piece));
    if (!taken) co_return taken;
  }
}

Task<void> BuildProxy::Impl::keep_result(http::BodyReader& body, http::ResponseWriter& writer) {
  if (std::exchange(result_begun, true)) {
    auto answer = told(409, "a result was handed over already");
    co_await writer.send(std::move(answer));
    co_return;
  }
  auto taken = co_await take_result(body);
  result_whole = taken.has_value();
  // A body that was cut off is the sandbox's own failure.
  if (!taken && taken.error().code() != ErrorCode::unavailable) give_up(Error(taken.error()));
  auto answer =
      taken ? told(200, "taken") : told(status_of(taken.error()), taken.error().message());
  co_await writer.send(std::move(answer));
}

Task<void> BuildProxy::Impl::keep_failure(http::BodyReader& body, http::ResponseWriter& writer) {
  auto text = co_await http::read_all(body, kLongestFailure);
  if (text && !failure) failure = one_line(std::move(*text));
  auto answer = text ? told(200, "taken") : told(status_of(text.error()), text.error().message());
  co_await writer.send(std::move(answer));
}

// --- from outside

BuildProxy::BuildProxy(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<BuildProxy>> BuildProxy::open(LoopExecutor executor, UniqueFd listener,
                                                     Parts parts, Limits limits) {
  auto impl = std::make_shared<Impl>(executor, std::move(parts), limits);
  ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
  auto given = give_to(impl->listener, std::move(listener), "the socket of a build's sandbox");
  if (!given) return fail(std::move(given.error()));
  asio::co_spawn(executor, impl->accept_loop(impl), in_background("the proxy of a build"));
  return std::unique_ptr<BuildProxy>(new BuildProxy(std::move(impl)));
}

void BuildProxy::Impl::end_all() {
  closing = true;
  boost::system::error_code ignored;
  listener.close(ignored);
  for (const auto* one : std::set<Open*>(open)) one->end();
}

BuildProxy::~BuildProxy() {
  impl_->end_all();
}

bool BuildProxy::has_result() const {
  return impl_->result_whole;
}

const std::optional<std::string>& BuildProxy::failure() const {
  return impl_->failure;
}

const std::optional<Error>& BuildProxy::error() const {
  return impl_->error;
}

Task<void> BuildProxy::close() {
  const auto self = impl_;
  self->end_all();
  self->check_closed();
  co_await self->all_closed.wait_until(steady_clock::now() + self->limits.connect_time);
}

}  // namespace lambda::deploy
