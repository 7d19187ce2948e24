// lambda alias.
#include "cli/command_parts.h"

namespace lambda::cli {
namespace {

constexpr const char* kSetFooter =
    R"text(Two versions share the calls by their weights, in per cent, which add up to 100. The one that the
alias points to already stays its first; `lambda rollback` ends a sharing of `live` and goes back to
the older of the two. A version that never was live is started before `live` points to it, as by a
promote: where it fails, the alias stays as it was.

Examples:
  lambda alias set greet live 7=90 8=10     a tenth of the calls tries version 8
  lambda alias set greet live 8             all of them
  lambda alias set greet prod 7             a name of your own: lambda invoke greet:prod)text";

CLI::App* add_alias_command(CLI::App& alias, Arguments& arguments, const char* name,
                            const char* description, const char* footer,
                            int (*run)(const ConnectionOptions&, const AliasOptions&)) {
  auto* command = add_command(alias, name, description, "Commands", footer);
  add_name(*command, arguments.alias.function);
  command->callback([&arguments, run] {
    arguments.command = [&arguments, run] {
      arguments.alias.json = arguments.json();
      return run(arguments.connection, arguments.alias);
    };
  });
  return command;
}

}  // namespace

void add_aliases(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.alias;
  auto* alias =
      add_command(app, "alias", "Names for versions, and how calls are shared by two", "Versions",
                  "`live` is the alias that the URL follows.\n\nExamples:\n"
                  "  lambda alias list greet\n  lambda alias set greet live 7=90 8=10");
  alias->require_subcommand(1);
  auto* listing = add_alias_command(*alias, arguments, "list", "The aliases of a function",
                                    "Example:\n  lambda alias list greet", alias_list);
  add_listing(*listing, arguments);
  auto* setting = add_alias_command(
      *alias, arguments, "set", "Make an alias, or let it point elsewhere", kSetFooter, alias_set);
  setting->add_option("ALIAS", options.alias, "its name")->required()->check(not_empty());
  setting->add_option("VERSION", options.targets, "7, or 7=90 8=10")->required()->expected(1, 9);
  setting->add_option("--description", options.description, "a line about it")->option_text("TEXT");
  add_output(*setting, arguments);
  auto* removing =
      add_alias_command(*alias, arguments, "delete", "Delete an alias; no version goes",
                        "Without `live` the URL follows $LATEST: that it asks about, or "
                        "wants -y where nobody can be\nasked.\n\nExample:\n"
                        "  lambda alias delete greet prod",
                        alias_delete);
  add_output(*removing, arguments);
  removing->add_option("ALIAS", options.alias, "its name")->required()->check(not_empty());
  removing->add_flag("-y,--yes", options.yes, "do not ask");
}

}  // namespace lambda::cli
