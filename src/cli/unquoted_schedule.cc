#include "cli/unquoted_schedule.h"

#include "base/encoding.h"
#include "base/spoken_interval.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <string_view>

namespace lambda::cli {
namespace {

constexpr std::size_t kFields = 5;
constexpr std::size_t kWithSeconds = 6;
constexpr std::array<std::string_view, 19> kNames = {
    "sun", "mon", "tue", "wed", "thu", "fri", "sat", "jan", "feb", "mar",
    "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};

bool is_field(const std::string& word) {
  if (word.empty()) return false;
  if (word.find_first_not_of("0123456789*/,-?#LW") == std::string::npos) return true;
  const auto lower = to_lower(word);
  return lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789/,-#") == std::string::npos &&
         std::ranges::any_of(kNames,
                             [&lower](std::string_view name) { return lower.starts_with(name); });
}

std::string joined(const std::vector<std::string>& words, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : " ") + words[i];
  return text;
}

}  // namespace

std::string quoted_schedule(const std::vector<std::string>& words) {
  const auto end = std::ranges::find_if_not(words, is_field);
  const auto fields = static_cast<std::size_t>(end - words.begin());
  // More of them are names of files, or another function's name.
  const bool whole = fields == words.size() || fields + 1 == words.size();
  if (whole && (fields == kFields || fields == kWithSeconds)) return joined(words, fields);
  for (std::size_t count = std::min<std::size_t>(words.size(), 3); count > 1; --count) {
    if (auto meant = schedule_of_words(joined(words, count)); !meant.empty()) return meant;
  }
  return "0 9 * * *";
}

std::string schedule_without_option(const std::vector<std::string>& words) {
  auto text = joined(words, words.size());
  if (text.starts_with('@') || text.starts_with("rate(") || text.starts_with("cron(")) return text;
  std::istringstream blanks(text);
  const std::vector<std::string> fields{std::istream_iterator<std::string>(blanks), {}};
  const bool crontab = fields.size() == kFields || fields.size() == kWithSeconds;
  return crontab && std::ranges::all_of(fields, is_field) ? text : schedule_of_words(text);
}

bool is_part_of_schedule(const std::string& word) {
  if (word.find_first_of(" \t") != std::string::npos) return false;
  if (word.starts_with('@')) return to_lower(word) == "@every";
  return !word.ends_with(')');
}

}  // namespace lambda::cli
