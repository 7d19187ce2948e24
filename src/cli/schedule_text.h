// A schedule of the server's, as people read it. Pure.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace lambda::cli {

// "2026-01-02 04:00:00 +01:00"
[[nodiscard]] std::string shown_time(std::string_view text);
// When it fires next, or why it does not.
[[nodiscard]] std::string next_text(const boost::json::object& schedule);
// What it was before, as far as that is otherwise now: "@daily, Europe/Berlin, with data".
[[nodiscard]] std::string replaced_text(const boost::json::object& before,
                                        const boost::json::object& now);

}  // namespace lambda::cli
