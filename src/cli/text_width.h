// How wide a text is at a terminal, and what of it is safe to show there. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lambda::cli {

// In columns: 2 for wide scripts and emoji, 0 for combining marks.
[[nodiscard]] std::size_t display_width(std::string_view text);
// At most so many columns, whole characters, with an ellipsis at the end where something was cut.
[[nodiscard]] std::string fitted(std::string_view text, std::size_t width);
// One line that moves no cursor, changes no colour and turns no direction: each control character
// is a space, and what is no UTF-8 a replacement character.
[[nodiscard]] std::string shown_safely(std::string_view text);

}  // namespace lambda::cli
