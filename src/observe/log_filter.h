// Which lines are wanted. matches() is const and may be called from several threads; a search takes
// time in proportion to the line, whatever the expression.
#pragma once

#include "base/result.h"
#include "observe/log_level.h"
#include "observe/log_line.h"

#include <memory>
#include <optional>
#include <string>

namespace re2 {
class RE2;
}

namespace lambda::observe {

using Search = std::shared_ptr<const re2::RE2>;

// RE2's syntax; the memory that it may take is bounded. Errors: invalid, with what is wrong and
// where.
Result<Search> parse_search(const std::string& expression);

struct LogFilter {
  std::optional<std::string> request_id;
  std::optional<std::string> version;
  std::optional<WallTime> since;  // this moment included ...
  std::optional<WallTime> until;  // ... and this one not
  std::optional<LogLevel> level;  // and above; a line that says none is info
  Search search;

  [[nodiscard]] bool matches(const LogOrigin& origin, WallTime time, std::string_view text) const;
  [[nodiscard]] bool matches(const KeptLine& line) const {
    return matches(*line.origin, line.time, line.text);
  }
};

}  // namespace lambda::observe
