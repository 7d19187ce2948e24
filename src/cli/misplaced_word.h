// A word where none belongs, or no command of that name is: what was probably meant. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lambda::cli {

// "lambda config set-host"
[[nodiscard]] std::string full_name(const CLI::App& command);
// The names of those of `lambda config`, say.
[[nodiscard]] std::vector<std::string> commands_of(const CLI::App& command);
// The command that `words` name, each one of the one before. Error: invalid.
[[nodiscard]] Result<const CLI::App*> find_command(const CLI::App& app,
                                                   const std::vector<std::string>& words);
// `command` has no place for `word`.
[[nodiscard]] std::string not_taken(const CLI::App& command, const std::string& word);
// `command` has commands, and what is left over begins with none of them.
[[nodiscard]] std::string no_such_command(const CLI::App& command,
                                          const std::vector<std::string>& left);

}  // namespace lambda::cli
