#include "cli/log_follow.h"

#include "base/encoding.h"
#include "cli/connection/event_stream.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/log_text.h"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace lambda::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

// The server is heard of every 15 seconds.
constexpr Patience kSilence = 45s;
constexpr std::chrono::milliseconds kFirstPause = 100ms;
constexpr std::chrono::milliseconds kLongestPause = 5s;

// Nobody reads standard output any more.
struct OutputGone {};

class Follower {
 public:
  Follower(const LogsOptions& options, std::string filter)
      : options_(options), filter_(std::move(filter)), style_(log_style()) {}

  // Until the connection ends. Nothing: to be tried again.
  std::optional<int> listen(ServerConnection& server) {
    EventStream events;
    const std::function<void(const StreamEvent&)> on_event = [this](const StreamEvent& event) {
      take(event);
    };
    const std::function<void(std::string_view)> on_piece = [&](std::string_view piece) {
      heard();
      events.take(piece, on_event);
      if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw OutputGone{};
    };
    http::BufferedBody nothing("");
    auto ended = server.stream("GET", path(), nothing, {}, on_piece, kSilence);
    if (denied_) return kNotAllowed;
    if (deleted_) return kDone;
    if (ended) return tell_loss(stopping_ ? "the server stops" : "the server ended the connection");
    const auto code = ended.error().code();
    const bool passes = code == ErrorCode::unavailable || code == ErrorCode::timeout ||
                        code == ErrorCode::internal || code == ErrorCode::overloaded;
    if (!passes || !ever_heard_) return explain(ended.error());
    return tell_loss(ended.error().message());
  }

  // Before it was ever heard of, a server that is not found is no restart.
  [[nodiscard]] bool may_wait() const { return ever_heard_; }
  std::chrono::milliseconds next_pause() {
    return std::exchange(pause_, std::min(pause_ * 2, kLongestPause));
  }

 private:
  [[nodiscard]] std::string path() const {
    auto path = function_path(options_.name, "/logs") + "?follow=true" + filter_;
    if (!last_.empty()) return path + "&after=" + last_;
    if (!options_.since.empty()) path += "&since=" + percent_encode(options_.since);
    if (options_.all) return path + "&after=0";
    return path + "&limit=" + std::to_string(options_.lines);
  }

  void heard() {
    if (lost_) std::fprintf(stderr, "lambda: connected again\n");
    ever_heard_ = true;
    lost_ = false;
    stopping_ = false;
    pause_ = kFirstPause;
  }

  std::optional<int> tell_loss(const std::string& why) {
    if (!lost_) std::fprintf(stderr, "lambda: %s; connecting again...\n", why.c_str());
    lost_ = true;
    return std::nullopt;
  }

  void take(const StreamEvent& event) {
    if (event.data.empty() || !event.name.empty()) {
      if (event.id) last_ = *event.id;
      if (!event.data.empty()) tell(event);
      return;
    }
    boost::system::error_code error;
    const auto line = json::parse(event.data, error);
    if (error || !line.is_object()) return;
    if (options_.json) {
      std::printf("%s\n", event.data.c_str());
    } else {
      std::printf("%s\n", log_text(line.get_object(), style_).c_str());
    }
    if (event.id) last_ = *event.id;
  }

  void tell(const StreamEvent& event) {
    boost::system::error_code error;
    const auto value = json::parse(event.data, error);
    const auto facts = value.is_object() ? value.get_object() : json::object();
    if (event.name == "missed") {
      std::fprintf(stderr,
                   "lambda: %lld lines are missing here: they were removed before they were read\n",
                   static_cast<long long>(number_in(facts, "lines")));
    } else if (event.name == "lost") {
      std::fprintf(stderr, "lambda: %s\n", lost_text(facts).c_str());
    } else if (event.name == "stopping") {
      stopping_ = true;
    } else if (event.name == "denied") {
      denied_ = true;
      std::fprintf(stderr, "lambda: %s\n", text_in(facts, "message").c_str());
    } else if (event.name == "deleted") {
      deleted_ = true;
      std::fprintf(stderr, "lambda: \"%s\" was deleted\n", options_.name.c_str());
    }
  }

  const LogsOptions& options_;
  const std::string filter_;
  const LogStyle style_;
  std::string last_;  // id of what was printed, or passed over, last
  bool ever_heard_ = false;
  bool lost_ = false;
  bool stopping_ = false;
  bool deleted_ = false;
  bool denied_ = false;
  std::chrono::milliseconds pause_ = kFirstPause;
};

}  // namespace

int follow_logs(const ConnectionOptions& connection, const LogsOptions& options,
                const std::string& filter) {
  Follower follower(options, filter);
  try {
    while (true) {
      // Anew each time: a server that was started again may be somewhere else.
      auto target = find_target(connection);
      if (target) {
        ServerConnection server(std::move(*target));
        if (const auto code = follower.listen(server)) return *code;
      } else if (!follower.may_wait()) {
        return explain(target.error());
      }
      std::this_thread::sleep_for(follower.next_pause());
    }
  } catch (const OutputGone&) {
    return kDone;
  }
}

}  // namespace lambda::cli
