// What is wrong with the arguments, and what was probably meant. Pure.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace lambda::cli {

// In one sentence.
[[nodiscard]] std::string argument_error(const CLI::App& app, const CLI::ParseError& error);
// "lambda config set-host": the command that the arguments had reached.
[[nodiscard]] std::string reached_command(const CLI::App& app);

}  // namespace lambda::cli
