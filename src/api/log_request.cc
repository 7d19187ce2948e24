#include "api/log_request.h"

#include "base/moment.h"
#include "function/validation.h"

#include <charconv>
#include <string>

namespace lambda::api {
namespace {

constexpr std::uint64_t kMaxLogLines = 10'000;

// One that is deleted may have left lines; one that never was has none, and never had.
Result<Done> check_logged_version(const function::Function& function, std::string_view text) {
  if (text == "$LATEST") return Done{};
  const auto number = function::parse_version(text);
  if (!number) {
    return fail(ErrorCode::invalid,
                "\"{}\" is not a version: logs are kept by number (or $LATEST), and `lambda "
                "versions {}` shows them",
                text, function.name);
  }
  if (*number < function.next_version) return Done{};
  const auto newest = function.next_version - 1;
  return fail(ErrorCode::not_found, "function \"{}\" never had a version {}; {}", function.name,
              *number,
              newest == 0 ? std::string("it has none but $LATEST")
                          : fmt::format("its newest is {}", newest));
}

Result<std::uint64_t> read_number(std::string_view name, const std::string& text,
                                  std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= least && number <= most)
    return number;
  return fail(ErrorCode::invalid, "{} must be a number from {} to {}, not \"{}\"", name, least,
              most, text);
}

Result<bool> wants_to_follow(const http::Request& request) {
  const auto follow = request.query_value("follow");
  if (!follow) {
    return request.headers.get("Accept").find("text/event-stream") != std::string_view::npos;
  }
  if (*follow == "true" || *follow == "1") return true;
  if (*follow == "false" || *follow == "0") return false;
  return fail(ErrorCode::invalid, "follow must be true or false, not \"{}\"", *follow);
}

Result<Done> read_times(const http::Request& request, WallTime now, bool follow,
                        observe::LogFilter& filter) {
  for (const char* name : {"since", "until"}) {
    const auto text = request.query_value(name);
    if (!text) continue;
    auto time = parse_moment(*text, now);
    if (!time) return fail(std::move(time.error()), "{}", name);
    (*name == 's' ? filter.since : filter.until) = *time;
  }
  if (filter.until && follow)
    return fail(ErrorCode::invalid, "until has no meaning with follow: what comes is newer");
  if (filter.since && filter.until && *filter.since >= *filter.until)
    return fail(ErrorCode::invalid, "since must be before until: no line can be both");
  return Done{};
}

Result<Done> read_words(const http::Request& request, observe::LogFilter& filter) {
  filter.request_id = request.query_value("requestId");
  filter.version = request.query_value("version");
  if (const auto word = request.query_value("level")) {
    filter.level = observe::parse_level(*word);
    if (!filter.level) {
      return fail(ErrorCode::invalid,
                  "level must be trace, debug, info, warn, error or fatal, not \"{}\"", *word);
    }
  }
  if (const auto expression = request.query_value("search")) {
    auto search = observe::parse_search(*expression);
    if (!search) return fail(std::move(search.error()));
    filter.search = std::move(*search);
  }
  return Done{};
}

}  // namespace

Result<LogRequest> read_log_request(const http::Request& request,
                                    const function::Function& function, WallTime now) {
  LogRequest read;
  auto follow = wants_to_follow(request);
  if (!follow) return fail(std::move(follow.error()));
  read.follow = *follow;
  read.query.function = function.name;
  if (auto times = read_times(request, now, read.follow, read.query); !times)
    return fail(std::move(times.error()));
  if (auto words = read_words(request, read.query); !words) return fail(std::move(words.error()));
  if (read.query.version) {
    auto existed = check_logged_version(function, *read.query.version);
    if (!existed) return fail(std::move(existed.error()));
  }
  if (const auto text = request.query_value("limit")) {
    auto limit = read_number("limit", *text, read.follow ? 0 : 1, kMaxLogLines);
    if (!limit) return fail(std::move(limit.error()));
    read.query.limit = *limit;
  }
  // What a client that connects again has got is newer than what its URL says.
  const auto* last = request.headers.find("Last-Event-ID");
  const auto after =
      last != nullptr ? std::optional<std::string>(*last) : request.query_value("after");
  if (after) {
    auto id = read_number(last != nullptr ? "Last-Event-ID" : "after", *after, 0, UINT64_MAX);
    if (!id) return fail(std::move(id.error()));
    read.query.after = *id;
  }
  if (const auto text = request.query_value("before")) {
    auto id = read_number("before", *text, 1, UINT64_MAX);
    if (!id) return fail(std::move(id.error()));
    if (read.follow) {
      return fail(ErrorCode::invalid,
                  "before has no meaning with follow: what comes is newer than any line");
    }
    read.query.up_to = *id - 1;
  }
  return read;
}

}  // namespace lambda::api
