#include "cli/command_table.h"

#include "base/deploy_rules.h"
#include "cli/command_parts.h"
#include "cli/misplaced_word.h"

#include <CLI/CLI.hpp>

namespace lambda::cli {
namespace {

void add_deploy_settings(CLI::App& command, DeployOptions& options) {
  const auto text = [&command](const char* flags, auto& into, const char* value,
                               const char* description) {
    return command.add_option(flags, into, description)->option_text(value)->group("Settings");
  };
  text("--runtime", options.runtime, "NAME", "python3.11, nodejs22.x, provided.al2023, ...");
  text("--handler", options.handler, "FILE.FUNCTION", "such as app.handler");
  text("--timeout", options.timeout, "SECONDS", "how long a call may take (first: 30)")
      ->check(whole_number(kTimeoutRange));
  text("--memory", options.memory, "MB", "128 to 10240 (first: 128)")
      ->check(whole_number(kMemoryRange));
  text("--cpus", options.cpus, "N", "CPUs that an instance may use: 0.5, 2 (first: 0, no limit)")
      ->check(cpus_number());
  text("--ephemeral-storage", options.ephemeral_storage, "MB", "of /tmp (first: 512)")
      ->check(whole_number(kEphemeralStorageRange));
  text("-e,--env", options.environment, "K=V", "an environment variable; may be repeated")
      ->allow_extra_args(false);
  text("--env-file", options.environment_file, "FILE", "K=V lines");
  command
      .add_flag("--env-clear", options.environment_clear,
                "forget the variables of earlier deploys first")
      ->group("Settings");
  text("--secret", options.secrets, "NAME[:file]",
       "a shared secret that it gets, as variable or file; may be repeated")
      ->allow_extra_args(false);
  command
      .add_flag("--secret-clear", options.secrets_clear,
                "forget which secrets earlier deploys asked for first")
      ->group("Settings");
  text("--kind", options.kind, "handler|http", "http: it serves HTTP itself on $PORT")
      ->check(one_of({"handler", "http"}));
  text("--port", options.port, "PORT", "where an HTTP function listens (else EXPOSE, or 8080)")
      ->check(whole_number(kPortRange));
  text("--concurrency", options.concurrency, "N",
       "requests at once in one instance of an HTTP function (first: 32)")
      ->check(whole_number(kConcurrencyRange));
  text("--idle-time", options.idle_time, "SECONDS",
       "how long an instance waits for calls (first: 0, the server's)")
      ->check(whole_number(kIdleTimeRange));
  text("--min-instances", options.min_instances, "N",
       "instances that are kept ready for calls (first: 0)")
      ->check(whole_number(kMinInstancesRange));
  text("--egress", options.egress, "none|internet|CIDR,...",
       "what it reaches: nothing, the internet, networks (first: the server's)");
  text("--url", options.url, "open|iam|key|none", "who may call its URL (first: open)")
      ->check(one_of({"open", "iam", "key", "none"}));
  text("--driver", options.driver, "native|docker", "what isolates it (first: the server's)")
      ->check(one_of({"native", "docker"}));
  text("--isolation", options.isolation, "fork|exec",
       "exec: its Python shares nothing with others' (first: fork)")
      ->check(one_of({"fork", "exec"}));
  text("--log-size", options.log_size, "SIZE", "what is kept of its log: 64MB, 2GB");
  text("--log-age", options.log_age, "AGE",
       "how long: 30d, 12h, none (first of both: the server's)");
  text("--description", options.description, "TEXT", "a line about it");
  text("--tag", options.tags, "K=V", "a tag; may be repeated")->allow_extra_args(false);
}

constexpr const char* kDeployFooter =
    R"text(What is not named stays as it is live, or as AWS's tools changed it since (the deploy says
what); a new function gets what stands behind "first". lambda.toml in the folder may hold the
same settings; options win over it. Without either, the runtime is recognised: Dockerfile,
bootstrap, *.py, *.js.
What goes in: everything but .git, .env*, .venv, __pycache__ and what .lambdaignore names
(.dockerignore, where there is a Dockerfile).

With --build (lambda.toml: build = true) the server installs what requirements.txt or package.json
names, in a sandbox, and adds it to the package; node_modules and venv stay behind. What an earlier
deploy with the same lock file installed is used again.

Examples:
  lambda deploy                                      this folder, under its own name
  lambda deploy ./greet --timeout 60 -m "slower"     with a setting, and a line for `versions`
  lambda deploy ./greet -e COLOR=blue -e SIZE=3      with environment variables
  lambda deploy ./site --kind http --port 3000       a server of its own
  lambda deploy ./greet --build                      with its dependencies installed on the server
  lambda deploy --all                                every [[function]] of lambda.toml
  url=$(lambda deploy ./greet)                       the URL alone is on standard output)text";

void add_deploy(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.deploy;
  auto* command = add_command(app, "deploy", "Package a folder, start it, and make it live",
                              "Functions", kDeployFooter);
  auto* folder =
      command->add_option("DIR", options.folder, "the function's folder (default: this one)");
  auto* name =
      command->add_option("--name", options.name,
                          "its name, also in its URL (default: lambda.toml's, or the folder's)");
  name->option_text("NAME")->check(not_empty());
  command->add_option("-m,--message", options.message, "a line about this version")
      ->option_text("TEXT");
  auto* image =
      command->add_option("--image", options.image, "a local Docker image instead of a folder");
  image->option_text("IMAGE")->excludes(folder);
  command->add_flag("--all", options.all, "every [[function]] of lambda.toml")
      ->excludes(name)
      ->excludes(image);
  auto* build = command->add_flag("--build", options.build,
                                  "install requirements.txt or package.json on the server");
  build->excludes(image);
  command->add_flag("--no-cache", options.no_cache, "--build: install anew, whatever is kept");
  command
      ->add_option("--build-env", options.build_environment,
                   "--build: a variable of the installation; may be repeated")
      ->option_text("K=V")
      ->allow_extra_args(false);
  add_output(*command, arguments);
  add_deploy_settings(*command, options);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      arguments.deploy.json = arguments.json();
      return deploy(arguments.connection, arguments.deploy);
    };
  });
}

constexpr const char* kInvokeFooter =
    R"text(The payload is written to standard output as it is, also when the function failed (exit code
3); everything else goes to standard error. Without --data and --file the event is standard
input, or {} at a terminal. As for the AWS CLI, NAME may carry the version or the alias (greet:3),
and may be an ARN.

Examples:
  lambda invoke greet --data '{"name": "World"}'
  lambda invoke greet -f event.json --timing
  jq -n '{name: "World"}' | lambda invoke greet
  lambda invoke greet --qualifier 3 --logs
  lambda invoke greet --data '{"name": "World"}' --async)text";

void add_invoke(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.invoke;
  auto* command = add_command(app, "invoke", "Call a function; its payload goes to standard output",
                              "Functions", kInvokeFooter);
  add_name(*command, options.name);
  auto* data = command->add_option("-d,--data", options.data, "the event, as JSON");
  data->option_text("JSON");
  command->add_option("-f,--file", options.file, "a file with the event; - is standard input")
      ->option_text("FILE")
      ->excludes(data);
  command
      ->add_option("--qualifier", options.qualifier,
                   "a version or an alias (default: what is live)")
      ->option_text("VERSION");
  command->add_flag("--timing", options.timing, "say where the time went");
  auto* logs = command->add_flag("--logs", options.logs, "show the end of what it wrote");
  auto* async = command->add_flag("--async", options.async,
                                  "queue the event and print its id; it is retried where it fails");
  async->excludes(logs)->excludes("--timing");
  command->add_flag("--wait", options.wait, "with --async: wait for the result")->needs(async);
  command
      ->add_option("--idempotency-key", options.token,
                   "with --async: repeated with the same key, it is the same event")
      ->option_text("KEY")
      ->needs(async)
      ->check(not_empty());
  command->callback([&arguments] {
    arguments.command = [&arguments] { return invoke(arguments.connection, arguments.invoke); };
  });
}

constexpr const char* kLogsFooter =
    R"text(Times are in UTC where they name no zone. At a terminal lines have the colours of their levels;
NO_COLOR=1 wants none. With -f, -o json prints one JSON object a line; without, one with them all.

Examples:
  lambda logs greet -n 20
  lambda logs greet -f
  lambda logs greet --since 1h --level error
  lambda logs greet --since 2026-01-31T09:30:00Z --until 2026-01-31T09:35:00Z
  lambda logs greet --search 'timed? ?out|refused'
  lambda logs greet -f -n 0 -o json | jq .fields
  lambda logs greet --request-id 61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b)text";

void add_logs(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.logs;
  auto* command =
      add_command(app, "logs", "What a function wrote, the newest last", "Functions", kLogsFooter);
  add_name(*command, options.name);
  auto* follow = command->add_flag("-f,--follow", options.follow,
                                   "go on with what it writes, over restarts of the server too");
  auto* lines = command->add_option("-n,--lines", options.lines,
                                    "the newest so many (default: 100; with --since, --until all)");
  lines->option_text("LINES")->check(whole_number({0, kMostLines}));
  command->add_option("--since", options.since, "not older: 15m, 1h30m, 2d, or a time")
      ->option_text("TIME")
      ->check(not_empty());
  command->add_option("--until", options.until, "only older ones: 15m (ago), or a time")
      ->option_text("TIME")
      ->check(not_empty())
      ->excludes(follow);
  command->add_option("--search", options.search, "that match a regular expression (RE2)")
      ->option_text("RE")
      ->check(not_empty());
  command->add_option("--level", options.level, "that level and above; a line without one is info")
      ->option_text("trace|debug|info|warn|error|fatal")
      ->check(one_of({"trace", "debug", "info", "warn", "error", "fatal"}));
  command->add_option("--request-id", options.request_id, "of one call alone")->option_text("ID");
  command->add_option("--version", options.version, "of one version alone")->option_text("VERSION");
  add_output(*command, arguments);
  command->callback([&arguments, lines] {
    auto& given = arguments.logs;
    given.lines_given = lines->count() > 0;
    if (given.lines_given && given.lines == 0 && !given.follow) {
      throw CLI::ValidationError(
          "-n,--lines", fmt::format("must be a whole number from 1 to {}, not \"0\"", kMostLines));
    }
    arguments.command = [&arguments] {
      arguments.logs.json = arguments.json();
      return logs(arguments.connection, arguments.logs);
    };
  });
}

void add_trace(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.trace;
  auto* command = add_command(
      app, "trace", "Where the time of a call went", "Functions",
      R"text(Kept are the recent calls, and for some days those that failed or were slow: that took longer than
99 in 100 of their function's calls of late, or than the server's slow_call.

Examples:
  lambda trace 61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b
  lambda trace --function greet --failed
  lambda trace --function greet -o json | jq -r '.calls[0].requestId')text");
  auto* id = command->add_option("ID", options.id, "the request id of a call, or of an event");
  auto* function =
      command->add_option("--function", options.function, "list the calls of this function");
  function->option_text("NAME")->excludes(id);
  command->add_flag("--slow", options.slow, "with --function: slow calls alone")->needs(function);
  command->add_flag("--failed", options.failed, "with --function: failed calls alone")
      ->needs(function);
  command->add_option("-n,--limit", options.limit, "with --function: so many calls (default: 20)")
      ->option_text("CALLS")
      ->check(whole_number({1, 1'000}))
      ->needs(function);
  add_listing(*command, arguments)->needs(function);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      arguments.trace.json = arguments.json();
      return trace(arguments.connection, arguments.trace);
    };
  });
}

void add_stats(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.stats;
  auto* command = add_command(
      app, "stats", "How often functions are called, how long it takes, what fails", "Functions",
      "Of all functions, those with the most calls of late first, or of one in detail. Totals "
      "count "
      "since the\nfunction was made; P50, P90 and P99 are of the last five minutes where there was "
      "a call, else of ever.\n--watch draws it anew every second; q ends it. docs/metrics.md "
      "explains every number.\n\nExamples:\n  lambda stats\n  lambda stats greet --watch\n"
      "  lambda stats -o json | jq '.functions[] | {name, invocations}'");
  command->add_option("NAME", options.name, "one function")->check(not_empty());
  command->add_flag("-w,--watch", options.watch, "again every second, until q or Ctrl-C");
  add_listing(*command, arguments);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      arguments.stats.json = arguments.json();
      arguments.stats.rows = arguments.quiet || arguments.output == "plain";
      return stats(arguments.connection, arguments.stats);
    };
  });
}

void add_functions(CLI::App& app, Arguments& arguments) {
  add_deploy(app, arguments);
  add_invoke(app, arguments);
  auto* listing = add_command(app, "list", "The functions, with their URLs", "Functions",
                              "Example:\n  lambda list -o json | jq -r '.functions[].url'");
  add_listing(*listing, arguments);
  listing->callback([&arguments] {
    arguments.command = [&arguments] { return list(arguments.connection, arguments.json()); };
  });
  add_logs(app, arguments);
  add_trace(app, arguments);
  add_stats(app, arguments);
  auto* url =
      add_command(app, "url", "Say who may call a function's URL", "Functions",
                  "open: everybody. key: who sends X-Lambda-Key. iam: who signs with SigV4. "
                  "none: nobody.\n\nExample:\n  lambda url greet key");
  add_name(*url, arguments.name);
  url->add_option("AUTH", arguments.value, "open, iam, key or none")
      ->required()
      ->check(one_of({"open", "iam", "key", "none"}));
  add_output(*url, arguments);
  url->callback([&arguments] {
    arguments.command = [&arguments] {
      return set_url(arguments.connection, arguments.name, arguments.value, arguments.json());
    };
  });
  auto* removing =
      add_command(app, "delete", "Delete a function and everything of it", "Functions",
                  "It says what goes, and asks. Where nobody can be asked (no terminal) "
                  "it wants -y.\n\nExample:\n  lambda delete greet -y");
  add_name(*removing, arguments.name);
  removing->add_flag("-y,--yes", arguments.yes, "do not ask");
  add_output(*removing, arguments);
  removing->callback([&arguments] {
    arguments.command = [&arguments] {
      return remove(arguments.connection, arguments.name, arguments.yes, arguments.json());
    };
  });
}

void add_move(CLI::App& app, Arguments& arguments, bool back) {
  auto* moving =
      back ? add_command(
                 app, "rollback", "Make an older version live again", "Versions",
                 "Without VERSION: the newest lower version that was ever live, or the older of "
                 "two that share the\ncalls (lambda alias). It never goes forward again by "
                 "itself. Code and settings move together, in\nmilliseconds.\n\n"
                 "Examples:\n  lambda rollback "
                 "greet\n  lambda rollback greet 3")
           : add_command(app, "promote", "Publish $LATEST and make it live", "Versions",
                         "For functions that AWS's tools update: these change $LATEST "
                         "alone. With VERSION, that version\nbecomes live. One that never "
                         "was live is started first, as by a deploy: what fails to\nload "
                         "changes nothing.\n\nExamples:\n"
                         "  lambda promote greet\n  lambda promote greet 4");
  add_name(*moving, arguments.name);
  moving->add_option("VERSION", arguments.version, "a version's number")
      ->check(whole_number({1, 1'000'000'000'000}));
  add_output(*moving, arguments);
  moving->callback([&arguments, back] {
    arguments.command = [&arguments, back] {
      return move_live(arguments.connection, arguments.name, arguments.version, back,
                       arguments.json());
    };
  });
}

void add_versions(CLI::App& app, Arguments& arguments) {
  auto* showing = add_command(app, "versions", "The versions of a function, and which is live",
                              "Versions", "Example:\n  lambda versions greet");
  add_name(*showing, arguments.name);
  add_listing(*showing, arguments);
  showing->callback([&arguments] {
    arguments.command = [&arguments] {
      return versions(arguments.connection, arguments.name, arguments.json());
    };
  });
  add_move(app, arguments, true);
  add_move(app, arguments, false);
}

// A command of `lambda queue` about one function or event.
CLI::App* add_queue_command(CLI::App& queue, Arguments& arguments, const char* name,
                            const char* subject, const char* description, const char* footer,
                            int (*run)(const ConnectionOptions&, const QueueOptions&)) {
  auto* command = add_command(queue, name, description, "Commands", footer);
  const std::string_view of(subject);
  const auto* about = of == "NAME" ? "the function"
                      : of == "ID" ? "the event's id"
                                   : "a function, or an event's id";
  command->add_option(subject, arguments.queue.subject, about)->required()->check(not_empty());
  command->callback([&arguments, run] {
    arguments.command = [&arguments, run] {
      arguments.queue.json = arguments.json();
      return run(arguments.connection, arguments.queue);
    };
  });
  return command;
}

constexpr const char* kQueueConfigFooter =
    R"text(DEST is a function's name (its events get AWS's record of the result), an ARN, an http(s) address
(a webhook, signed: `lambda queue secret`), or none. What is not named stays as it is.

Examples:
  lambda queue config greet
  lambda queue config greet --retries 1 --max-age 1h
  lambda queue config greet --on-success https://hooks.example.org/greeted --on-failure mourner
  lambda queue config greet --on-success none
  lambda queue config greet --clear)text";

void add_queue_config(CLI::App& queue_of, Arguments& arguments) {
  auto& options = arguments.queue_config;
  auto* command =
      add_command(queue_of, "config", "How events are retried, and where their results go",
                  "Commands", kQueueConfigFooter);
  add_name(*command, options.name);
  auto* clear = command->add_flag("--clear", options.clear, "as it was at first: all the defaults");
  const auto add = [command, clear](const char* flag, auto& into, const char* value,
                                    const char* description) {
    auto* option = command->add_option(flag, into, description)->option_text(value);
    return option->excludes(clear);
  };
  add("--retries", options.retries, "0|1|2", "of a function that fails (default: the server's, 2)")
      ->check(whole_number({0, 2}));
  add("--max-age", options.max_age, "TIME",
      "an older event is dead: 60s to 6h, or seconds (default: the server's, 6h)");
  add("--on-success", options.on_success, "DEST", "where the results go")->check(not_empty());
  add("--on-failure", options.on_failure, "DEST", "where it is told that an event is dead")
      ->check(not_empty());
  add_output(*command, arguments);
  command->callback([&arguments] {
    arguments.command = [&arguments] {
      arguments.queue_config.json = arguments.json();
      return queue_config(arguments.connection, arguments.queue_config);
    };
  });
  add_queue_command(queue_of, arguments, "secret", "NAME",
                    "What the function's webhooks are signed with",
                    "A secret of the Standard Webhooks specification: who has it can tell that a "
                    "webhook came\nfrom this server. docs/events.md shows how.\n\nExample:\n"
                    "  lambda queue secret greet",
                    queue_secret);
}

void add_queue(CLI::App& app, Arguments& arguments) {
  auto* queue_of =
      add_command(app, "queue", "The asynchronous events that wait, run, or are dead", "Events",
                  "Without a command it counts them, of one function or of all.\n\nExamples:\n"
                  "  lambda queue\n  lambda queue greet\n  lambda queue list greet\n"
                  "  lambda queue redrive greet");
  queue_of->require_subcommand(0, 1);
  queue_of->add_option("NAME", arguments.name, "one function alone");
  add_listing(*queue_of, arguments);
  queue_of->callback([&arguments, queue_of] {
    if (!queue_of->get_subcommands().empty()) return;
    arguments.queue.subject = arguments.name;
    arguments.queue.commands = commands_of(*queue_of);
    arguments.command = [&arguments] {
      arguments.queue.json = arguments.json();
      return queue(arguments.connection, arguments.queue);
    };
  });
  auto& options = arguments.queue;
  auto* listing = add_queue_command(
      *queue_of, arguments, "list", "NAME", "The events of a function, the newest first",
      "Example:\n  lambda queue list greet --state waiting -n 10", queue_list);
  listing->add_option("--state", options.state, "which (default: dead)")
      ->option_text("waiting|running|succeeded|dead")
      ->check(one_of({"waiting", "running", "succeeded", "dead"}));
  listing->add_option("-n,--limit", options.limit, "so many (default: 50)")
      ->option_text("N")
      ->check(whole_number({1, kMostListed}));
  listing->add_option("--before", options.before, "only those that came before this one")
      ->option_text("ID");
  add_listing(*listing, arguments);
  auto* show = add_queue_command(
      *queue_of, arguments, "show", "ID", "One event: state, attempts, last error, payload",
      "Example:\n  lambda queue show 61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b", queue_show);
  add_output(*show, arguments);
  auto* cancel = add_queue_command(
      *queue_of, arguments, "cancel", "ID", "Take away an event that waits, or a dead one",
      "Example:\n  lambda queue cancel 61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b", queue_cancel);
  add_output(*cancel, arguments);
  auto* redrive =
      add_queue_command(*queue_of, arguments, "redrive", "NAME|ID",
                        "Let dead events wait again: one, or all of a function",
                        "Examples:\n  lambda queue redrive greet\n  lambda queue redrive "
                        "61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b --data '{\"name\": \"Ann\"}'",
                        queue_redrive);
  redrive->add_option("-d,--data", options.data, "with an ID: another payload")
      ->option_text("JSON");
  add_output(*redrive, arguments);
  auto* purge = add_queue_command(*queue_of, arguments, "purge", "NAME",
                                  "Remove the dead events of a function for good",
                                  "Example:\n  lambda queue purge greet -y", queue_purge);
  purge->add_option("--state", options.state, "which (default: dead)")
      ->option_text("waiting|dead")
      ->check(one_of({"waiting", "dead"}));
  purge->add_flag("-y,--yes", options.yes, "do not ask");
  add_output(*purge, arguments);
  add_queue_config(*queue_of, arguments);
  auto* fetching = add_command(app, "result", "What came of an asynchronous event", "Events",
                               "Example:\n  lambda result $(lambda invoke greet --async) --wait");
  fetching->add_option("ID", arguments.value, "the event")->required()->check(not_empty());
  fetching->add_flag("--wait", arguments.wait, "wait for its end");
  fetching->callback([&arguments] {
    arguments.command = [&arguments] {
      return result(arguments.connection, arguments.value, arguments.wait);
    };
  });
}

constexpr const char* kScheduleFooter =
    R"text(EXPR has crontab's five fields, or six with seconds first; or is @hourly, @every 90s, rate(5 minutes),
cron(0 12 * * ? *), at(2026-01-31T09:30:00): docs/schedules.md. One schedule of a name replaces the one before.

Examples:
  lambda schedule greet --cron "0 * * * *"
  lambda schedule greet --cron "30 2 * * MON-FRI" --tz Europe/Berlin --name nightly
  lambda schedule greet --cron "@every 90s" --overlap queue --data '{"name": "World"}'
  lambda schedule list
  lambda schedule show greet)text";

// A command of `lambda schedule` about one of a function's schedules.
void add_schedule_command(CLI::App& schedule_of, Arguments& arguments, const char* name,
                          const char* description,
                          int (*run)(const ConnectionOptions&, const ScheduleOptions&)) {
  const auto example = fmt::format("Example:\n  lambda schedule {} greet", name);
  auto* command = add_command(schedule_of, name, description, "Commands", example.c_str());
  add_name(*command, arguments.schedule.function);
  command
      ->add_option("--name", arguments.schedule.name,
                   "which schedule (default: its only one, or \"default\")")
      ->option_text("SCHEDULE")
      ->check(not_empty());
  add_output(*command, arguments);
  command->callback([&arguments, run] {
    arguments.command = [&arguments, run] {
      arguments.schedule.json = arguments.json();
      return run(arguments.connection, arguments.schedule);
    };
  });
}

void add_schedule_options(CLI::App& command, ScheduleOptions& options) {
  auto* cron = command.add_option("--cron", options.cron, "when: make or change a schedule")
                   ->option_text("EXPR");
  const auto add = [&command, cron](const char* flag, auto& into, const char* value,
                                    const char* description) {
    return command.add_option(flag, into, description)->option_text(value)->needs(cron);
  };
  add("--name", options.name, "SCHEDULE", "of a function's several (default: default)")
      ->check(not_empty());
  add("--tz", options.timezone, "ZONE", "such as Europe/Berlin (default: UTC)");
  add("--overlap", options.overlap, "skip|allow|queue",
      "what is due while the last one still runs (default: skip)")
      ->check(one_of({"skip", "allow", "queue"}));
  add("--misfire", options.misfire, "skip|once|all",
      "what the server missed, being down more than a minute (all: a second): make up for nothing, "
      "the newest time, all (default: once)")
      ->check(one_of({"skip", "once", "all"}));
  add("--jitter", options.jitter, "TIME", "each call up to so much later: 30s, 5m (default: 0s)");
  add("-d,--data", options.data, "JSON", "the event (default: EventBridge's Scheduled Event)");
  add("--from", options.from, "DATE", "not before: 2026-01-31, 2026-01-31T09:30:00");
  add("--until", options.until, "DATE", "not after");
}

void add_schedule(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.schedule;
  auto* schedule_of = add_command(app, "schedule", "Call a function by itself, at times", "Events",
                                  kScheduleFooter);
  schedule_of->require_subcommand(0, 1);
  schedule_of->add_option("NAME", arguments.name, "the function");
  add_schedule_options(*schedule_of, options);
  add_listing(*schedule_of, arguments)->excludes("--cron");
  schedule_of->callback([&arguments, schedule_of] {
    auto& given = arguments.schedule;
    if (!schedule_of->get_subcommands().empty()) return;
    given.function = arguments.name;
    if (given.cron && given.function.empty())
      throw CLI::RequiredError("NAME, the function that is called,");
    given.commands = commands_of(*schedule_of);
    arguments.command = [&arguments] {
      arguments.schedule.json = arguments.json();
      return schedule(arguments.connection, arguments.schedule);
    };
  });
  auto* listing = add_command(*schedule_of, "list", "The schedules of a function, or all",
                              "Commands", "Example:\n  lambda schedule list greet");
  listing->add_option("NAME", options.function, "one function alone");
  add_listing(*listing, arguments);
  listing->callback([&arguments] {
    arguments.command = [&arguments] {
      arguments.schedule.json = arguments.json();
      return schedule(arguments.connection, arguments.schedule);
    };
  });
  add_schedule_command(*schedule_of, arguments, "show",
                       "Its next five times, and what came of the last ten", schedule_show);
  add_schedule_command(*schedule_of, arguments, "pause", "Let it fire no more, for a while",
                       schedule_pause);
  add_schedule_command(*schedule_of, arguments, "resume", "Let it fire again", schedule_resume);
  add_schedule_command(*schedule_of, arguments, "run", "Fire it now", schedule_run);
  add_schedule_command(*schedule_of, arguments, "delete", "Remove it", schedule_delete);
}

}  // namespace

void add_commands(CLI::App& app, Arguments& arguments) {
  app.add_option("--host", arguments.connection.host, "the server that this command goes to")
      ->option_text("URL")
      ->check(not_empty());
  app.add_option("--context", arguments.connection.context,
                 "a context of `lambda config`, for this command alone")
      ->option_text("NAME")
      ->check(not_empty());
  app.add_flag("--insecure", arguments.connection.insecure,
               "send the key over plain HTTP to another machine");
  add_functions(app, arguments);
  add_values(app, arguments);
  add_versions(app, arguments);
  add_aliases(app, arguments);
  add_queue(app, arguments);
  add_schedule(app, arguments);
  add_keys(app, arguments);
  add_audit(app, arguments);
  add_setup(app, arguments);
}

}  // namespace lambda::cli
