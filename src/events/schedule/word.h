// Word: a piece of a schedule expression that remembers where it stands, so that an error can name
// the column. SyntaxError: what is wrong there, why, and what to write instead; the dispatcher
// (schedule_expression.cc) turns it into the project's Error.
//
// Words are views: the expression outlives them. Pure, any thread.
#pragma once

#include <spdlog/fmt/fmt.h>
#include <tl/expected.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::events {

struct Word {
  std::string_view text;
  std::size_t offset = 0;  // in the expression, in bytes

  [[nodiscard]] Word part(std::size_t from, std::size_t count = std::string_view::npos) const {
    return {text.substr(from, count), offset + from};
  }
};

struct SyntaxError {
  std::size_t offset;
  std::string wrong;
  std::string reason;  // with the suggestion
};

template <class T>
using Parsed = tl::expected<T, SyntaxError>;

template <class... Args>
[[nodiscard]] tl::unexpected<SyntaxError> wrong(const Word& word,
                                                fmt::format_string<Args...> reason,
                                                Args&&... args) {
  return tl::unexpected<SyntaxError>(SyntaxError{word.offset, std::string(word.text),
                                                 fmt::format(reason, std::forward<Args>(args)...)});
}

[[nodiscard]] Word trimmed(Word word);
[[nodiscard]] std::vector<Word> split_at_blanks(Word word);
// At least one part; parts may be empty.
[[nodiscard]] std::vector<Word> split_at(Word word, char separator);
// ASCII letters only, whatever the locale.
[[nodiscard]] std::string upper_case(std::string_view text);
[[nodiscard]] bool is_number(std::string_view text);
// Digits alone, up to nine of them: more is out of every range here.
[[nodiscard]] std::optional<unsigned> to_number(std::string_view text);

}  // namespace lambda::events
