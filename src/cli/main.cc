// lambda: the command line. Reads the arguments and hands them to one command.
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>

namespace {

using namespace lambda::cli;

constexpr const char* kFooter = R"text(Examples:
  lambda deploy ./my-function --name greet      package, start and publish it; prints its URL
  lambda invoke greet --data '{"name":"Ann"}'   call it
  lambda versions greet                         what was deployed
  lambda rollback greet                         back to what was live before
  lambda logs greet -n 20                       what it wrote
  eval "$(lambda config aws)"                   the AWS CLI and SDKs talk to this server

The server is found by itself on its own machine; elsewhere name it with LAMBDA_HOST and
LAMBDA_API_KEY, or `lambda config set-host URL` and `lambda config set-key`.
Exit codes: 0 done, 1 failed, 2 usage, 3 the function failed, 4 not allowed, 5 not found,
6 unreachable.)text";

struct Arguments {
  ConnectionOptions connection;
  DeployOptions deploy;
  InvokeOptions invoke;
  LogsOptions logs;
  std::string name;
  std::string value;
  std::string output;
  std::optional<std::uint64_t> version;
  bool yes = false;
  std::function<int()> command;

  [[nodiscard]] bool json() const { return output == "json"; }
};

void add_output(CLI::App& command, Arguments& arguments) {
  command.add_option("-o,--output", arguments.output, "json for programs")
      ->check(CLI::IsMember({"json", "table"}));
}

void add_deploy(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.deploy;
  auto* command = app.add_subcommand("deploy", "Package a folder, start it, and make it live")
                      ->group("Functions");
  command->add_option("DIR", options.folder, "the function's folder (default: this one)");
  command->add_option("--name", options.name,
                      "its name; also of its URL (default: from lambda.toml, or the folder's)");
  command->add_option("--runtime", options.runtime, "python3.11, nodejs22.x, provided.al2023, ...");
  command->add_option("--handler", options.handler, "FILE.FUNCTION, such as app.handler");
  command->add_option("--kind", options.kind, "handler, or http: it serves HTTP itself on $PORT");
  command->add_option("--port", options.port, "where an HTTP function listens");
  command->add_option("--timeout", options.timeout, "seconds (default 30)");
  command->add_option("--memory", options.memory, "MB (default 128)");
  command->add_option("--ephemeral-storage", options.ephemeral_storage, "MB of /tmp (default 512)");
  command
      ->add_option("-e,--env", options.environment, "an environment variable, K=V; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--env-file", options.environment_file, "a file of K=V lines");
  command->add_flag("--env-clear", options.environment_clear,
                    "forget the variables of earlier deploys");
  command->add_option("--url", options.url,
                      "who may call its URL: open, iam, key or none (default: open)");
  command->add_option("--driver", options.driver, "native or docker (default: the server's)");
  command->add_option("--image", options.image, "a local Docker image instead of a folder");
  command->add_option("--description", options.description, "a line about it");
  command->add_option("--tag", options.tags, "K=V; may be repeated")->allow_extra_args(false);
  command->add_option("-m,--message", options.message, "a line about this version");
  command->add_flag("--all", options.all, "every [[function]] of lambda.toml");
  add_output(*command, arguments);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      arguments.deploy.json = arguments.json();
      return deploy(arguments.connection, arguments.deploy);
    };
  });
}

void add_invoke(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.invoke;
  auto* command =
      app.add_subcommand("invoke", "Call a function; its payload goes to standard output")
          ->group("Functions");
  command->add_option("NAME", options.name, "the function")->required();
  auto* data = command->add_option("-d,--data", options.data,
                                   "the event, as JSON (default: standard input, or {})");
  command->add_option("-f,--file", options.file, "a file with the event; - for standard input")
      ->excludes(data);
  command->add_option("--qualifier", options.qualifier,
                      "a version or an alias (default: what is live)");
  command->add_flag("--timing", options.timing, "say where the time went");
  command->add_flag("--logs", options.logs, "show the end of what it wrote");
  command->callback([&arguments] {
    arguments.command = [&arguments] { return invoke(arguments.connection, arguments.invoke); };
  });
}

void add_reading(CLI::App& app, Arguments& arguments) {
  auto* listing = app.add_subcommand("list", "The functions")->group("Functions");
  add_output(*listing, arguments);
  listing->callback([&arguments] {
    arguments.command = [&arguments] { return list(arguments.connection, arguments.json()); };
  });
  auto& options = arguments.logs;
  auto* reading = app.add_subcommand("logs", "What a function wrote")->group("Functions");
  reading->add_option("NAME", options.name, "the function")->required();
  reading->add_option("-n", options.lines, "the newest so many lines (default 100)");
  reading->add_option("--request-id", options.request_id, "of one call alone");
  reading->add_option("--version", options.version, "of one version alone");
  add_output(*reading, arguments);
  reading->callback([&arguments] {
    arguments.command = [&arguments] {
      arguments.logs.json = arguments.json();
      return logs(arguments.connection, arguments.logs);
    };
  });
  auto* removing =
      app.add_subcommand("delete", "Delete a function and everything of it")->group("Functions");
  removing->add_option("NAME", arguments.name, "the function")->required();
  removing->add_flag("-y,--yes", arguments.yes, "do not ask");
  removing->callback([&arguments] {
    arguments.command = [&arguments] {
      return remove(arguments.connection, arguments.name, arguments.yes);
    };
  });
  auto* url = app.add_subcommand("url", "Who may call a function's URL")->group("Functions");
  url->add_option("NAME", arguments.name, "the function")->required();
  url->add_option("AUTH", arguments.value, "open, iam, key or none")->required();
  url->callback([&arguments] {
    arguments.command = [&arguments] {
      return set_url(arguments.connection, arguments.name, arguments.value);
    };
  });
}

void add_versions(CLI::App& app, Arguments& arguments) {
  auto* showing = app.add_subcommand("versions", "The versions of a function, and which is live")
                      ->group("Versions");
  showing->add_option("NAME", arguments.name, "the function")->required();
  add_output(*showing, arguments);
  showing->callback([&arguments] {
    arguments.command = [&arguments] {
      return versions(arguments.connection, arguments.name, arguments.json());
    };
  });
  for (const bool back : {true, false}) {
    auto* moving = app.add_subcommand(
        back ? "rollback" : "promote",
        back ? "Make the version that was live before live again, or the one named"
             : "Publish $LATEST and make it live, or the version named");
    moving->group("Versions");
    moving->add_option("NAME", arguments.name, "the function")->required();
    moving->add_option("VERSION", arguments.version, "a version's number");
    add_output(*moving, arguments);
    moving->callback([&arguments, back] {
      arguments.command = [&arguments, back] {
        return move_live(arguments.connection, arguments.name, arguments.version, back,
                         arguments.json());
      };
    });
  }
}

void add_config(CLI::App& app, Arguments& arguments) {
  auto* config = app.add_subcommand("config", "Which server, which key")->group("Server");
  config->require_subcommand(1);
  auto* host = config->add_subcommand("set-host", "The server that commands go to");
  host->add_option("URL", arguments.value, "http://HOST:PORT, https://HOST or unix:/PATH")
      ->required();
  host->callback([&arguments] {
    arguments.command = [&arguments] { return config_set_host(arguments.value); };
  });
  auto* key = config->add_subcommand("set-key", "Its key, asked for or read from standard input");
  key->callback([&arguments] { arguments.command = [] { return config_set_key(); }; });
  auto* show = config->add_subcommand("show", "What is used, and where it comes from");
  show->callback([&arguments] {
    arguments.command = [&arguments] { return config_show(arguments.connection); };
  });
  auto* aws = config->add_subcommand("aws", "Settings for AWS's clients");
  aws->callback([&arguments] {
    arguments.command = [&arguments] { return config_aws(arguments.connection); };
  });
  auto* check = app.add_subcommand("doctor", "Look whether everything is well")->group("Server");
  add_output(*check, arguments);
  check->callback([&arguments] {
    arguments.command = [&arguments] { return doctor(arguments.connection, arguments.json()); };
  });
}

// "did you mean", where a word is no command.
void suggest(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with('-')) continue;
    if (std::find(names.begin(), names.end(), word) != names.end()) return;
    const auto near = nearest(word, names);
    if (!near.empty())
      std::fprintf(stderr, "There is no command \"%s\"; did you mean \"%s\"?\n", word.c_str(),
                   near.c_str());
    return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("lambda deploys and calls functions on a Lambda server.");
  app.set_version_flag("--version", "lambda " LAMBDA_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  Arguments arguments;
  app.add_option(
      "--host", arguments.connection.host,
      "the server (default: LAMBDA_HOST, the configuration, or the one on this machine)");
  app.add_flag("--insecure", arguments.connection.insecure,
               "send the key over plain HTTP to another machine");
  app.fallthrough();
  add_deploy(app, arguments);
  add_invoke(app, arguments);
  add_reading(app, arguments);
  add_versions(app, arguments);
  add_config(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    if (code == 0) return kDone;
    suggest(app, argc, argv);
    return kUsage;
  }
  try {
    return arguments.command();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lambda: %s\n", error.what());
    return kFailed;
  }
}
