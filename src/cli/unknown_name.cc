#include "cli/unknown_name.h"

#include "base/nearest_word.h"

#include <spdlog/fmt/ranges.h>

namespace lambda::cli {

Error unknown_name(const Error& error, const std::string& name, const std::string& parent,
                   const std::vector<std::string>& commands) {
  if (error.code() != ErrorCode::not_found) return error;
  const auto near = nearest_word(name, commands);
  return Error(error.code(), near.empty()
                                 ? fmt::format("{}\n        The commands of `{}` are {}",
                                               error.message(), parent, fmt::join(commands, ", "))
                                 : fmt::format("{}\n        If a command was meant: {} {}",
                                               error.message(), parent, near));
}

}  // namespace lambda::cli
