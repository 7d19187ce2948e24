#include "observe/log_filter.h"

#include "base/encoding.h"

#include <algorithm>
#include <re2/re2.h>

namespace lambda::observe {
namespace {

constexpr std::size_t kLongestExpression = 4096;
// Of the program and its caches.
constexpr std::int64_t kSearchMemory = 8 << 20;
// A search takes time in proportion to the line and to this: a thousand steps and a line of the
// greatest length took 1.3 s.
constexpr int kLargestProgram = 300;

}  // namespace

Result<Search> parse_search(const std::string& expression) {
  if (expression.empty()) {
    return fail(ErrorCode::invalid,
                "search is empty: it takes a regular expression, such as "
                "\"timeout|refused\"");
  }
  if (expression.size() > kLongestExpression) {
    return fail(ErrorCode::invalid,
                "search: the expression has {} bytes, and {} are the most that are taken",
                expression.size(), kLongestExpression);
  }
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(kSearchMemory);
  auto compiled = std::make_shared<re2::RE2>(expression, options);
  if (compiled->ok()) {
    const auto steps = std::max(compiled->ProgramSize(), compiled->ReverseProgramSize());
    if (steps <= kLargestProgram) return Search(std::move(compiled));
    return fail(ErrorCode::invalid,
                "search \"{}\" is too large ({} steps where {} are the most): repeat less in it, "
                "such as {{20}} instead of {{1000}}",
                expression, steps, kLargestProgram);
  }
  const auto& part = compiled->error_arg();
  const auto at = part.empty() ? std::string::npos : expression.find(part);
  const auto where = at == std::string::npos
                         ? std::string()
                         : fmt::format(" at character {} (\"{}\")",
                                       count_characters(expression.substr(0, at)) + 1, part);
  return fail(ErrorCode::invalid,
              "search \"{}\" is no regular expression of RE2's: {}{} (docs/logs.md has the syntax; "
              "there are no backreferences and no lookaround)",
              expression, compiled->error(), where);
}

bool LogFilter::matches(const LogOrigin& origin, WallTime time, std::string_view text) const {
  if (request_id && origin.request_id != *request_id) return false;
  if (version && origin.version != *version) return false;
  if (since && time < *since) return false;
  if (until && time >= *until) return false;
  if (search && !re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *search))
    return false;
  return !level || level_of(text).value_or(LogLevel::info) >= *level;
}

}  // namespace lambda::observe
