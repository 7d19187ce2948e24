#include "events/schedule/word.h"

#include <algorithm>
#include <charconv>

namespace lambda::events {
namespace {

constexpr std::string_view kBlanks = " \t";

}  // namespace

Word trimmed(Word word) {
  const auto first = word.text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return word.part(word.text.size());
  const auto last = word.text.find_last_not_of(kBlanks);
  return word.part(first, last + 1 - first);
}

std::vector<Word> split_at_blanks(Word word) {
  std::vector<Word> parts;
  for (auto rest = trimmed(word); !rest.text.empty(); rest = trimmed(rest)) {
    const auto end = std::min(rest.text.find_first_of(kBlanks), rest.text.size());
    parts.push_back(rest.part(0, end));
    rest = rest.part(end);
  }
  return parts;
}

std::vector<Word> split_at(Word word, char separator) {
  std::vector<Word> parts;
  for (;;) {
    const auto end = word.text.find(separator);
    parts.push_back(word.part(0, end));
    if (end == std::string_view::npos) return parts;
    word = word.part(end + 1);
  }
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (auto& letter : upper)
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  return upper;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<unsigned> to_number(std::string_view text) {
  constexpr std::size_t most_digits = 9;
  if (!is_number(text) || text.size() > most_digits) return std::nullopt;
  unsigned number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace lambda::events
