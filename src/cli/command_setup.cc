// The commands that need no function: init, config, doctor, version, completion, man, help.
#include "cli/command_parts.h"
#include "cli/completion.h"
#include "cli/exit_code.h"
#include "cli/init/templates.h"
#include "cli/man_page.h"
#include "cli/version_command.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

namespace lambda::cli {
namespace {

constexpr const char* kInitFooter =
    R"text(It writes code that works, lambda.toml, an event to try, and a README, and never over a file that
is there. `cpp` is a program for provided.al2023, `http` one that serves HTTP itself, `image` the
same with a Dockerfile.

Examples:
  lambda init greet                             Python, in ./greet
  lambda init greet --runtime nodejs22.x
  lambda init . --runtime image --name site     in this folder
  cd "$(lambda init greet)" && lambda deploy    the folder alone is on standard output)text";

void add_init(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.init;
  auto* command = add_command(app, "init", "Write a new function that works, to begin with",
                              "Functions", kInitFooter);
  command->add_option("DIR", options.folder, "where (default: this folder)")->check(not_empty());
  const auto names = template_names();
  command
      ->add_option("--runtime", options.runtime,
                   fmt::format("(default: python3.11) {}", fmt::join(names, ", ")))
      ->option_text("RUNTIME");
  command->add_option("--name", options.name, "the function's name (default: the folder's)")
      ->option_text("NAME")
      ->check(not_empty());
  command->callback(
      [&arguments] { arguments.command = [&arguments] { return init(arguments.init); }; });
}

constexpr const char* kConfigFooter =
    R"text(A context is a host and its key, under a name. The settings are kept in
~/.config/lambda/config.toml, readable by you alone.

Examples:
  lambda config set-host https://lambda.example.com      one server is all there is
  lambda config set-context prod --host https://lambda.example.com
  lambda config set-key --context prod < prod.key
  lambda config use-context prod
  lambda --context prod list                             for this command alone)text";

void add_host_and_key(CLI::App& config, Arguments& arguments) {
  auto* host =
      add_command(config, "set-host", "Name the server that commands go to", "Commands",
                  "It is the host of the context in use, or of that which --context names.\n\n"
                  "Examples:\n  lambda config set-host https://lambda.example.com\n  lambda "
                  "config set-host unix:/run/lambda/lambda.sock\n  lambda config set-host "
                  "local            the one on this machine again");
  host->add_option("URL", arguments.value, "http://HOST:PORT, https://HOST, unix:/PATH, or local")
      ->required();
  host->callback([&arguments] {
    arguments.command = [&arguments] {
      return config_set_host(arguments.connection, arguments.value);
    };
  });
  auto* key = add_command(config, "set-key", "Keep the server's key", "Commands",
                          "It is the key of the context in use, or of that which --context names. "
                          "It is asked for,\nor read from standard input: never an argument, which "
                          "the shell would remember.\n\nExamples:\n  ssh server sudo cat "
                          "/var/lib/lambda/admin.key | lambda config set-key\n  lambda config "
                          "set-key --context prod");
  key->callback([&arguments] {
    arguments.command = [&arguments] { return config_set_key(arguments.connection); };
  });
}

void add_context(CLI::App& config, Arguments& arguments, const char* name, const char* description,
                 const char* footer, int (*run)(const std::string&)) {
  auto* command = add_command(config, name, description, "Contexts", footer);
  command->add_option("CONTEXT", arguments.name, "its name")->required()->check(not_empty());
  command->callback(
      [&arguments, run] { arguments.command = [&arguments, run] { return run(arguments.name); }; });
}

void add_contexts(CLI::App& config, Arguments& arguments) {
  auto* making =
      add_command(config, "set-context", "Make a context, or change its host", "Contexts",
                  "Another host has another key: the one that was kept is forgotten.\n\nExamples:\n"
                  "  lambda config set-context prod --host https://lambda.example.com\n"
                  "  lambda config set-context here --host local");
  making->add_option("CONTEXT", arguments.name, "its name")->required()->check(not_empty());
  // The option of all commands, which here is what is kept.
  making->callback([&arguments] {
    if (arguments.connection.host.empty()) throw CLI::RequiredError("--host URL");
    arguments.command = [&arguments] {
      return config_set_context(arguments.name, arguments.connection.host);
    };
  });
  add_context(config, arguments, "use-context", "Let commands go to a context from now on",
              "`default` is always there: the server on this machine, unless `set-host` named "
              "another.\n\nExample:\n  lambda config use-context prod",
              config_use_context);
  auto* listing = add_command(config, "contexts", "The contexts, and which is used", "Contexts",
                              "Example:\n  lambda config contexts");
  listing->alias("list");
  add_listing(*listing, arguments);
  listing->callback([&arguments] {
    arguments.command = [&arguments] {
      return config_contexts(arguments.connection, arguments.json());
    };
  });
  add_context(config, arguments, "delete-context", "Forget a context and its key",
              "Example:\n  lambda config delete-context prod", config_delete_context);
}

void add_config(CLI::App& app, Arguments& arguments) {
  auto* config =
      add_command(app, "config", "Which server, with which key", "Server", kConfigFooter);
  config->require_subcommand(1);
  add_host_and_key(*config, arguments);
  add_contexts(*config, arguments);
  auto* show = add_command(*config, "show", "What is used, and where it comes from", "Commands",
                           "Example:\n  lambda --context prod config show");
  add_listing(*show, arguments);
  show->callback([&arguments] {
    arguments.command = [&arguments] {
      return config_show(arguments.connection, arguments.json());
    };
  });
  auto* aws = add_command(*config, "aws", "Settings for AWS's clients", "Commands",
                          "Example:\n  eval \"$(lambda config aws)\"");
  aws->callback([&arguments] {
    arguments.command = [&arguments] { return config_aws(arguments.connection); };
  });
}

void add_doctor(CLI::App& app, Arguments& arguments) {
  auto* check = add_command(
      app, "doctor", "Look whether everything is well, and how to mend what is not", "Server",
      "ok, warn, or fail, each with what it means and what to type. It ends with 1 where something "
      "fails.\nWithout a server it looks whether one could run here. -q names what is not "
      "well.\n\nExamples:\n  lambda doctor\n"
      "  lambda doctor -o json | jq -r '.checks[] | select(.health != \"ok\") | .mend'");
  add_listing(*check, arguments);
  check->callback([&arguments] {
    arguments.command = [&arguments] {
      DoctorOptions options;
      options.own = LAMBDA_VERSION;
      options.json = arguments.json();
      options.plain = arguments.output == "plain";
      options.quiet = arguments.quiet;
      return doctor(arguments.connection, options);
    };
  });
}

void add_version(CLI::App& app, Arguments& arguments) {
  auto* command = add_command(app, "version", "The versions of this program and of the server",
                              "Help", "Example:\n  lambda version -o json | jq -r .server");
  add_output(*command, arguments);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      return show_versions(arguments.connection, LAMBDA_VERSION, arguments.json());
    };
  });
}

void add_completion(CLI::App& app, Arguments& arguments) {
  auto* command = add_command(
      app, "completion", "Let the shell complete commands, options and names", "Help",
      "Functions, versions and aliases are asked of the server: what it does not say within 0.3 s "
      "is left out.\n\n./run installs the scripts where the shells look for them by themselves; "
      "elsewhere "
      "they are loaded so:\n\nExamples:\n"
      "  source <(lambda completion bash)                     in ~/.bashrc\n"
      "  source <(lambda completion zsh)                      in ~/.zshrc, after compinit\n"
      "  lambda completion fish > ~/.config/fish/completions/lambda.fish");
  command->add_option("SHELL", arguments.value, "bash, zsh or fish")
      ->required()
      ->check(one_of({"bash", "zsh", "fish"}));
  command->callback([&arguments] {
    arguments.command = [&arguments] { return print_completion(arguments.value); };
  });
}

void add_manual(CLI::App& app, Arguments& arguments) {
  auto* command = add_command(app, "man", "The manual page of a command", "Help",
                              "./run installs them all: man lambda, man lambda-deploy.\n\n"
                              "Examples:\n  lambda man deploy | man -l -\n  sudo lambda man --to "
                              "/usr/local/share/man/man1");
  command->add_option("COMMAND", arguments.words, "such as deploy, or config set-key");
  command->add_option("--to", arguments.value, "write all pages there")->option_text("DIR");
  command->callback([&app, &arguments] {
    arguments.command = [&app, &arguments] {
      return show_man_page(app, arguments.words, arguments.value);
    };
  });
}

// It is read as --help before it comes here (command_line.cc), but where an option stands before
// it.
void add_help(CLI::App& app, Arguments& arguments) {
  auto* command = add_command(app, "help", "What a command does, with its options and examples",
                              "Help", "Example:\n  lambda help deploy");
  command->add_option("COMMAND", arguments.words, "such as deploy, or config set-key");
  command->callback([&arguments] {
    arguments.command = [] {
      return explain(
          Error(ErrorCode::invalid,
                "`lambda help COMMAND` takes no option before it; or write `lambda COMMAND "
                "--help`"));
    };
  });
}

}  // namespace

void add_setup(CLI::App& app, Arguments& arguments) {
  add_init(app, arguments);
  add_config(app, arguments);
  add_doctor(app, arguments);
  add_version(app, arguments);
  add_completion(app, arguments);
  add_manual(app, arguments);
  add_help(app, arguments);
}

}  // namespace lambda::cli
