#include "cli/help_format.h"

#include "cli/exit_code.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

namespace lambda::cli {
namespace {

class HelpFormat final : public CLI::Formatter {
 public:
  HelpFormat() {
    column_width(28);
    label("Positionals", "Arguments");
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    const bool group = !app->get_subcommands({}).empty();
    std::string usage = "\nUsage: " + name +
                        (!group                                  ? ""
                         : app->get_require_subcommand_min() > 0 ? " COMMAND"
                                                                 : " [COMMAND]");
    for (const auto* option : app->get_options())
      if (option->get_positional() && !option->get_group().empty())
        usage += " " + make_option_usage(option);
    return usage + " [OPTIONS]\n";
  }
  std::string make_option_usage(const CLI::Option* option) const override {
    const auto name = option->get_name(true) + (option->get_expected_max() > 1 ? "..." : "");
    return option->get_required() ? name : "[" + name + "]";
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_option_text().empty() ? "" : " " + option->get_option_text();
  }
  std::string make_footer(const CLI::App* app) const override {
    const auto footer = app->get_footer();
    return footer.empty() ? "" : footer + "\n";
  }
};

}  // namespace

std::shared_ptr<CLI::Formatter> help_format() {
  return std::make_shared<HelpFormat>();
}

std::string main_footer() {
  std::string text = R"text(Examples:
  lambda deploy ./my-function --name greet      package, start and publish it; prints its URL
  lambda invoke greet --data '{"name":"Ann"}'   call it
  lambda versions greet                         what was deployed, and which is live
  lambda rollback greet                         back to the newest older version that was live
  lambda logs greet -f                          what it writes
  eval "$(lambda config aws)"                   let the AWS CLI and SDKs talk to this server

`lambda COMMAND --help` has the options and examples of one command.

Which server: --host, --context, LAMBDA_HOST, LAMBDA_CONTEXT, `lambda config`, else the one on this
              machine.
Which key:    LAMBDA_API_KEY, `lambda config set-key`; a local server's own is found by itself.

Exit codes:)text";
  for (const auto& [code, meaning] : kExitCodes)
    text += fmt::format("\n  {:<3}  {}", code, meaning);
  return text;
}

void show_help(const CLI::App& app, std::FILE* where) {
  auto help = app.help();
  // CLI11 ends a group of options with an empty line and begins the next with one.
  for (auto at = help.find("\n\n\n"); at != std::string::npos; at = help.find("\n\n\n"))
    help.erase(at, 1);
  std::fputs(help.c_str(), where);
}

}  // namespace lambda::cli
