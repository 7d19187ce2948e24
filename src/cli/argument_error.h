// What is wrong with the arguments, and what was probably meant. Pure.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace lambda::cli {

// In one sentence. `words` are all arguments, in their order.
[[nodiscard]] std::string argument_error(const CLI::App& app, const std::vector<std::string>& words,
                                         const CLI::ParseError& error);
// What was given to `lambda schedule` where `lambda schedule delete` was reached: CLI11 hands on to
// the command above what a command does not take. In one sentence; "" where there is nothing.
[[nodiscard]] std::string stray_argument(const CLI::App& app,
                                         const std::vector<std::string>& words);
// A word that CLI11 takes for an option's value although it is an option, or the option ends in
// "=". In one sentence; "" where there is nothing.
[[nodiscard]] std::string swallowed_option(const CLI::App& app,
                                           const std::vector<std::string>& words);
// A word where a command belongs, and no command is called so. In one sentence; "" where there is
// none.
[[nodiscard]] std::string unknown_command(const CLI::App& app);
// "lambda config set-host": the command that the arguments had reached.
[[nodiscard]] std::string reached_command(const CLI::App& app);

}  // namespace lambda::cli
