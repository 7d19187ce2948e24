#include "cli/command_line.h"

#include "cli/argument_error.h"
#include "cli/command_table.h"
#include "cli/completion.h"
#include "cli/exit_code.h"
#include "cli/help_format.h"
#include "cli/misplaced_word.h"
#include "cli/table.h"
#include "cli/terminal.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace lambda::cli {
namespace {

// What the shells' scripts call.
constexpr const char* kComplete = "__complete";

// What `lambda help` is asked about.
std::vector<std::string> asked_about(int argc, char** argv) {
  const std::vector<std::string> words(argv + std::min(argc, 2), argv + argc);
  return {words.begin(), std::ranges::find_if(
                             words, [](const std::string& word) { return word.starts_with('-'); })};
}

// `lambda help deploy` is `lambda deploy --help`.
std::vector<std::string> words_of(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  return words;
}

ListingStyle style_of(const Arguments& arguments) {
  ListingStyle style;
  if (arguments.output == "plain") style.format = ListingStyle::Format::plain;
  if (arguments.quiet) style.format = ListingStyle::Format::names;
  style.width = terminal_width(STDOUT_FILENO);
  style.colours = wants_colour(STDOUT_FILENO);
  return style;
}

int refuse(const CLI::App& app, const std::string& why) {
  std::fprintf(stderr, "lambda: %s\nTry: %s --help\n", why.c_str(), reached_command(app).c_str());
  return kUsage;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("lambda deploys and calls functions on a Lambda server.", "lambda");
  app.formatter(help_format());
  app.set_help_flag("-h,--help", "this text");
  app.set_version_flag("--version", "lambda " LAMBDA_VERSION, "the version of this program");
  app.require_subcommand(1);
  app.fallthrough();
  Arguments arguments;
  add_commands(app, arguments);
  app.footer(main_footer());
  const auto words = words_of(argc, argv);
  if (!words.empty() && words.front() == kComplete)
    return complete(app, std::vector<std::string>(words.begin() + 1, words.end()));
  if (argc > 1 && std::string_view(argv[1]) == "help") {
    if (const auto found = find_command(app, asked_about(argc, argv)); !found)
      return refuse(app, found.error().message());
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_name() == "CallForVersion") {
      if (app.get_subcommands().empty()) return app.exit(error);
      return refuse(app, fmt::format("`{}` has no option --version", reached_command(app)));
    }
    if (error.get_exit_code() == 0) {
      if (const auto unknown = unknown_command(app); !unknown.empty()) return refuse(app, unknown);
      show_help(app, stdout);
      return kDone;
    }
    if (argc == 1) {
      show_help(app, stderr);
      return kUsage;
    }
    return refuse(app, argument_error(app, words, error));
  }
  if (const auto swallowed = swallowed_option(app, words); !swallowed.empty())
    return refuse(app, swallowed);
  if (const auto stray = stray_argument(app, words); !stray.empty()) return refuse(app, stray);
  set_listing_style(style_of(arguments));
  return arguments.command();
}

}  // namespace lambda::cli
