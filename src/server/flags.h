// The command line of lambdad. Blocking, at the start, main thread.
#pragma once

#include "server/configuration.h"

#include <string>
#include <vector>

namespace lambda::server {

struct Flags {
  std::vector<Setting> settings;
  std::string config_file;    // "" : /etc/lambda/lambdad.toml where it exists
  bool check_only = false;    // --check: validate the configuration and exit
  bool replace_keys = false;  // --replace-keys: revoke all keys, make a new one, and exit
  int exit_code = -1;  // 0 or more: --help, --version or a mistake was answered; exit with it
};
Flags parse_flags(int argc, char** argv);

}  // namespace lambda::server
