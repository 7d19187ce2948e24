#include "cli/argument_error.h"

#include "base/nearest_word.h"
#include "base/spoken_interval.h"
#include "cli/misplaced_word.h"
#include "cli/unquoted_schedule.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <vector>

namespace lambda::cli {
namespace {

// The command that the arguments had reached.
const CLI::App& reached(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : reached(*parsed.front());
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const auto* at = &command; at != nullptr; at = at->get_parent()) {
    for (const auto* option : at->get_options())
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

bool has_option(const CLI::App& command, const std::string& name) {
  return command.get_option_no_throw(name) != nullptr;
}

bool is_digits(const std::string& text) {
  return text.find_first_not_of("0123456789*") == std::string::npos;
}

bool stands_before(const std::vector<std::string>& words, const std::string& word,
                   const std::string& other) {
  return std::ranges::find(words, word) < std::ranges::find(words, other);
}

// What other tools have, and what there is here instead.
struct ForeignOption {
  std::string_view command;
  std::string_view option;
  std::string_view instead;
};
constexpr std::array<ForeignOption, 4> kForeignOptions = {{
    {"logs", "--grep", "; did you mean --search?"},
    {"logs", "--filter", "; did you mean --search?"},
    {"logs", "--tail", "; did you mean --lines?"},
    {"deploy", "--function-name", "; did you mean --name?"},
}};

// What was given to an option that there is not: "--rate=5m", "--rate 5m".
std::string value_behind(const std::vector<std::string>& words, const std::string& option) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with(option + "=")) return words[i].substr(option.size() + 1);
    if (words[i] == option && i + 1 < words.size()) return words[i + 1];
  }
  return "";
}

std::string no_such_option(const CLI::App& command, const std::vector<std::string>& words,
                           const std::string& option) {
  // The options of a command stand behind it.
  if (has_option(command, option))
    return fmt::format("{} stands before the command: write {} {}", option, full_name(command),
                       option);
  const auto what = fmt::format("`{}` has no option {}", full_name(command), option);
  if (has_option(command, "--output") && (option == "--json" || option == "--format"))
    return what + "; did you mean -o json?";
  for (const auto& foreign : kForeignOptions) {
    if (foreign.command == command.get_name() && foreign.option == option)
      return what + std::string(foreign.instead);
  }
  if (has_option(command, "--cron") && (option == "--rate" || option == "--every")) {
    const auto meant = schedule_of_words(value_behind(words, option));
    return fmt::format("{}; did you mean --cron \"{}\"?", what,
                       meant.empty() ? "rate(5 minutes)" : meant);
  }
  const auto near = nearest_word(option, option_names(command));
  return near.empty() ? what : fmt::format("{}; did you mean \"{}\"?", what, near);
}

// An option that takes one value and was given more; "" where there is none.
std::string given_twice(const CLI::App& command) {
  for (const auto* at = &command; at != nullptr; at = at->get_parent()) {
    for (const auto* option : at->get_options()) {
      if (option->get_positional() || option->get_expected_max() > 1 || option->count() < 2)
        continue;
      return fmt::format("{} is given {} times, and can be given once",
                         option->get_name(false, true), option->count());
    }
  }
  return "";
}

// The command's option that a word names, or one of those above it that takes it.
const CLI::Option* option_of(const CLI::App& command, const std::string& word) {
  for (const auto* at = &command; at != nullptr; at = at->get_parent()) {
    if (const auto* option = at->get_option_no_throw(word)) return option;
  }
  return nullptr;
}

// What a person writes in their own words may begin with anything.
bool takes_any_text(const CLI::Option& option) {
  return option.get_option_text() == "TEXT" || option.get_option_text() == "K=V";
}

// The words of an expression for --cron that stood in no quotes; none where it is not that.
std::vector<std::string> parts_of_schedule(const CLI::App& command,
                                           const std::vector<std::string>& left) {
  if (!has_option(command, "--cron") || command.count("--cron") != 1) return {};
  const auto& given = command.get_option("--cron")->results().front();
  if (!is_part_of_schedule(given)) return {};
  std::vector<std::string> parts{given};
  // One of them is taken for the function's name where that is not given before.
  const auto* name = command.get_option_no_throw("NAME");
  if (name != nullptr && name->count() > 0 && is_digits(name->results().front()))
    parts.push_back(name->results().front());
  parts.insert(parts.end(), left.begin(), left.end());
  return parts;
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

std::string swallowed_option(const CLI::App& app, const std::vector<std::string>& words) {
  const auto& command = reached(app);
  for (std::size_t i = 0; i + 1 < words.size() && words[i] != "--"; ++i) {
    const auto& value = words[i + 1];
    if (words[i].starts_with("--") && words[i].ends_with('=')) {
      const auto name = words[i].substr(0, words[i].size() - 1);
      if (option_of(command, name) != nullptr)
        return fmt::format("{} has no value; if it is to be empty, write {} ''", words[i], name);
    }
    if (!words[i].starts_with('-')) continue;
    const auto* option = option_of(command, words[i]);
    if (option == nullptr || option->get_items_expected_max() == 0) continue;
    if (value.starts_with("--") && !takes_any_text(*option)) {
      return fmt::format(
          "{0} needs a value, and {1} looks like an option; if it is meant, write {2}={1}",
          words[i], value, option->get_name());
    }
    ++i;  // a value is no option, whatever it looks like
  }
  return "";
}

std::string argument_error(const CLI::App& app, const std::vector<std::string>& words,
                           const CLI::ParseError& error) {
  if (auto swallowed = swallowed_option(app, words); !swallowed.empty()) return swallowed;
  const auto& command = reached(app);
  const auto left = app.remaining(true);
  for (auto word : left) {
    if (!word.starts_with('-') || word == "-") continue;
    word.resize(std::min(word.find('='), word.size()));
    return no_such_option(command, words, word);
  }
  if (auto stray = stray_argument(app, words); !stray.empty()) return stray;
  const auto below = command.get_subcommands([](const CLI::App*) { return true; });
  const bool wants_command = command.get_require_subcommand_min() > 0;
  if (wants_command && left.empty()) return "which command?";
  if (!left.empty()) {
    const auto parts = parts_of_schedule(command, left);
    if (!parts.empty()) {
      return fmt::format("the schedule is one argument: quote it, as in --cron \"{}\"",
                         quoted_schedule(parts));
    }
    if (has_option(command, "--cron") && command.count("--cron") == 0) {
      if (const auto schedule = schedule_without_option(left); !schedule.empty())
        return fmt::format("the schedule is an option: did you mean --cron \"{}\"?", schedule);
    }
    return below.empty() ? not_taken(command, left.front()) : no_such_command(command, left);
  }
  std::string what = error.what();
  if (error.get_name() == "ExcludesError") {
    const std::string_view between = " excludes ";
    if (const auto at = what.find(between); at != std::string::npos)
      what.replace(at, between.size(), " does not go together with ");
  }
  if (error.get_name() == "ArgumentMismatch") {
    if (auto twice = given_twice(command); !twice.empty()) return twice;
    return what.substr(0, what.find(':')) + " needs a value";
  }
  return what;
}

std::string unknown_command(const CLI::App& app) {
  const auto& command = reached(app);
  if (commands_of(command).empty()) return "";
  for (const auto& word : app.remaining(true)) {
    if (!word.starts_with('-')) return no_such_command(command, {word});
  }
  return "";
}

std::string reached_command(const CLI::App& app) {
  return full_name(reached(app));
}

}  // namespace lambda::cli
