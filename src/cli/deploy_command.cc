// lambda deploy. Steps: read lambda.toml -> plan, until the server has nothing against it -> pack
// -> upload, and show what the server reports -> set what lambda.toml says of events and schedules.
#include "base/encoding.h"
#include "cli/after_deploy.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/deploy_plan.h"
#include "cli/deploy_report.h"
#include "cli/exit_code.h"
#include "cli/live_share.h"
#include "cli/output.h"
#include "cli/progress_bar.h"
#include "cli/project/archive.h"
#include "cli/upload.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

int show_result(const json::object& result, const std::string& name, bool as_json) {
  const auto version = number_in(result, "version");
  const auto ended = ended_share_text(result, version);
  if (flag_in(result, "unchanged")) {
    std::fprintf(stderr, "Unchanged: version %lld of \"%s\" %s.\n", static_cast<long long>(version),
                 name.c_str(),
                 ended.empty() ? "is live already" : "has this code and these settings already");
  }
  if (!ended.empty()) std::fprintf(stderr, "%s.\n", ended.c_str());
  if (as_json) {
    print_json(result);
    return kDone;
  }
  const auto url = text_in(result, "url");
  // The URL alone for a program that reads it; the sentence for a person.
  std::FILE* reader = is_terminal(STDOUT_FILENO) ? stdout : stderr;
  if (text_in(result, "urlAuth") == "closed") {
    std::fprintf(reader,
                 "\nYour function is live. Its URL is closed; open it with: lambda url %s open\n",
                 name.c_str());
  } else {
    std::fprintf(reader, "\nYour function is live at: %s\n", url.c_str());
  }
  if (reader != stdout) std::printf("%s\n", url.c_str());
  return kDone;
}

int upload(ServerConnection& server, const DeployPlan& plan, Archive archive, bool as_json) {
  const auto& name = plan.name;
  http::Headers headers;
  headers.add("X-Lambda-Settings", base64_encode(json::serialize(plan.settings)));
  headers.add("Content-Type",
              plan.format == ArchiveFormat::tar ? "application/x-tar" : "application/zip");
  Upload body(std::move(archive), can_redraw(STDERR_FILENO));
  DeployReport report(plan.steps(), can_redraw(STDERR_FILENO));
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

// What takes a while to pack gets a bar.
constexpr std::uint64_t kBarFrom = 16u << 20;

// A function's code, or nothing of an image; and what there is to say of it.
Result<Archive> pack(const DeployPlan& plan, std::string& said) {
  if (!plan.format) {
    said = " Done. (an image)\n";
    return Archive{};
  }
  auto contents = list_contents(plan);
  if (!contents) return fail(std::move(contents.error()));
  const bool large = can_redraw(STDERR_FILENO) && contents->bytes >= kBarFrom;
  if (large) std::fputc('\n', stderr);
  ProgressBar bar("Packaging", contents->bytes, large);
  auto archive =
      write_archive(*contents, *plan.format, [&bar](std::uint64_t bytes) { bar.advance(bytes); });
  bar.close();
  if (!archive) return archive;
  said = fmt::format("{}Done. ({}, {})\n", large ? "      " : " ", counted(contents->files, "file"),
                     size_text(contents->bytes));
  for (const auto& note : contents->notes) said += fmt::format("      {}\n", note);
  if (!plan.note.empty()) said += fmt::format("      {}\n", plan.note);
  return archive;
}

int deploy_one(ServerConnection& server, const DeployPlan& plan, bool as_json) {
  std::fprintf(stderr, "[1/%d] Packaging function code...", plan.steps());
  std::string said;
  auto archive = pack(plan, said);
  if (!archive) {
    std::fputs(" failed.\n", stderr);
    return explain(archive.error());
  }
  std::fputs(said.c_str(), stderr);
  return upload(server, plan, std::move(*archive), as_json);
}

std::string quoted_names(std::span<const DeployPlan> plans) {
  std::string names;
  for (const auto& plan : plans)
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", plan.name);
  return names;
}

// Of several: what is still to be done, in one place.
void show_not_done(std::span<const DeployPlan> missing, const AfterDeploy& after) {
  std::string text;
  if (!missing.empty()) text += fmt::format("Failed: {}\n", quoted_names(missing.first(1)));
  if (missing.size() > 1)
    text += fmt::format("Not deployed any more: {}\n", quoted_names(missing.subspan(1)));
  if (!after.not_set.empty()) text += fmt::format("Not set: {}\n", fmt::join(after.not_set, ", "));
  if (text.empty()) return;
  std::fprintf(stderr, "\n%sOnce that is mended, the same command does the rest.\n", text.c_str());
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
  const bool several = plans->size() > 1;
  int code = kDone;
  std::size_t done = 0;
  for (; done < plans->size(); ++done) {
    const auto& plan = (*plans)[done];
    if (several) std::fprintf(stderr, "%s%s\n", done == 0 ? "" : "\n", plan.name.c_str());
    code = deploy_one(*connected.server, plan, options.json);
    if (code != kDone) break;
  }
  const auto all = std::span<const DeployPlan>(*plans);
  const auto missing = all.subspan(done);
  const auto after = set_what_follows(*connected.server, all.first(done), missing);
  if (several) show_not_done(missing, after);
  return code != kDone ? code : after.code;
}

}  // namespace lambda::cli
