// What `lambda doctor` finds, and how it is shown. Pure.
#pragma once

#include "base/machine_checks.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

struct Finding {
  std::string name;
  std::string health;  // "ok", "warn", "fail"
  std::string found;
  std::string meaning;  // "" where all is well
  std::string mend;     // what to type, or ""
};

[[nodiscard]] Finding finding_of(const Check& check);
// Of the server's answer: its `checks`.
[[nodiscard]] std::vector<Finding> findings_in(const boost::json::object& answer);
[[nodiscard]] boost::json::array findings_json(const std::vector<Finding>& findings);
[[nodiscard]] bool is_anything_failed(const std::vector<Finding>& findings);
// A line each, with what it means and how to mend it below; broken between words at so many columns
// (0: nowhere), but for what is to be typed.
[[nodiscard]] std::string findings_text(const std::vector<Finding>& findings, bool colours,
                                        std::size_t columns);

// "Sun, 06 Nov 1994 08:49:37 GMT" as seconds since 1970.
[[nodiscard]] std::optional<std::int64_t> seconds_of_date(std::string_view date);
// This machine's clock beside that of an answer's Date.
[[nodiscard]] Finding clock_finding(std::string_view date, std::int64_t now);

}  // namespace lambda::cli
