// Writing JSON by hand, for the few texts that are made for every request. Pure.
#pragma once

#include <string>
#include <string_view>

namespace lambda::gateway {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);

// The text itself where it is UTF-8; otherwise every byte of it as the character of that number, as
// HTTP once defined header values (ISO 8859-1): nothing is lost, and the result is UTF-8.
[[nodiscard]] std::string utf8_or_latin1(std::string_view text);

}  // namespace lambda::gateway
