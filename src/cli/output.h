// What people read: sizes, times ago, counts; and their answers. Pure but for
// read_line(), agreed(), print_json() and tell().
#pragma once

#include "cli/table.h"
#include "cli/terminal.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

[[nodiscard]] std::string size_text(std::uint64_t bytes);  // "1.2 KB"
[[nodiscard]] std::int64_t now_seconds();
// "2026-01-02T03:04:05.678Z" -> "3 minutes ago"; `now` in seconds since 1970.
[[nodiscard]] std::string ago_text(std::string_view iso, std::int64_t now);
[[nodiscard]] std::int64_t seconds_of(std::string_view iso);
[[nodiscard]] std::string counted(std::uint64_t count,
                                  std::string_view unit);  // "1 file", "2 files"
// Of a cell that may be long: at most `size` bytes of UTF-8, whole characters, "..." where cut.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t size);
// A line from standard input, without its end; nothing at the end of the input.
[[nodiscard]] std::optional<std::string> read_line();
// Asks on standard error, and reads the answer: only y and yes are one.
[[nodiscard]] bool agreed(const std::string& question);
// For `-o json`.
void print_json(const boost::json::object& object);
// What was done: the sentence for people, or for `-o json` the object.
void tell(bool as_json, const boost::json::object& done, const std::string& sentence);

}  // namespace lambda::cli
