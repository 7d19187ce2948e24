// Reading and writing the small text files of cgroups and of /proc. Blocking; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::native {

// `path` relative to `directory` (or AT_FDCWD). Errors name the path.
Result<Done> write_file_at(int directory, const std::string& path, std::string_view text);
Result<std::string> read_file_at(int directory, const std::string& path);
// From the start of an open file.
Result<std::string> read_again(int fd);

// "key value" lines, as in memory.stat and memory.events.
[[nodiscard]] std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key);
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);
// The parts between separators, empty ones left out.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
// One word of a space-separated list.
[[nodiscard]] bool has_word(std::string_view list, std::string_view word, char separator = ' ');

}  // namespace lambda::sandbox::native
