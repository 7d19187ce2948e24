#include "cli/argument_error.h"

#include "base/nearest_word.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <vector>

namespace lambda::cli {
namespace {

// The command that the arguments had reached.
const CLI::App& reached(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : reached(*parsed.front());
}

std::string full_name(const CLI::App& command) {
  const auto* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const auto* at = &command; at != nullptr; at = at->get_parent()) {
    for (const auto* option : at->get_options())
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string meant(const std::string& word, const std::vector<std::string>& words) {
  const auto near = nearest_word(word, words);
  return near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near);
}

bool has_option(const CLI::App& command, const std::string& name) {
  return command.get_option_no_throw(name) != nullptr;
}

// What was probably meant by a word that `command` does not take.
std::string meant_by(const CLI::App& command, const std::string& word) {
  if (has_option(command, "--name") && command.count("--name") == 0)
    return fmt::format("; did you mean --name {}?", word);
  const CLI::Option* only = nullptr;
  for (const auto* option : command.get_options()) {
    if (!option->get_positional()) continue;
    if (only != nullptr) return "";
    only = option;
  }
  return only == nullptr ? "" : fmt::format(": it takes one {}", only->get_name(true));
}

std::string not_taken(const CLI::App& command, const std::string& word) {
  return fmt::format("`{}` does not take \"{}\"{}", full_name(command), word,
                     meant_by(command, word));
}

bool stands_before(const std::vector<std::string>& words, const std::string& word,
                   const std::string& other) {
  return std::ranges::find(words, word) < std::ranges::find(words, other);
}

}  // namespace

std::string stray_argument(const CLI::App& app, const std::vector<std::string>& words) {
  const auto& command = reached(app);
  // The first of them, `lambda` itself, has the options that all commands take.
  for (const auto* above = command.get_parent(); above != nullptr && above->get_parent() != nullptr;
       above = above->get_parent()) {
    for (const auto* option : above->get_options()) {
      if (option->count() == 0) continue;
      if (!option->get_positional()) {
        if (has_option(command, option->get_name())) continue;
        return fmt::format("`{}` has no option {}", full_name(command), option->get_name());
      }
      const auto& word = option->results().front();
      if (stands_before(words, word, command.get_name())) {
        return fmt::format("\"{}\" stands before the command: write {} {}", word,
                           full_name(command), word);
      }
      return not_taken(command, word);
    }
  }
  return "";
}

std::string argument_error(const CLI::App& app, const std::vector<std::string>& words,
                           const CLI::ParseError& error) {
  const auto& command = reached(app);
  const auto left = app.remaining(true);
  for (auto word : left) {
    if (!word.starts_with('-') || word == "-") continue;
    word.resize(std::min(word.find('='), word.size()));
    return fmt::format("`{}` has no option {}{}", full_name(command), word,
                       meant(word, option_names(command)));
  }
  if (auto stray = stray_argument(app, words); !stray.empty()) return stray;
  const auto below = command.get_subcommands([](const CLI::App*) { return true; });
  const bool wants_command = command.get_require_subcommand_min() > 0;
  if (wants_command && left.empty()) return "which command?";
  if (!below.empty() && !left.empty()) {
    std::vector<std::string> names;
    for (const auto* each : below) names.push_back(each->get_name());
    return fmt::format("there is no command \"{}\"{}", left.front(), meant(left.front(), names));
  }
  if (!left.empty()) return not_taken(command, left.front());
  std::string what = error.what();
  if (error.get_name() == "ExcludesError") {
    const std::string_view between = " excludes ";
    if (const auto at = what.find(between); at != std::string::npos)
      what.replace(at, between.size(), " does not go together with ");
  }
  if (error.get_name() == "ArgumentMismatch")
    return what.substr(0, what.find(':')) + " needs a value";
  return what;
}

std::string reached_command(const CLI::App& app) {
  return full_name(reached(app));
}

}  // namespace lambda::cli
