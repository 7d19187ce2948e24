#include "cli/man_page.h"

#include "base/blocking.h"
#include "cli/exit_code.h"
#include "cli/help_format.h"
#include "cli/misplaced_word.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

// "lambda-config-set-host"
std::string page_name(const CLI::App& command) {
  auto name = full_name(command);
  std::ranges::replace(name, ' ', '-');
  return name;
}

// What roff would take for its own.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\\') {
      safe += "\\e";
    } else if (c == '-') {
      safe += "\\-";
    } else if (c == '~') {
      safe += "\\(ti";
    } else if (c == '^') {
      safe += "\\(ha";
    } else if (c == '`') {
      safe += "\\(ga";
    } else if (c == '\'' && (safe.empty() || safe.ends_with('\n'))) {
      safe += "\\(aq";
    } else if (c == '.' && (safe.empty() || safe.ends_with('\n'))) {
      safe += "\\&.";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::vector<std::string> paragraphs_of(const std::string& text) {
  std::vector<std::string> paragraphs;
  std::istringstream lines(text);
  bool open = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      open = false;
      continue;
    }
    if (!open) paragraphs.emplace_back();
    paragraphs.back() += (open ? "\n" : "") + line;
    open = true;
  }
  return paragraphs;
}

struct Footer {
  std::string description;  // in roff
  std::string examples;     // as they are
};

Footer footer_of(const CLI::App& command) {
  Footer footer;
  for (const auto& paragraph : paragraphs_of(command.get_footer())) {
    const auto end = paragraph.find('\n');
    const auto first = paragraph.substr(0, end);
    if (first == "Example:" || first == "Examples:") {
      footer.examples = end == std::string::npos ? "" : paragraph.substr(end + 1);
    } else if (first != "Exit codes:") {
      footer.description += ".PP\n" + escaped(paragraph) + "\n";
    }
  }
  return footer;
}

std::string option_names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const auto& name : option.get_snames()) names.push_back("\\fB\\-" + escaped(name) + "\\fR");
  for (const auto& name : option.get_lnames())
    names.push_back("\\fB\\-\\-" + escaped(name) + "\\fR");
  const auto& value = option.get_option_text();
  return fmt::format("{}{}", fmt::join(names, ", "),
                     value.empty() ? "" : " \\fI" + escaped(value) + "\\fR");
}

std::string synopsis(const CLI::App& command) {
  auto line = ".B " + escaped(full_name(command)) + "\n";
  const bool group = !command.get_subcommands([](const CLI::App*) { return true; }).empty();
  const auto add = [&line](const std::string& name, bool required) {
    line += required ? ".I " + name + "\n" : ".RI [ " + name + " ]\n";
  };
  if (group) add("COMMAND", command.get_require_subcommand_min() > 0);
  for (const auto* option : command.get_options()) {
    if (!option->get_positional() || option->get_group().empty()) continue;
    add(escaped(option->get_name(true)) + (option->get_expected_max() > 1 ? "..." : ""),
        option->get_required());
  }
  return line + ".RI [ OPTIONS ]\n";
}

std::string options_section(const CLI::App& command) {
  std::string arguments;
  std::string options;
  for (const auto* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    const auto about = escaped(option->get_description()) + "\n";
    if (option->get_positional()) {
      if (!option->get_description().empty())
        arguments += ".TP\n\\fI" + escaped(option->get_name(true)) + "\\fR\n" + about;
    } else {
      options += ".TP\n" + option_names(*option) + "\n" + about;
    }
  }
  return (arguments.empty() ? "" : ".SH ARGUMENTS\n" + arguments) + ".SH OPTIONS\n" + options;
}

std::vector<const CLI::App*> shown_commands(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
}

std::string commands_section(const CLI::App& command) {
  const auto commands = shown_commands(command);
  if (commands.empty()) return {};
  std::string text = ".SH COMMANDS\n";
  for (const auto* each : commands) {
    text += ".TP\n.BR " + escaped(page_name(*each)) + " (1)\n" + escaped(each->get_description()) +
            "\n";
  }
  return text;
}

std::string see_also(const CLI::App& command) {
  const auto* parent = command.get_parent();
  if (parent == nullptr) return {};
  std::vector<std::string> pages;
  for (; parent != nullptr; parent = parent->get_parent())
    pages.push_back(".BR " + escaped(page_name(*parent)) + " (1)");
  return fmt::format(".SH SEE ALSO\n{}\n", fmt::join(pages, "\n"));
}

std::string exit_section() {
  std::string text = ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : kExitCodes)
    text += fmt::format(".TP\n.B {}\n{}\n", code, escaped(meaning));
  return text;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

Result<Done> write_page(const CLI::App& command, const fs::path& directory) {
  const auto path = directory / (page_name(command) + ".1");
  std::ofstream file(path, std::ios::trunc);
  file << man_page(command);
  file.close();
  if (!file) return fail(ErrorCode::denied, "write {}", path.string());
  for (const auto* each : shown_commands(command)) {
    if (auto done = write_page(*each, directory); !done) return done;
  }
  return Done{};
}

}  // namespace

std::string man_page(const CLI::App& command) {
  const auto footer = footer_of(command);
  auto text = fmt::format(".TH {} 1 \"\" \"lambda " LAMBDA_VERSION "\" \"Lambda\"\n",
                          upper(escaped(page_name(command))));
  text += fmt::format(".SH NAME\n{} \\- {}\n", escaped(page_name(command)),
                      escaped(command.get_description()));
  text += ".SH SYNOPSIS\n" + synopsis(command);
  if (!footer.description.empty()) text += ".SH DESCRIPTION\n" + footer.description.substr(4);
  text += options_section(command) + commands_section(command);
  if (!footer.examples.empty())
    text += ".SH EXAMPLES\n.nf\n" + escaped(footer.examples) + "\n.fi\n";
  return text + exit_section() + see_also(command);
}

int show_man_page(const CLI::App& app, const std::vector<std::string>& words,
                  const std::string& directory) {
  const auto command = find_command(app, words);
  if (!command) return explain(command.error());
  if (directory.empty()) {
    std::fputs(man_page(**command).c_str(), stdout);
    return kDone;
  }
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    return explain(
        Error(ErrorCode::denied, fmt::format("make {}: {}", directory, error.message())));
  const auto done = write_page(**command, directory);
  return done ? kDone : explain(done.error());
}

}  // namespace lambda::cli
