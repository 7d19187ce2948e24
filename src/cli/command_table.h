// The commands of `lambda`, with their options and help. CLI11 is seen by command_*.cc,
// help_format.cc, argument_error.cc and misplaced_word.cc alone: it costs seconds a file.
#pragma once

#include "cli/commands.h"

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace lambda::cli {

struct Arguments {
  ConnectionOptions connection;
  InitOptions init;
  DeployOptions deploy;
  InvokeOptions invoke;
  AliasOptions alias;
  LogsOptions logs;
  TraceOptions trace;
  StatsOptions stats;
  QueueOptions queue;
  QueueConfigOptions queue_config;
  ScheduleOptions schedule;
  KeysOptions keys;
  AuditOptions audit;
  EnvOptions env;
  SecretOptions secret;
  std::string name;
  std::string value;
  std::string output;
  std::vector<std::string> words;
  std::optional<std::uint64_t> version;
  bool quiet = false;
  bool yes = false;
  bool wait = false;
  std::function<int()> command;

  [[nodiscard]] bool json() const { return output == "json"; }
};

// Declares every command; parsing fills `arguments`, whose `command` then is what to do.
void add_commands(CLI::App& app, Arguments& arguments);

}  // namespace lambda::cli
