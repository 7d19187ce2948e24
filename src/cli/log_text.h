// A line of a function's log as a person reads it. Pure.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace lambda::cli {

struct LogStyle {
  bool terminal = false;  // what would command it is written as escapes, but for colours
  bool colours = false;
};
// Of standard output, here and now: NO_COLOR (no-color.org) and TERM=dumb want none.
[[nodiscard]] LogStyle log_style();

// Of the server's "lost": what its disk does not take.
[[nodiscard]] std::string lost_text(const boost::json::object& lost);

// "TIME  TEXT", without a newline.
[[nodiscard]] std::string log_text(const boost::json::object& line, const LogStyle& style);

}  // namespace lambda::cli
