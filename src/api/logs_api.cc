// Steps of a stream: what was written before it (or after the line that the client names) -> again
// and again what came since, as a page from memory, or from disk where the client is slow -> the
// end, when the function is deleted, the server stops, or the key that asked is none any more.
#include "api/logs_api.h"

#include "access/caller_watch.h"
#include "api/log_request.h"
#include "base/deadline.h"
#include "base/time_text.h"
#include "observe/log_json.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::api {
namespace {

// Often enough that a connection whose other end is gone is noticed, and that proxies keep it.
constexpr std::chrono::seconds kHeartbeat{15};
// One reading; then others have their turn, and the client goes on.
constexpr std::chrono::seconds kReadingTime{3};

std::string lost_json(const observe::LogTrouble& trouble) {
  return fmt::format(R"({{"since":"{}Z","lines":{},"reason":{}}})", format_iso(trouble.since),
                     trouble.lines, boost::json::serialize(boost::json::value(trouble.reason)));
}

Task<Answer> answer_logs(Services& services, observe::LogStore::Query query) {
  auto read = [&logs = services.logs, query]() mutable {
    query.deadline = std::chrono::steady_clock::now() + kReadingTime;
    const auto reading = logs.read(query);
    std::string body = "{";
    if (const auto trouble = logs.trouble(query.function))
      body += fmt::format(R"("lost":{},)", lost_json(*trouble));
    if (reading.rest) {
      body +=
          fmt::format(R"("rest":{{"{}":{}}},)", query.after ? "after" : "before", *reading.rest);
    }
    body += R"("lines":[)";
    for (const auto& line : reading.lines) {
      if (body.back() == '}') body += ',';
      body += observe::shown_json(line);
    }
    return body + "]}";
  };
  auto body = co_await run_blocking(services.log_readers, std::move(read));
  co_return http::Response(200, "application/json", std::move(body));
}

// Wakes the stream, from whichever thread; the store holds it by a closure.
struct Waker {
  explicit Waker(LoopExecutor of) : executor(of) {}
  LoopExecutor executor;
  AsyncEvent event;
  bool client_gone = false;
  std::optional<Error> denied;
  [[nodiscard]] bool ended() const { return client_gone || denied; }
};

class LogStream {
 public:
  LogStream(Services& services, Exchange& exchange, observe::LogStore::Query query,
            LoopExecutor executor)
      : services_(services),
        writer_(exchange.writer),
        query_(std::move(query)),
        waker_(std::make_shared<Waker>(executor)),
        caller_(services.keys, services.clock, exchange.caller, executor,
                [waker = waker_.get()](const Error& error) {
                  waker->denied = error;
                  waker->event.set();
                }) {
    auto wake = [waker = waker_] { asio::post(waker->executor, [waker] { waker->event.set(); }); };
    follower_ = services.logs.follow(query_.function, std::move(wake));
    position_ = query_.after.value_or(follower_->start());
    writer_.on_client_gone([waker = waker_] {
      waker->client_gone = true;
      waker->event.set();
    });
  }
  ~LogStream() { writer_.on_client_gone({}); }
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;

  Task<void> run(std::string request_id) {
    http::Response head(200);
    head.headers.add("Content-Type", "text/event-stream");
    head.headers.add("Cache-Control", "no-store");
    head.headers.add("X-Accel-Buffering", "no");
    head.headers.add("x-amzn-RequestId", std::move(request_id));
    alive_ = (co_await writer_.start(std::move(head))).has_value();
    if (query_.after.value_or(0) == 0) co_await send_lost();
    if (!query_.after) co_await send_history();
    while (alive_ && !waker_->client_gone) {
      if (waker_->denied) co_return co_await send_denied(*waker_->denied);
      follower_->rearm();
      waker_->event.reset();
      const auto end = follower_->end();
      if (end != observe::LogFollower::End::deleted) co_await send_newer();
      if (waker_->denied) continue;
      if (end != observe::LogFollower::End::none) co_return co_await send_end(end);
      // Until one more comes that is waited for here.
      const bool woken = co_await waker_->event.wait_until(in(kHeartbeat));
      if (!woken && !waker_->denied) co_await send_position();
    }
  }

 private:
  Task<void> write(std::string bytes) {
    if (bytes.empty() || !alive_) co_return;
    alive_ = (co_await writer_.write(std::move(bytes))).has_value();
    written_ = std::chrono::steady_clock::now();
  }
  [[nodiscard]] bool silent() const {
    return std::chrono::steady_clock::now() - written_ > kHeartbeat / 2;
  }
  static std::string event_of(const observe::LogLine& line) {
    return fmt::format("id: {}\ndata: {}\n\n", line.id, observe::shown_json(line));
  }
  // Without data nobody is told of it, but a client that connects again goes on here.
  Task<void> send_position() { co_await write(fmt::format(": here\nid: {}\n\n", position_)); }

  Task<void> send_lost() {
    auto look = [this] {
      const auto trouble = services_.logs.trouble(query_.function);
      if (!trouble) return std::string();
      return fmt::format("event: lost\ndata: {}\n\n", lost_json(*trouble));
    };
    auto lost = co_await run_blocking(services_.log_readers, std::move(look));
    if (!waker_->denied) co_await write(std::move(lost));
  }

  // The newest come first, and are sent last.
  Task<void> send_history() {
    auto past = query_;
    past.up_to = position_;
    std::vector<std::string> pieces;
    std::size_t bytes = 0;
    while (past.limit > 0 && bytes < observe::kMostAnswerBytes && alive_ && !waker_->ended()) {
      auto read = [this, past] { return read_past(past); };
      auto piece = co_await run_blocking(services_.log_readers, std::move(read));
      past.limit -= piece.lines;
      bytes += piece.events.size();
      pieces.push_back(std::move(piece.events));
      if (!piece.rest) break;
      past.up_to = *piece.rest - 1;
      if (silent()) co_await write(": searching\n\n");
    }
    for (auto piece = pieces.rbegin(); piece != pieces.rend() && !waker_->denied; ++piece)
      co_await write(std::move(*piece));
    if (!waker_->denied) co_await send_position();
  }
  struct Past {
    std::string events;
    std::size_t lines = 0;
    std::optional<std::uint64_t> rest;
  };
  Past read_past(observe::LogStore::Query query) {
    query.deadline = std::chrono::steady_clock::now() + kReadingTime;
    const auto reading = services_.logs.read(query);
    Past past;
    for (const auto& line : reading.lines) past.events += event_of(line);
    past.lines = reading.lines.size();
    past.rest = reading.rest;
    return past;
  }

  Task<void> send_newer() {
    bool more = true;
    while (more && alive_ && !waker_->ended()) {
      Newer newer;
      auto page = services_.logs.newer_in_memory(query_.function, position_, query_);
      if (page) {
        newer = newer_of(*page);
      } else {
        auto read = [this] {
          return newer_of(services_.logs.newer(query_.function, position_, query_));
        };
        newer = co_await run_blocking(services_.log_readers, std::move(read));
      }
      position_ = newer.position;
      more = newer.more;
      // The page may have come from disk.
      if (waker_->denied) co_return;
      const bool nothing = newer.events.empty();
      co_await write(std::move(newer.events));
      if (nothing && silent()) co_await send_position();
    }
  }
  struct Newer {
    std::string events;
    std::uint64_t position = 0;
    bool more = false;
  };
  static Newer newer_of(const observe::LogPage& page) {
    Newer newer;
    if (page.missed > 0)
      newer.events = fmt::format("event: missed\ndata: {{\"lines\":{}}}\n\n", page.missed);
    for (const auto& line : page.lines) newer.events += event_of(line);
    newer.position = page.position;
    newer.more = page.more;
    return newer;
  }

  Task<void> send_denied(Error error) {
    const boost::json::object data{{"message", error.message()}};
    co_await write(fmt::format("event: denied\ndata: {}\n\n", boost::json::serialize(data)));
    if (alive_) co_await writer_.finish();
  }

  Task<void> send_end(observe::LogFollower::End end) {
    const bool deleted = end == observe::LogFollower::End::deleted;
    co_await write(fmt::format("event: {}\nid: {}\ndata: {{}}\n\n",
                               deleted ? "deleted" : "stopping", position_));
    if (alive_) co_await writer_.finish();
  }

  Services& services_;
  http::ResponseWriter& writer_;
  const observe::LogStore::Query query_;
  std::shared_ptr<Waker> waker_;
  access::CallerWatch caller_;
  std::unique_ptr<observe::LogFollower> follower_;
  std::uint64_t position_ = 0;
  bool alive_ = true;
  std::chrono::steady_clock::time_point written_ = std::chrono::steady_clock::now();
};

}  // namespace

Task<Answer> get_logs(Services& services, Exchange& exchange) {
  const auto& name = exchange.captures.at(0);
  const auto snapshot = services.catalog.snapshot();
  const auto found = snapshot->functions.find(name);
  if (found == snapshot->functions.end()) co_return no_function(services, exchange, name);
  auto request = read_log_request(exchange.request, *found->second, services.clock.now());
  if (!request) co_return fail(std::move(request.error()));
  if (!request->follow) co_return co_await answer_logs(services, std::move(request->query));
  const auto executor = co_await asio::this_coro::executor;
  LogStream stream(services, exchange, std::move(request->query), executor);
  co_await stream.run(exchange.request_id);
  co_return std::nullopt;
}

}  // namespace lambda::api
