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

}  // namespace

Flags parse_flags(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "lambdad runs functions on this machine: it serves their URLs and AWS Lambda's REST API.\n"
      "Every key may stand in the configuration file (data_dir = \"...\"), in the environment\n"
      "(LAMBDA_DATA_DIR) or here; the latter wins.");
  app.set_version_flag("--version", "lambdad " LAMBDA_VERSION);
  app.add_option("--config", flags.config_file,
                 "a TOML file (default: /etc/lambda/lambdad.toml where it exists)")
      ->type_name("FILE");
  app.add_flag("--check", flags.check_only, "check the configuration, say what is wrong, and exit");
  std::map<std::string, std::vector<std::string>> given;
  std::map<std::string, CLI::Option*> options;
  std::map<std::string, bool> switches;
  for (const auto& key : configuration_keys()) {
    CLI::Option* option = nullptr;
    if (key.value_name.empty()) {
      option = app.add_flag(flag_of(key.name), switches[key.name], key.help);
    } else {
      option =
          app.add_option(flag_of(key.name), given[key.name], key.help)->type_name(key.value_name);
      // One value a flag; `--listen` may be repeated.
      option->type_size(1)->allow_extra_args(false);
      if (!key.repeatable) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
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
    setting.values = switches.contains(name) ? std::vector<std::string>{"true"} : given[name];
    flags.settings.push_back(std::move(setting));
  }
  return flags;
}

}  // namespace lambda::server
