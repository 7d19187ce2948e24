// What others wrote (a function, a build, a server), on its way to a person's terminal, which it
// may not command: no cursor moves, no title or clipboard is set, nothing is cleared. Pure but for
// for_person().
#pragma once

#include <string>
#include <string_view>

namespace lambda::cli {

// Each control character as an escape ("\x1B"), but for tabs and line ends, and for colours where
// they are wanted (else these are left out).
[[nodiscard]] std::string tamed(std::string_view text, bool colours);
// The same of one line, which has no end: a line end in it is an escape, too.
[[nodiscard]] std::string tamed_line(std::string_view text, bool colours);
// Where `descriptor` is a terminal, tamed; else as it is.
[[nodiscard]] std::string for_person(std::string_view text, int descriptor);

}  // namespace lambda::cli
