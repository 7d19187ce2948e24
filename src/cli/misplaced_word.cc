#include "cli/misplaced_word.h"

#include "base/nearest_word.h"
#include "cli/output.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>

namespace lambda::cli {
namespace {

constexpr std::size_t kShown = 60;

bool takes(const CLI::App& command, const std::string& option) {
  return command.get_option_no_throw(option) != nullptr;
}

bool begins_json(const std::string& text) {
  return !text.empty() && (text.front() == '{' || text.front() == '[');
}

// A --data {"a": 1} that the shell took apart.
bool has_part_of_json(const CLI::App& command) {
  if (!takes(command, "--data") || command.count("--data") == 0) return false;
  const auto& data = command.get_option("--data")->results().front();
  return begins_json(data) && data.back() != (data.front() == '{' ? '}' : ']');
}

std::vector<const CLI::Option*> positionals(const CLI::App& command) {
  const auto all = command.get_options();
  std::vector<const CLI::Option*> found;
  std::ranges::copy_if(all, std::back_inserter(found),
                       [](const CLI::Option* option) { return option->get_positional(); });
  return found;
}

std::string meant_by(const CLI::App& command, const std::string& word) {
  if (has_part_of_json(command))
    return R"(: quote the event for the shell, as in --data '{"name": "World"}')";
  for (const char* text : {"--message", "--description"}) {
    if (takes(command, text) && command.count(text) > 0)
      return fmt::format(": quote a text of several words, as in {} \"TEXT\"", text);
  }
  if (begins_json(word) && takes(command, "--data") && command.count("--data") == 0) {
    const bool short_enough = word.size() <= kShown && word.find('\'') == std::string::npos;
    return fmt::format("; did you mean --data '{}'?", short_enough ? word : "...");
  }
  if (takes(command, "--name") && command.count("--name") == 0)
    return fmt::format("; did you mean --name {}?", word);
  const auto taken = positionals(command);
  return taken.size() == 1 ? fmt::format(": it takes one {}", taken.front()->get_name(true)) : "";
}

// Of those that begin with the word, where it is no slip of one: "config" of "conf", "set-host" or
// "set-key" of "set".
std::string meant(const std::string& word, const std::vector<std::string>& names) {
  if (auto near = nearest_word(word, names); !near.empty()) return fmt::format("\"{}\"", near);
  std::vector<std::string> begun;
  for (const auto& name : names) {
    if (word.size() > 1 && name.starts_with(word)) begun.push_back(fmt::format("\"{}\"", name));
  }
  return fmt::format("{}", fmt::join(begun, " or "));
}

bool has_settings(const CLI::App& command) {
  return std::ranges::any_of(command.get_options(), [](const CLI::Option* option) {
    return !option->get_positional() && option->count() > 0;
  });
}

}  // namespace

std::string full_name(const CLI::App& command) {
  const auto* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

std::vector<std::string> commands_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const auto* each : command.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(each->get_name());
  return names;
}

Result<const CLI::App*> find_command(const CLI::App& app, const std::vector<std::string>& words) {
  const auto* command = &app;
  for (const auto& word : words) {
    const auto all =
        command->get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
    if (all.empty())
      return fail(ErrorCode::invalid, "`{}` has no commands, and no \"{}\"", full_name(*command),
                  word);
    const auto found =
        std::ranges::find_if(all, [&](const CLI::App* each) { return each->check_name(word); });
    if (found == all.end())
      return fail(Error(ErrorCode::invalid, no_such_command(*command, {word})));
    command = *found;
  }
  return command;
}

std::string not_taken(const CLI::App& command, const std::string& word) {
  return fmt::format("`{}` does not take \"{}\"{}", full_name(command), shortened(word, kShown),
                     meant_by(command, word));
}

std::string no_such_command(const CLI::App& command, const std::vector<std::string>& left) {
  const auto names = commands_of(command);
  const auto taken = positionals(command);
  // The first word may have been taken for a function's name.
  const bool named = !taken.empty() && taken.front()->count() > 0;
  const auto& word = named ? taken.front()->results().front() : left.front();
  auto what = command.get_parent() == nullptr
                  ? fmt::format("there is no command \"{}\"", word)
                  : fmt::format("`{}` has no command \"{}\"", full_name(command), word);
  if (const auto near = meant(word, names); !near.empty())
    return fmt::format("{}; did you mean {}?", what, near);
  if (command.get_parent() == nullptr) return what;
  auto there_are = fmt::format("{} (there are {})", what, fmt::join(names, ", "));
  if (!named) return there_are;
  if (const auto near = nearest_word(left.front(), names); !near.empty()) {
    return fmt::format("`{}` does not take \"{}\"; did you mean `{} {} {}`?", full_name(command),
                       left.front(), full_name(command), near, word);
  }
  if (has_settings(command) || begins_json(left.front())) return not_taken(command, left.front());
  return fmt::format("{}, and behind a function's name it does not take \"{}\"", there_are,
                     left.front());
}

}  // namespace lambda::cli
