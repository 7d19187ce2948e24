// Text encodings: base64 (standard alphabet, padded), lower-case hex, percent-encoding (RFC 3986).
// Pure functions.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace lambda {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
// Refuses characters outside the alphabet and wrong padding; ignores no white space.
[[nodiscard]] Result<std::string> base64_decode(std::string_view text);

[[nodiscard]] std::string hex_encode(std::string_view bytes);
[[nodiscard]] Result<std::string> hex_decode(std::string_view text);

// Keeps A-Z a-z 0-9 - _ . ~ and the characters of `also_keep`; everything else becomes %XX (upper
// case).
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view also_keep = {});
// Invalid escapes are passed through unchanged. '+' is a space only where `plus_is_space`.
[[nodiscard]] std::string percent_decode(std::string_view text, bool plus_is_space = false);

[[nodiscard]] bool is_valid_utf8(std::string_view text);
// Of UTF-8: every byte but those that go on with a character.
[[nodiscard]] std::size_t count_characters(std::string_view text);
// Replaces what is not UTF-8, byte by byte, with U+FFFD.
[[nodiscard]] std::string repair_utf8(std::string_view text);
// One line that can be shown anywhere: control characters (U+0000-001F, 007F-009F) and bytes that
// are not UTF-8 become \n, \t, \r or \xHH. Not to be decoded again: a backslash stays one.
[[nodiscard]] std::string escape_controls(std::string_view text);
// At most the first, or the last, `size` bytes of a text in UTF-8, in whole characters.
[[nodiscard]] std::string_view first_of_utf8(std::string_view text, std::size_t size);
[[nodiscard]] std::string_view last_of_utf8(std::string_view text, std::size_t size);

[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string to_lower(std::string_view text);

}  // namespace lambda
