#include "sandbox/scripted_driver.h"

#include "base/background.h"

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lambda::sandbox {
namespace {

constexpr std::chrono::seconds kLong{30};

std::chrono::steady_clock::time_point in_a_while() {
  return std::chrono::steady_clock::now() + kLong;
}

UniqueFd listen_on_loopback(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), 64) != 0 ||
      ::getsockname(fd.get(), generic, &size) != 0) {
    return UniqueFd();
  }
  port = ntohs(address.sin_port);
  return fd;
}

class ScriptedSandbox final : public Sandbox {
 public:
  ScriptedSandbox(ScriptedDriver::RuntimePtr runtime, UniqueFd listener, UniqueFd log)
      : runtime_(std::move(runtime)), listener_(std::move(listener)), log_(std::move(log)) {}

  [[nodiscard]] const std::string& id() const override { return runtime_->spec.id; }
  UniqueFd take_runtime_listener() override { return std::move(listener_); }
  UniqueFd take_log() override { return std::move(log_); }
  Task<Result<UniqueFd>> connect(std::uint16_t) override {
    if (!runtime_->on_connect) co_return fail(ErrorCode::unavailable, "nobody listens");
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      co_return fail(Error::from_errno("socketpair"));
    const auto take = runtime_->on_connect;  // which may replace itself
    take(UniqueFd(ends[1]));
    co_return UniqueFd(ends[0]);
  }
  Task<ExitStatus> wait_exit() override {
    const auto runtime = runtime_;
    co_await runtime->exited.wait();
    co_return *runtime->status;
  }
  void terminate() override { kill(SIGTERM); }
  Task<Result<Done>> stop() override {
    kill(SIGKILL);
    runtime_->stopped = true;
    co_return Done{};
  }
  Task<Result<Done>> limit_cpu(unsigned thousandths) override {
    if (runtime_->limit_refusal) co_return fail(Error(*runtime_->limit_refusal));
    runtime_->cpu_thousandths = thousandths;
    co_return Done{};
  }
  Task<Result<Done>> freeze() override { return move(true); }
  Task<Result<Done>> thaw() override { return move(false); }
  Result<Usage> usage() override {
    Usage usage;
    usage.memory_peak_bytes = 37ull << 20;
    return usage;
  }
  Result<std::uint64_t> memory_in_use() override { return 20ull << 20; }

 private:
  Task<Result<Done>> move(bool frozen) {
    const auto runtime = runtime_;
    ++(frozen ? runtime->freezes : runtime->thaws);
    if (runtime->hold_motion != nullptr) co_await runtime->hold_motion->wait();
    if (runtime->motion_refusal) co_return fail(Error(*runtime->motion_refusal));
    runtime->frozen = frozen;
    co_return Done{};
  }
  void kill(int signal) {
    ExitStatus status;
    status.signal = signal;
    runtime_->exit(std::move(status));
  }

  ScriptedDriver::RuntimePtr runtime_;
  UniqueFd listener_;
  UniqueFd log_;
};

}  // namespace

ScriptedRuntime::ScriptedRuntime(SandboxSpec started_with, std::uint16_t api_port, UniqueFd log)
    : spec(std::move(started_with)), api_port_(api_port), log_(std::move(log)) {}

Task<Result<http::Response>> ScriptedRuntime::ask(http::Request request, std::string body) {
  if (status) co_return fail(ErrorCode::unavailable, "the sandbox has ended");
  if (!connection_ || !connection_->reusable()) {
    http::Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = api_port_;
    auto made = co_await http::ClientConnection::connect(std::move(endpoint), in_a_while());
    if (!made) co_return fail(std::move(made.error()));
    if (status) co_return fail(ErrorCode::unavailable, "the sandbox has ended");
    connection_ = std::move(*made);
  }
  request.headers.add("Host", "127.0.0.1:9001");
  http::BufferedBody sent(std::move(body));
  auto answer = co_await connection_->exchange(std::move(request), sent, in_a_while());
  if (answer) {
    auto bytes = co_await http::read_all(connection_->body(kLong), 64u << 20);
    if (bytes) {
      answer->body = std::move(*bytes);
    } else {
      answer = fail(std::move(bytes.error()));
    }
  }
  co_await connection_->stop_sending();
  co_return answer;
}

Task<std::optional<ScriptedRuntime::Event>> ScriptedRuntime::next() {
  http::Request request;
  request.method = "GET";
  request.target = "/2018-06-01/runtime/invocation/next";
  auto answer = co_await ask(std::move(request), {});
  if (!answer || answer->status != 200) co_return std::nullopt;
  Event event;
  event.id = answer->headers.get("Lambda-Runtime-Aws-Request-Id");
  event.payload = std::move(answer->body);
  event.headers = std::move(answer->headers);
  co_return event;
}

Task<unsigned> ScriptedRuntime::post(std::string path, std::string body, http::Headers headers) {
  http::Request request;
  request.method = "POST";
  request.target = "/2018-06-01/runtime/" + path;
  request.headers = std::move(headers);
  auto answer = co_await ask(std::move(request), std::move(body));
  co_return answer ? answer->status : 0;
}

Task<unsigned> ScriptedRuntime::respond(std::string id, std::string body) {
  co_return co_await post("invocation/" + id + "/response", std::move(body));
}

Task<void> ScriptedRuntime::serve(std::function<std::string(const Event&)> answer) {
  while (true) {
    auto event = co_await next();
    if (!event) co_return;
    auto body = answer(*event);
    co_await respond(event->id, std::move(body));
  }
}

void ScriptedRuntime::say(std::string_view text) const {
  while (!text.empty()) {
    const auto count = ::write(log_.get(), text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void ScriptedRuntime::exit(ExitStatus with) {
  if (status) return;
  status = std::move(with);
  if (connection_) connection_->close();
  exited.set();
}

Task<Result<std::unique_ptr<Sandbox>>> ScriptedDriver::start(
    SandboxSpec spec, std::chrono::steady_clock::time_point) {
  if (refusal) co_return fail(Error(*refusal));
  std::uint16_t port = 0;
  auto listener = listen_on_loopback(port);
  int pipe[2];
  if (!listener || ::pipe2(pipe, O_CLOEXEC) != 0)
    co_return fail(Error::from_errno("make a scripted sandbox"));
  auto runtime = std::make_shared<ScriptedRuntime>(std::move(spec), port, UniqueFd(pipe[1]));
  runtimes.push_back(runtime);
  UniqueFd log(pipe[0]);
  if (broken_log) log.reset();
  if (broken_listener) listener.reset();
  std::unique_ptr<Sandbox> sandbox =
      std::make_unique<ScriptedSandbox>(runtime, std::move(listener), std::move(log));
  const auto executor = co_await asio::this_coro::executor;
  asio::co_spawn(executor, script(runtime), in_background("a scripted runtime"));
  co_return sandbox;
}

}  // namespace lambda::sandbox
