#include "cli/completion.h"

#include "cli/completion_names.h"
#include "cli/exit_code.h"
#include "cli/init/templates.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

namespace lambda::cli {
namespace {

// Where the words have led to.
struct Place {
  const CLI::App* command;
  const CLI::Option* option = nullptr;  // that waits for its value
  std::vector<std::string> positionals;
  std::string host, context;
};

std::vector<std::string> split(const std::string& text, char separator) {
  return CLI::detail::split(text, separator);
}

bool is_flag(const CLI::Option& option) {
  return option.get_items_expected_max() == 0 || option.get_type_size() == 0;
}

// A command takes the options of those above it, too.
const CLI::Option* find_option(const CLI::App* command, const std::string& name) {
  for (; command != nullptr; command = command->get_parent()) {
    const auto* option = command->get_option_no_throw(name);
    if (option != nullptr && !option->get_positional()) return option;
  }
  return nullptr;
}

const CLI::App* find_command(const CLI::App& parent, const std::string& name) {
  for (const auto* each : parent.get_subcommands([](const CLI::App*) { return true; })) {
    if (each->check_name(name)) return each;
  }
  return nullptr;
}

void note_value(Place& place, const CLI::Option& option, const std::string& value) {
  if (option.get_name() == "--host") place.host = value;
  if (option.get_name() == "--context") place.context = value;
}

void follow(Place& place, const std::string& word) {
  if (place.option != nullptr) {
    // bash takes --output=json apart.
    if (word == "=") return;
    note_value(place, *place.option, word);
    place.option = nullptr;
    return;
  }
  if (word.starts_with('-') && word.size() > 1) {
    const auto equals = word.find('=');
    const auto* option = find_option(place.command, word.substr(0, equals));
    if (option == nullptr || is_flag(*option)) return;
    if (equals == std::string::npos) {
      place.option = option;
    } else {
      note_value(place, *option, word.substr(equals + 1));
    }
    return;
  }
  const auto* command = place.positionals.empty() ? find_command(*place.command, word) : nullptr;
  if (command != nullptr) {
    place.command = command;
  } else {
    place.positionals.push_back(word);
  }
}

// "json|table": words that are meant as they are, unlike VERSION.
std::vector<std::string> choices_of(const std::string& text) {
  auto words = split(text, '|');
  const bool literal =
      words.size() > 1 && std::ranges::all_of(words, [](const std::string& word) {
        return std::ranges::none_of(word, [](char c) { return c >= 'A' && c <= 'Z'; });
      });
  return literal ? words : std::vector<std::string>{};
}

WordWanted of_choices(std::vector<std::string> choices) {
  WordWanted wanted;
  wanted.kind = WordKind::choice;
  wanted.choices = std::move(choices);
  return wanted;
}

WordWanted of_kind(WordKind kind) {
  WordWanted wanted;
  wanted.kind = kind;
  return wanted;
}

WordWanted value_of(const CLI::Option& option) {
  if (auto choices = choices_of(option.get_option_text()); !choices.empty())
    return of_choices(std::move(choices));
  const auto name = option.get_name();
  const auto& text = option.get_option_text();
  if (name == "--context") return of_kind(WordKind::context);
  if (name == "--runtime") return of_choices(template_names());
  if (name == "--qualifier") return of_kind(WordKind::qualifier);
  if (name == "--function") return of_kind(WordKind::function);
  if (text == "VERSION") return of_kind(WordKind::version);
  if (name == "--key") return of_kind(WordKind::key);
  if (text == "FILE") return of_kind(WordKind::files);
  return text == "DIR" ? of_kind(WordKind::folders) : WordWanted{};
}

WordWanted positional_of(const CLI::App& command, const CLI::Option& option) {
  const auto name = option.get_name(true);
  if (name == "NAME" && command.get_parent()->get_name() == "secret")
    return of_kind(WordKind::secret);
  if (name == "NAME" || name.starts_with("NAME|")) return of_kind(WordKind::function);
  if (name == "VERSION") return of_kind(WordKind::version);
  if (name == "ALIAS") return of_kind(WordKind::alias);
  if (name == "CONTEXT") return of_kind(WordKind::context);
  if (name == "KEY" && command.get_name() == "revoke") return of_kind(WordKind::key);
  if (name == "DIR") return of_kind(WordKind::folders);
  if (name == "AUTH") return of_choices({"open", "iam", "key", "none"});
  if (name == "SHELL") return of_choices({"bash", "zsh", "fish"});
  return {};
}

WordWanted options_of(const Place& place) {
  std::vector<std::string> names;
  for (const auto* command = place.command; command != nullptr; command = command->get_parent()) {
    for (const auto* option : command->get_options()) {
      if (option->get_positional() || option->get_lnames().empty() || option->get_group().empty())
        continue;
      if (command != place.command && option->get_lnames().front() == "version") continue;
      names.push_back("--" + option->get_lnames().front() + "\t" + option->get_description());
    }
  }
  return of_choices(std::move(names));
}

// "greet:li": a version or an alias of greet, where a command takes both in one word.
WordWanted function_or_qualifier(const Place& place, const std::string& last) {
  const auto colon = last.find(':');
  if (place.command->get_name() != "invoke" || colon == std::string::npos)
    return of_kind(WordKind::function);
  auto wanted = of_kind(WordKind::qualifier);
  wanted.function = last.substr(0, colon);
  wanted.before = last.substr(0, colon + 1);
  return wanted;
}

WordWanted command_or_positional(const Place& place, const std::string& last_word) {
  std::vector<std::string> commands;
  if (place.positionals.empty()) {
    for (const auto* each : place.command->get_subcommands([](const CLI::App*) { return true; })) {
      if (!each->get_group().empty())
        commands.push_back(each->get_name() + "\t" + each->get_description());
    }
  }
  std::size_t at = 0;
  WordWanted wanted;
  for (const auto* option : place.command->get_options()) {
    if (!option->get_positional()) continue;
    const bool last = option->get_items_expected_max() > 1;
    if (at++ == place.positionals.size() || last) {
      wanted = positional_of(*place.command, *option);
      if (wanted.kind == WordKind::function) wanted = function_or_qualifier(place, last_word);
      break;
    }
  }
  if (wanted.kind == WordKind::none) wanted.kind = WordKind::choice;
  wanted.choices.insert(wanted.choices.end(), commands.begin(), commands.end());
  return wanted;
}

WordWanted wanted_at(const Place& place, const std::string& last) {
  if (place.option != nullptr) return value_of(*place.option);
  const auto equals = last.find('=');
  if (last.starts_with("--") && equals != std::string::npos) {
    const auto* option = find_option(place.command, last.substr(0, equals));
    if (option == nullptr || is_flag(*option)) return {};
    auto wanted = value_of(*option);
    wanted.before = last.substr(0, equals + 1);
    for (auto& choice : wanted.choices) choice.insert(0, wanted.before);
    return wanted;
  }
  return last.starts_with('-') ? options_of(place) : command_or_positional(place, last);
}

}  // namespace

WordWanted wanted_word(const CLI::App& app, const std::vector<std::string>& words) {
  Place place{&app, nullptr, {}, {}, {}};
  if (words.empty()) return {};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    // What `lambda help` is asked about is found as it is called.
    if (i == 0 && words[i] == "help") continue;
    follow(place, words[i]);
  }
  auto wanted = wanted_at(place, words.back());
  if (!place.positionals.empty()) wanted.function = place.positionals.front();
  wanted.host = place.host;
  wanted.context = place.context;
  return wanted;
}

int complete(const CLI::App& app, const std::vector<std::string>& words) {
  const auto wanted = wanted_word(app, words);
  if (wanted.kind == WordKind::files) std::puts(":files");
  if (wanted.kind == WordKind::folders) std::puts(":dirs");
  const auto begun = words.empty() || words.back() == "=" ? std::string() : words.back();
  const auto offer = [&begun](const std::string& candidate) {
    if (candidate.starts_with(begun)) std::puts(candidate.c_str());
  };
  for (const auto& choice : wanted.choices) offer(choice);
  // The server may never answer.
  std::fflush(stdout);
  for (const auto& name : names_for(wanted)) offer(wanted.before + name);
  return kDone;
}

}  // namespace lambda::cli
