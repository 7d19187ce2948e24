// lambda deploy. Steps: read lambda.toml -> plan, until the server has nothing against it -> pack
// -> upload, and show what the server reports -> set what lambda.toml says of events and schedules.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/deploy_plan.h"
#include "cli/deploy_report.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/project/archive.h"
#include "cli/schedule_settings.h"
#include "cli/upload.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

int show_result(const json::object& result, const std::string& name, bool as_json) {
  if (flag_in(result, "unchanged")) {
    std::fprintf(stderr, "Unchanged: version %lld of \"%s\" is live already.\n",
                 static_cast<long long>(number_in(result, "version")), name.c_str());
  }
  if (as_json) {
    print_json(result);
    return kDone;
  }
  const auto url = text_in(result, "url");
  if (text_in(result, "urlAuth") == "closed")
    std::fprintf(stderr, "\nIts URL is closed; open it with: lambda url %s open\n", name.c_str());
  // The URL alone for a program that reads it; the sentence for a person.
  std::FILE* reader = is_terminal(STDOUT_FILENO) ? stdout : stderr;
  std::fprintf(reader, "\nYour function is live at: %s\n", url.c_str());
  if (reader != stdout) std::printf("%s\n", url.c_str());
  return kDone;
}

int upload(ServerConnection& server, const DeployPlan& plan, Archive archive, bool as_json) {
  const auto& name = plan.name;
  http::Headers headers;
  headers.add("X-Lambda-Settings", base64_encode(json::serialize(plan.settings)));
  headers.add("Content-Type",
              plan.format == ArchiveFormat::tar ? "application/x-tar" : "application/zip");
  Upload body(std::move(archive), is_terminal(STDERR_FILENO));
  DeployReport report;
  const std::function<void(std::string_view)> take = [&](std::string_view piece) {
    body.end_bar();
    report.take(piece);
  };
  auto response = server.stream("POST", function_path(name, "/deploy"), body, std::move(headers),
                                take, kForDeploys);
  body.end_bar();
  report.end_open_step();
  if (!response) return explain(response.error());
  if (report.error()) return show_deploy_error(*report.error());
  if (report.result()) return show_result(*report.result(), name, as_json);
  if (report.unreadable()) {
    std::fprintf(
        stderr,
        "lambda: the server answered with a line that this command does not understand, so "
        "how the deploy ended is not known: `lambda versions %s` shows what is live. The "
        "line: %s\n",
        name.c_str(), report.unreadable()->c_str());
    return kFailed;
  }
  std::fprintf(stderr,
               "lambda: the server ended the connection before the deploy was done: `lambda "
               "versions %s` shows what is live\n",
               name.c_str());
  return kFailed;
}

// A function's code, or nothing of an image.
Result<Archive> pack(const DeployPlan& plan) {
  if (!plan.contents) return Archive{};
  return write_archive(*plan.contents, plan.format);
}

int deploy_one(ServerConnection& server, const DeployPlan& plan, bool as_json) {
  std::fputs("[1/3] Packaging function code...", stderr);
  auto archive = pack(plan);
  if (!archive) {
    std::fputs(" failed.\n", stderr);
    return explain(archive.error());
  }
  if (const auto& contents = plan.contents) {
    std::fprintf(stderr, " Done. (%s, %s)\n", counted(contents->files, "file").c_str(),
                 size_text(contents->bytes).c_str());
    for (const auto& note : contents->notes) std::fprintf(stderr, "      %s\n", note.c_str());
  } else {
    std::fputs(" Done. (an image)\n", stderr);
  }
  return upload(server, plan, std::move(*archive), as_json);
}

// The functions are there by now, and may name each other.
int set_event_settings(ServerConnection& server, const DeployPlan& plan) {
  if (plan.events.empty()) return kDone;
  auto set = set_event_settings(server, plan.name, plan.events);
  if (set) return kDone;
  auto error = std::move(set.error());
  return explain(std::move(error).with_context(fmt::format(
      "\"{}\" is deployed, but what lambda.toml says of its events is not set", plan.name)));
}

int set_schedules(ServerConnection& server, const DeployPlan& plan) {
  auto declared = declare_schedules(server, plan.name, plan.manifest);
  if (declared) {
    for (const auto& change : *declared) std::fprintf(stderr, "%s\n", change.c_str());
    return kDone;
  }
  auto error = std::move(declared.error());
  return explain(std::move(error).with_context(
      fmt::format("\"{}\" is deployed, but the schedules of lambda.toml are not set", plan.name)));
}

// One of several by --name, or all.
Result<std::vector<Manifest>> choose(std::vector<Manifest> manifests,
                                     const DeployOptions& options) {
  std::error_code error;
  if (options.all && !fs::exists(fs::path(options.folder) / "lambda.toml", error)) {
    auto there = check_folder(options.folder);
    if (!there) return fail(std::move(there.error()));
    return fail(ErrorCode::invalid,
                "--all deploys every function of lambda.toml, and there is none in {}: leave --all "
                "out to deploy that folder",
                options.folder);
  }
  if (options.all || manifests.size() == 1) return manifests;
  std::string names;
  for (const auto& manifest : manifests) {
    if (manifest.name == options.name) return std::vector<Manifest>{manifest};
    names += (names.empty() ? "" : ", ") + *manifest.name;
  }
  if (!options.name.empty()) {
    return fail(ErrorCode::invalid, "lambda.toml declares no function \"{}\", but these: {}",
                options.name, names);
  }
  return fail(ErrorCode::invalid,
              "lambda.toml declares several functions ({}): choose one with --name, or deploy them "
              "with --all",
              names);
}

}  // namespace

int deploy(const ConnectionOptions& connection, const DeployOptions& options) {
  auto manifests = read_manifests(options.folder);
  if (!manifests) return explain(manifests.error());
  auto chosen = choose(std::move(*manifests), options);
  if (!chosen) return explain(chosen.error());
  auto plans = plan_deploys(options, *chosen);
  if (!plans) return explain(plans.error());
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto complete = complete_plans(*connected.server, *plans);
  if (!complete) return explain(complete.error());
  for (std::size_t i = 0; i < plans->size(); ++i) {
    const auto& plan = (*plans)[i];
    if (plans->size() > 1) std::fprintf(stderr, "%s%s\n", i == 0 ? "" : "\n", plan.name.c_str());
    const int code = deploy_one(*connected.server, plan, options.json);
    if (code == kDone) continue;
    for (std::size_t rest = i + 1; rest < plans->size(); ++rest)
      std::fprintf(stderr, "%s \"%s\"", rest == i + 1 ? "Not deployed any more:" : ",",
                   (*plans)[rest].name.c_str());
    if (i + 1 < plans->size()) std::fputc('\n', stderr);
    return code;
  }
  for (const auto& plan : *plans) {
    int code = set_event_settings(*connected.server, plan);
    if (code == kDone) code = set_schedules(*connected.server, plan);
    if (code != kDone) return code;
  }
  return kDone;
}

}  // namespace lambda::cli
