#include "function/variable_change.h"

#include <spdlog/fmt/ranges.h>

namespace lambda::function {

std::string VariableChange::text() const {
  std::string text;
  if (!set.empty()) text = fmt::format("set {}", fmt::join(set, ", "));
  if (!unset.empty())
    text += fmt::format("{}unset {}", text.empty() ? "" : ", ", fmt::join(unset, ", "));
  return text;
}

VariableChange variable_change(const std::optional<std::map<std::string, std::string>>& before,
                               const std::optional<std::map<std::string, std::string>>& after) {
  const std::map<std::string, std::string> none;
  const auto& had = before ? *before : none;
  const auto& has = after ? *after : none;
  VariableChange change;
  for (const auto& [name, value] : has) {
    const auto found = had.find(name);
    if (found == had.end() || found->second != value) change.set.push_back(name);
  }
  for (const auto& [name, value] : had) {
    if (!has.contains(name)) change.unset.push_back(name);
  }
  return change;
}

}  // namespace lambda::function
