#include "server/flags.h"

#include <CLI/CLI.hpp>

#include <map>
#include <memory>

namespace lambda::server {
namespace {

std::string flag_of(const std::string& key) {
  std::string flag = "--" + key;
  std::ranges::replace(flag, '_', '-');
  return flag;
}

std::string described(const Key& key) {
  return fmt::format("{} (default: {})", key.help, key.standard);
}

}  // namespace

Flags parse_flags(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "lambdad runs functions on this machine: it serves their URLs and AWS Lambda's REST API.\n"
      "`./run` in the repository starts one with everything it needs.\n\n"
      "Every key may stand in three places; the later one wins:\n"
      "  1. the configuration file     data_dir = \"/srv/lambda\"\n"
      "  2. the environment            LAMBDA_DATA_DIR=/srv/lambda   (lists with commas)\n"
      "  3. here                       --data-dir /srv/lambda        (lists by repeating the "
      "flag)\n",
      "lambdad");
  app.footer(
      "\nlambdad ends on SIGTERM, after its running calls; once more, and it ends at once.\n"
      "docs/configuration.md says more about each key, docs/security.md about who may call.");
  app.get_formatter()->column_width(32);
  app.set_version_flag("--version", "lambdad " LAMBDA_VERSION);
  app.add_option("--config", flags.config_file,
                 "a TOML file (default: /etc/lambda/lambdad.toml where it exists)")
      ->type_name("FILE");
  app.add_flag(
      "--check", flags.check_only,
      "check the configuration, say what is wrong, else every value and where it comes from");
  app.add_flag("--replace-keys", flags.replace_keys,
               "revoke every API key, make a new admin.key, and exit; the server must be stopped");
  std::map<std::string, std::vector<std::string>> given;
  std::map<std::string, CLI::Option*> options;
  std::map<std::string, bool> switches;
  for (const auto& key : configuration_keys()) {
    CLI::Option* option = nullptr;
    if (key.value_name.empty()) {
      option = app.add_flag(flag_of(key.name), switches[key.name], described(key));
    } else {
      option = app.add_option(flag_of(key.name), given[key.name], described(key))
                   ->type_name(key.value_name);
      // One value a flag; `--listen` may be repeated.
      option->type_size(1)->allow_extra_args(false);
      if (!key.repeatable)
        option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    options[key.name] = option;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    flags.exit_code = code == 0 ? 0 : 2;
    return flags;
  }
  for (const auto& [name, option] : options) {
    if (option->count() == 0) continue;
    Setting setting;
    setting.key = name;
    setting.source = flag_of(name);
    setting.values = given[name];
    if (switches.contains(name)) setting.values = {switches.at(name) ? "true" : "false"};
    flags.settings.push_back(std::move(setting));
  }
  return flags;
}

}  // namespace lambda::server
