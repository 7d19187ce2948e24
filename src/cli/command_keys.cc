#include "cli/command_parts.h"

#include <CLI/CLI.hpp>

namespace lambda::cli {
namespace {

constexpr const char* kCreateFooter =
    R"text(The key is shown this once, as settings for the environment: for `lambda` and as a bearer token,
and as an access key pair for AWS's clients. Scopes: read (look at functions, logs, events), invoke
(call them), deploy (change them; includes read), admin (everything, keys and audit too).

Examples:
  lambda keys create --name ci --scope deploy,invoke --function 'greet*' --expires 90d
  lambda keys create --name monitor --scope read > monitor.env
  lambda keys create --name bot --scope invoke --function greet -o json | jq -r .token)text";

void add_create(CLI::App& keys, Arguments& arguments) {
  auto& options = arguments.keys;
  auto* command =
      add_command(keys, "create", "Make a key, and show it once", "Commands", kCreateFooter);
  command->add_option("--name", options.name, "what it is called: of one live key alone")
      ->option_text("NAME")
      ->required();
  command->add_option("--scope", options.scopes, "what it may do, with commas between")
      ->option_text("read,invoke,deploy,admin")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      ->add_option("--function", options.functions,
                   "only to functions with such a name: * any characters, ? one; may be repeated")
      ->option_text("PATTERN")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      ->add_option("--expires", options.expires, "after 12h, 90d, or on 2027-01-31 (first: never)")
      ->option_text("TIME");
  add_output(*command, arguments);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      return keys_create(arguments.connection, arguments.keys, arguments.json());
    };
  });
}

}  // namespace

void add_keys(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.keys;
  auto* keys = add_command(app, "keys", "Who may do what: make, list and revoke keys", "Server",
                           "docs/keys.md has the whole table of what a key may do.\n\nExamples:\n"
                           "  lambda keys create --name ci --scope deploy\n  lambda keys list");
  keys->alias("key");
  keys->require_subcommand(1);
  add_create(*keys, arguments);
  auto* listing = add_command(*keys, "list", "The keys, and when they were used last", "Commands",
                              "Example:\n  lambda keys list -o json | jq -r '.keys[].name'");
  listing->add_flag("--all", options.all, "the revoked ones, too");
  add_listing(*listing, arguments);
  listing->callback([&arguments] {
    arguments.command = [&arguments] {
      return keys_list(arguments.connection, arguments.keys.all, arguments.json());
    };
  });
  auto* revoking = add_command(*keys, "revoke", "Let a key be none any more, at once and for good",
                               "Commands", "Example:\n  lambda keys revoke ci");
  revoking->add_option("KEY", options.name, "its name or its id")->required();
  add_output(*revoking, arguments);
  revoking->callback([&arguments] {
    arguments.command = [&arguments] {
      return keys_revoke(arguments.connection, arguments.keys.name, arguments.json());
    };
  });
}

// Of the audit at once.
constexpr unsigned long kMostEntries = 1'000'000;

void add_audit(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.audit;
  auto* command =
      add_command(app, "audit", "Who changed what, when, from where, and what came of it", "Server",
                  "The newest first. --verify looks whether any entry was altered or taken away; "
                  "write the last\n"
                  "hash down elsewhere, and it shows later that nothing was cut off.\n\nExamples:\n"
                  "  lambda audit --since 24h\n  lambda audit --function greet --key ci -n 10\n"
                  "  lambda audit --verify");
  command->add_option("--function", options.function, "of one function alone")->option_text("NAME");
  command->add_option("--key", options.key, "of one key or user alone: its name or its id")
      ->option_text("KEY");
  command->add_option("--since", options.since, "not older than 24h, 7d, 2026-01-31")
      ->option_text("TIME");
  const auto range = [](const std::string& text) {
    const bool digits = !text.empty() && text.size() < 8 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    if (digits && std::stoul(text) >= 1 && std::stoul(text) <= kMostEntries) return std::string();
    return "must be a whole number from 1 to " + std::to_string(kMostEntries) + ", not \"" + text +
           "\"";
  };
  auto* limit = command->add_option("-n,--limit", options.limit, "so many (default: 50)")
                    ->option_text("N")
                    ->check(CLI::Validator(range, ""));
  command->add_flag("--verify", options.verify, "look whether it is whole")
      ->excludes(limit)
      ->excludes("--function")
      ->excludes("--key")
      ->excludes("--since");
  add_listing(*command, arguments);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      const auto& given = arguments.audit;
      return given.verify ? audit_verify(arguments.connection, arguments.json())
                          : audit(arguments.connection, given, arguments.json());
    };
  });
}

}  // namespace lambda::cli
