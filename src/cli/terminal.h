// Whether somebody looks at it, how wide that is, and in which colours. Main thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lambda::cli {

[[nodiscard]] bool is_terminal(int descriptor);
// Columns; nothing that is no terminal has any: 0.
[[nodiscard]] std::size_t terminal_width(int descriptor);
// A terminal where a line can be drawn over: TERM names one, and not "dumb".
[[nodiscard]] bool can_redraw(int descriptor);
// At a terminal that has colours, unless NO_COLOR says not to (no-color.org).
[[nodiscard]] bool wants_colour(int descriptor);

enum class Colour { none, green, yellow, red, dim, bold };
// `text` in that colour where `wanted`, else as it is.
[[nodiscard]] std::string coloured(std::string_view text, Colour colour, bool wanted);

}  // namespace lambda::cli
