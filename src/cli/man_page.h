// Manual pages out of the same table that --help is made of.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lambda::cli {

// Of the command that `words` name, in man(7)'s macros. Pure.
[[nodiscard]] std::string man_page(const CLI::App& command);
// `lambda man`: prints the page of a command; with a directory, writes all of them there. Blocking.
int show_man_page(const CLI::App& app, const std::vector<std::string>& words,
                  const std::string& directory);

}  // namespace lambda::cli
