// lambda logs.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/log_follow.h"
#include "cli/log_text.h"
#include "cli/output.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::cli {
namespace {

namespace json = boost::json;

// Of every line, also of those to come.
std::string filter_of(const LogsOptions& options) {
  std::string query;
  const auto add = [&query](const char* name, const std::string& value) {
    if (!value.empty()) query += fmt::format("&{}={}", name, percent_encode(value));
  };
  add("requestId", options.request_id);
  add("version", options.version);
  add("search", options.search);
  add("level", options.level);
  return query;
}

// The lines of an answer as they were sent: what a function wrote has numbers that a parser does
// not keep.
std::string_view sent_lines(std::string_view answer) {
  // In a string of JSON these quotes would be escaped.
  constexpr std::string_view kBefore = "\"lines\":[";
  const auto begin = answer.find(kBefore);
  const auto end = answer.rfind(']');
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  answer = answer.substr(0, end);
  return answer.substr(std::min(answer.size(), begin + kBefore.size()));
}

// Prints pieces of the log as they come.
class Printer {
 public:
  explicit Printer(bool json) : json_(json), style_(log_style()) {}

  // False: nobody reads standard output any more.
  bool print(const std::string& answer, const json::object& reply) {
    const auto& lines = array_in(reply, "lines");
    if (json_) {
      std::fputs(begun_ ? "" : "{\"lines\":[", stdout);
      begun_ = true;
      const auto sent = sent_lines(answer);
      if (any_ && !lines.empty()) std::fputc(',', stdout);
      std::fwrite(sent.data(), 1, sent.size(), stdout);
    } else {
      for (const auto& line : lines)
        std::printf("%s\n", log_text(line.as_object(), style_).c_str());
    }
    any_ = any_ || !lines.empty();
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  }
  void end(const json::object& lost) const {
    if (!json_) return;
    const auto words = lost.empty() ? std::string() : ",\"lost\":" + json::serialize(lost);
    std::printf("]%s}\n", words.c_str());
  }
  [[nodiscard]] bool any() const { return any_; }

 private:
  const bool json_;
  const LogStyle style_;
  bool begun_ = false;
  bool any_ = false;
};

// What was written. The server answers with so much at once and says what is left, which is asked
// for: forwards and printed as it comes where all is wanted, else backwards.
class Past {
 public:
  Past(ServerConnection& server, const LogsOptions& options)
      : server_(server), options_(options), left_(options.lines), printer_(options.json) {}

  int print() {
    std::optional<std::uint64_t> from;
    if (options_.all) from = 0;
    do {
      if (auto failed = read(from)) return explain(*failed);
      if (options_.all && !print_pieces()) return kDone;
    } while (from && left_ > 0);
    if (!print_pieces()) return kDone;
    printer_.end(lost_);
    if (!options_.json && !printer_.any()) say_nothing();
    return kDone;
  }

 private:
  [[nodiscard]] std::string path(const std::optional<std::uint64_t>& from) const {
    const auto limit = options_.all ? kMostLines : left_;
    auto path = function_path(options_.name, "/logs") + fmt::format("?limit={}", limit);
    path += filter_of(options_);
    if (!options_.since.empty()) path += "&since=" + percent_encode(options_.since);
    if (!options_.until.empty()) path += "&until=" + percent_encode(options_.until);
    if (from) path += fmt::format("&{}={}", options_.all ? "after" : "before", *from);
    return path;
  }

  std::optional<Error> read(std::optional<std::uint64_t>& from) {
    auto answer = server_.call("GET", path(from));
    if (!answer) return std::move(answer.error());
    auto reply = server_.object_of(*answer);
    if (!reply) return std::move(reply.error());
    if (const auto* lost = reply->if_contains("lost");
        lost != nullptr && lost->is_object() && lost_.empty()) {
      lost_ = lost->get_object();
      std::fprintf(stderr, "lambda: %s\n", lost_text(lost_).c_str());
    }
    from.reset();
    if (const auto* rest = reply->if_contains("rest"); rest != nullptr && rest->is_object()) {
      const auto id = number_in(rest->get_object(), options_.all ? "after" : "before");
      if (id > 0) from = static_cast<std::uint64_t>(id);
    }
    if (!options_.all) left_ -= std::min<std::uint64_t>(left_, array_in(*reply, "lines").size());
    pieces_.emplace_back(std::move(answer->body), std::move(*reply));
    return std::nullopt;
  }

  bool print_pieces() {
    for (; !pieces_.empty(); pieces_.pop_back()) {
      if (!printer_.print(pieces_.back().first, pieces_.back().second)) return false;
    }
    return true;
  }

  void say_nothing() const {
    const bool all =
        filter_of(options_).empty() && options_.since.empty() && options_.until.empty();
    std::fprintf(stderr, "\"%s\" has written nothing%s.\n", options_.name.c_str(),
                 all ? " yet" : " of that kind");
  }

  ServerConnection& server_;
  const LogsOptions& options_;
  std::uint64_t left_;
  Printer printer_;
  json::object lost_;
  std::vector<std::pair<std::string, json::object>> pieces_;  // the newest first
};

}  // namespace

int logs(const ConnectionOptions& connection, const LogsOptions& given) {
  auto options = given;
  // Who says from when on wants all of that.
  options.all = !options.lines_given && !(options.since.empty() && options.until.empty());
  if (options.follow) return follow_logs(connection, options, filter_of(options));
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  return Past(*connected.server, options).print();
}

}  // namespace lambda::cli
