// Whether a text is JSON, without keeping what it says: texts of any size, at the cost of one pass.
// Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::invoke {

struct JsonFault {
  std::size_t position = 0;  // the byte where the text stops being JSON
  std::string reason;
};

// Nothing where it is JSON, nested no deeper than `deepest`: the parser goes down the native stack
// as deep as the text does.
[[nodiscard]] std::optional<JsonFault> find_json_fault(std::string_view text, std::size_t deepest);

}  // namespace lambda::invoke
