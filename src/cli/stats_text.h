// What `lambda stats` shows, line by line, within a width: columns that find no room are left out,
// the least important first, and the charts take what is left. Pure.
#pragma once

#include "cli/canvas.h"
#include "cli/table.h"

#include <boost/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

// GET /_lambda/stats: the server, then its functions, those with the most calls of late first.
[[nodiscard]] std::vector<std::string> stats_text(const boost::json::object& stats,
                                                  const Canvas& canvas);
// GET /_lambda/functions/NAME/stats.
[[nodiscard]] std::vector<std::string> function_stats_text(const boost::json::object& stats,
                                                           const Canvas& canvas);
// Of either: a row for each function, or for each version of the one; for scripts.
[[nodiscard]] Table stats_listing(const boost::json::object& stats);

// "0.82 ms", "12.3 ms", "1.20 s", "2.5 min"; "-" for nothing.
[[nodiscard]] std::string time_text(double milliseconds);
// "999", "12.3k", "4.5M".
[[nodiscard]] std::string count_text(double count);
// "45 s", "12 min", "3 h", "2 days".
[[nodiscard]] std::string span_text(double seconds);

}  // namespace lambda::cli
