// How `--help` looks.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

namespace CLI {
class App;
class Formatter;
}  // namespace CLI

namespace lambda::cli {

[[nodiscard]] std::shared_ptr<CLI::Formatter> help_format();
// Below the commands: examples, which server, exit codes.
[[nodiscard]] std::string main_footer();
// The help of the command that the arguments had reached.
void show_help(const CLI::App& app, std::FILE* where);

}  // namespace lambda::cli
