// What the tables of commands are made of: options that many commands have, and checks with words
// of our own. Main thread.
#pragma once

#include "base/deploy_rules.h"
#include "cli/command_table.h"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace lambda::cli {

[[nodiscard]] CLI::Validator whole_number(Range range);
[[nodiscard]] CLI::Validator cpus_number();
CLI::Validator not_empty();
[[nodiscard]] CLI::Validator one_of(std::vector<std::string> words);

CLI::App* add_command(CLI::App& parent, const char* name, const char* description,
                      const char* group, const char* footer);
// -o json|table: of one thing.
void add_output(CLI::App& command, Arguments& arguments);
// -o json|table|plain and -q: of a list, whose Table says which columns name a row. Returns -q.
CLI::Option* add_listing(CLI::App& command, Arguments& arguments);
void add_name(CLI::App& command, std::string& name);

// The tables, a file each: command_aliases.cc, command_keys.cc, command_setup.cc,
// command_values.cc.
void add_aliases(CLI::App& app, Arguments& arguments);
void add_audit(CLI::App& app, Arguments& arguments);
void add_keys(CLI::App& app, Arguments& arguments);
void add_setup(CLI::App& app, Arguments& arguments);
void add_values(CLI::App& app, Arguments& arguments);  // env, secret

}  // namespace lambda::cli
