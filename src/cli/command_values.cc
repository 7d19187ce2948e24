// What functions are given: `lambda env` and `lambda secret`.
#include "cli/command_parts.h"
#include "cli/misplaced_word.h"

namespace lambda::cli {
namespace {

constexpr const char* kEnvFooter =
    R"text(Without a command it shows the names, with digests that change with the values; --show prints these.
A change is a new version of the code that is live: it is started, and live at once, as by a deploy
(of a function that only AWS's tools made, $LATEST is changed).

Examples:
  lambda env greet
  lambda env greet --show
  lambda env set greet COLOR=blue SIZE=3
  lambda env unset greet SIZE)text";

constexpr const char* kEnvSetFooter =
    R"text(KEY=- reads the value from standard input, or asks for it. What is secret is better kept as one:
`lambda secret put`.

Examples:
  lambda env set greet COLOR=blue SIZE=3
  lambda env set greet --env-file production.env
  pass show greet/token | lambda env set greet TOKEN=-)text";

CLI::App* add_env_change(CLI::App& env_of, Arguments& arguments, const char* name,
                         const char* description, const char* footer,
                         int (*run)(const ConnectionOptions&, const EnvOptions&)) {
  auto* command = add_command(env_of, name, description, "Commands", footer);
  add_name(*command, arguments.env.name);
  add_output(*command, arguments);
  command->callback([&arguments, run] {
    arguments.command = [&arguments, run] {
      arguments.env.json = arguments.json();
      return run(arguments.connection, arguments.env);
    };
  });
  return command;
}

void add_env(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.env;
  auto* env_of =
      add_command(app, "env", "The environment variables of a function", "Functions", kEnvFooter);
  env_of->require_subcommand(0, 1);
  env_of->add_option("NAME", arguments.name, "the function");
  env_of->add_flag("--show", options.show, "print the values");
  add_listing(*env_of, arguments);
  env_of->callback([&arguments, env_of] {
    if (!env_of->get_subcommands().empty()) return;
    if (arguments.name.empty()) throw CLI::RequiredError("NAME");
    arguments.env.name = arguments.name;
    arguments.env.commands = commands_of(*env_of);
    arguments.command = [&arguments] {
      arguments.env.json = arguments.json();
      return env(arguments.connection, arguments.env);
    };
  });
  auto* set = add_env_change(*env_of, arguments, "set", "Set variables, in a new live version",
                             kEnvSetFooter, env_set);
  set->add_option("VARIABLE", options.words, "KEY=VALUE, any number; KEY=- reads standard input");
  set->add_option("--env-file", options.file, "K=V lines")->option_text("FILE");
  auto* unset =
      add_env_change(*env_of, arguments, "unset", "Remove variables, in a new live version",
                     "Example:\n  lambda env unset greet SIZE", env_unset);
  unset->add_option("KEY", options.words, "variables")->required()->check(not_empty());
}

constexpr const char* kSecretFooter =
    R"text(A secret with --function is that function's own, which gets it as an environment variable, or with
--as file as /run/secrets/NAME. One without is shared: it reaches the functions that ask for it, by
secrets = ["NAME"] in lambda.toml or `lambda deploy --secret NAME` (NAME:file for a file). Values are
kept encrypted, and never shown again: a digest says whether one changed.

Examples:
  lambda secret put DB_PASSWORD --function greet
  pass show stripe | lambda secret put STRIPE_KEY
  lambda secret put TLS_KEY --as file --function site < key.pem
  lambda secret list
  lambda secret delete STRIPE_KEY)text";

constexpr const char* kSecretPutFooter =
    R"text(The value is asked for, or read from standard input (64 KiB at most; of a single line the end is
no part of it): never an argument, which the shell would remember and `ps` would show. Functions
that use it get the new value with their next call; calls that run end in peace.

Examples:
  lambda secret put DB_PASSWORD --function greet
  openssl rand -hex 32 | lambda secret put SESSION_KEY
  lambda secret put TLS_KEY --as file --function site < key.pem)text";

void add_function_of(CLI::App& command, SecretOptions& options, const char* description) {
  command.add_option("--function", options.function, description)
      ->option_text("NAME")
      ->check(not_empty());
}

void run_with(CLI::App& command, Arguments& arguments,
              int (*run)(const ConnectionOptions&, const SecretOptions&)) {
  command.callback([&arguments, run] {
    arguments.command = [&arguments, run] {
      arguments.secret.json = arguments.json();
      return run(arguments.connection, arguments.secret);
    };
  });
}

void add_secret(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.secret;
  auto* secret_of = add_command(app, "secret", "Secrets of functions: put, list, delete",
                                "Functions", kSecretFooter);
  secret_of->require_subcommand(1);
  auto* put = add_command(*secret_of, "put", "Make or change a secret; the value is asked for",
                          "Commands", kSecretPutFooter);
  put->add_option("NAME", options.name, "like an environment variable's")
      ->required()
      ->check(not_empty());
  // Taken, to say why it is not.
  put->add_option("VALUE", options.values, "")->group("");
  add_function_of(*put, options, "the function that it is for (else it is shared)");
  put->add_option("--as", options.form, "how functions get it (first: env)")
      ->option_text("env|file")
      ->check(one_of({"env", "file"}));
  add_output(*put, arguments);
  run_with(*put, arguments, secret_put);
  auto* listing = add_command(*secret_of, "list", "The secrets, with digests and who uses them",
                              "Commands", "Example:\n  lambda secret list --function greet");
  add_function_of(*listing, options, "what this function gets");
  add_listing(*listing, arguments);
  run_with(*listing, arguments, secret_list);
  auto* removing = add_command(*secret_of, "delete", "Delete a secret", "Commands",
                               "A function that asks for it does not start any more; where one "
                               "does, it says so, and asks.\n\nExample:\n  lambda secret delete "
                               "STRIPE_KEY -y");
  removing->add_option("NAME", options.name, "the secret")->required()->check(not_empty());
  add_function_of(*removing, options, "whose own it is");
  removing->add_flag("-y,--yes", options.yes, "do not ask");
  add_output(*removing, arguments);
  run_with(*removing, arguments, secret_delete);
}

}  // namespace

void add_values(CLI::App& app, Arguments& arguments) {
  add_env(app, arguments);
  add_secret(app, arguments);
}

}  // namespace lambda::cli
