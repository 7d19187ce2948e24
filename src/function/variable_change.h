// Which environment variables a change of a function is about: for what is written down of it. By
// name alone, never with a value. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lambda::function {

struct VariableChange {
  std::vector<std::string> set;  // that are new, or have another value
  std::vector<std::string> unset;

  // "set COLOR, SIZE, unset DEBUG"; "" for none.
  [[nodiscard]] std::string text() const;
};

[[nodiscard]] VariableChange variable_change(
    const std::optional<std::map<std::string, std::string>>& before,
    const std::optional<std::map<std::string, std::string>>& after);

}  // namespace lambda::function
