#include "cli/command_parts.h"

#include "base/deploy_rules.h"
#include "base/encoding.h"
#include "base/nearest_word.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdint>

namespace lambda::cli {

CLI::Validator whole_number(Range range) {
  const auto check = [range](const std::string& text) {
    std::int64_t number = 0;
    const bool digits = !text.empty() && text.size() < 19 &&
                        text.find_first_not_of("0123456789") == std::string::npos &&
                        CLI::detail::lexical_cast(text, number);
    if (digits && number >= range.least && number <= range.most) return std::string();
    return fmt::format("must be a whole number from {} to {}, not \"{}\"", range.least, range.most,
                       text);
  };
  return CLI::Validator(check, "");
}

CLI::Validator cpus_number() {
  const auto check = [](const std::string& text) {
    double number = 0;
    const bool plain = !text.empty() &&
                       text.find_first_not_of("0123456789.") == std::string::npos &&
                       CLI::detail::lexical_cast(text, number);
    if (plain && cpu_thousandths(number)) return std::string();
    return fmt::format("must be {} (no limit), not \"{}\"", kCpusRule, text);
  };
  return CLI::Validator(check, "");
}

CLI::Validator not_empty() {
  const auto check = [](const std::string& text) {
    return text.empty() ? std::string("must not be empty") : std::string();
  };
  return CLI::Validator(check, "");
}

namespace {

// "JSON", "jsn" and "warning" mean json and warn.
std::string meant_of(const std::string& text, const std::vector<std::string>& words) {
  const auto typed = to_lower(text);
  if (auto near = nearest_word(typed, words); !near.empty()) return near;
  const auto begun = std::ranges::find_if(words, [&typed](const std::string& word) {
    return typed.size() > 1 && (word.starts_with(typed) || typed.starts_with(word));
  });
  return begun == words.end() ? "" : *begun;
}

}  // namespace

CLI::Validator one_of(std::vector<std::string> words) {
  const auto check = [words](const std::string& text) {
    if (std::find(words.begin(), words.end(), text) != words.end()) return std::string();
    const auto near = meant_of(text, words);
    return fmt::format("must be {}, not \"{}\"{}", CLI::detail::join(words, " or "), text,
                       near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
  };
  return CLI::Validator(check, "");
}

CLI::App* add_command(CLI::App& parent, const char* name, const char* description,
                      const char* group, const char* footer) {
  auto* command = parent.add_subcommand(name, description);
  command->group(group);
  command->footer(footer);
  return command;
}

void add_output(CLI::App& command, Arguments& arguments) {
  command.add_option("-o,--output", arguments.output, "json for programs, table for people")
      ->option_text("json|table")
      ->check(one_of({"json", "table"}));
}

CLI::Option* add_listing(CLI::App& command, Arguments& arguments) {
  auto* output = command.add_option("-o,--output", arguments.output,
                                    "json for programs, plain for scripts, table for people");
  output->option_text("json|table|plain")->check(one_of({"json", "table", "plain"}));
  return command.add_flag("-q,--quiet", arguments.quiet, "names alone, a line each")
      ->excludes(output);
}

void add_name(CLI::App& command, std::string& name) {
  command.add_option("NAME", name, "the function")->required()->check(not_empty());
}

}  // namespace lambda::cli
