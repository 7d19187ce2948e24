// A line of a log as JSON: as it stands in a segment, and as people and programs get it. Pure.
#pragma once

#include "observe/log_line.h"

#include <optional>
#include <string>
#include <string_view>

namespace lambda::observe {

// For a segment, without its newline. The id stands first: id_of_kept() reads no more.
[[nodiscard]] std::string kept_json(const KeptLine& line);
// 0 for a line that has none (of an earlier release).
[[nodiscard]] std::uint64_t id_of_kept(std::string_view text);
// Nothing where the text is no such line (half-written before a power loss).
[[nodiscard]] std::optional<LogLine> parse_kept(std::string_view text, std::string_view function);

// {"id","time","version","instance","requestId","platform","level","text"}, and "fields" of a line
// that is a JSON object, as the function wrote it.
[[nodiscard]] std::string shown_json(const LogLine& line);

}  // namespace lambda::observe
