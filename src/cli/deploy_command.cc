// lambda deploy. Steps: read lambda.toml -> check all that it and the options say -> ask what the
// function had -> recognise -> list what goes in -> check dependencies -> pack -> upload, and show
// what the server reports.
#include "base/deploy_rules.h"
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/deploy_report.h"
#include "cli/deploy_settings.h"
#include "cli/event_settings.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/project/archive.h"
#include "cli/project/dependencies.h"
#include "cli/project/recognition.h"
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

// The name: a flag, lambda.toml, or the folder's own.
Result<std::string> given_name(const DeployOptions& options, const Manifest& manifest) {
  if (!options.name.empty()) return options.name;
  if (manifest.name && !manifest.name->empty()) return *manifest.name;
  if (options.image)
    return fail(ErrorCode::invalid, "a function made of an image needs a name: add --name");
  std::error_code error;
  auto name = fs::canonical(manifest.directory, error).filename().string();
  if (name.empty())
    return fail(ErrorCode::invalid, "{} gives the function no name: add --name",
                manifest.directory.string());
  return name;
}

Result<std::string> name_of(const DeployOptions& options, const Manifest& manifest) {
  auto name = given_name(options, manifest);
  if (!name) return name;
  auto fits = check_deploy_name(*name);
  if (!fits) return fail(std::move(fits.error()));
  return name;
}

// One deploy whose options and paths are right, as far as can be seen from here.
struct Checked {
  Manifest manifest;
  std::string name;
  json::object settings;
};

// What lambda.toml says of asynchronous events. Checked before anything is deployed, as far as that
// goes, and set when all functions are there: they may name each other.
Result<EventSettings> event_settings(const Manifest& manifest) {
  EventSettings settings;
  settings.retries = manifest.retries;
  settings.max_age = manifest.max_age;
  settings.on_success = manifest.on_success;
  settings.on_failure = manifest.on_failure;
  if (settings.retries) {
    if (auto good = check_retries(*settings.retries); !good)
      return fail(std::move(good.error()), "lambda.toml: retries");
  }
  if (settings.max_age) {
    if (auto age = parse_age(*settings.max_age); !age)
      return fail(std::move(age.error()), "lambda.toml: max_age");
  }
  return settings;
}

Result<Checked> check(const DeployOptions& options, const Manifest& manifest) {
  Checked checked;
  checked.manifest = manifest;
  if (!options.image) {
    auto there = check_folder(manifest.directory);
    if (there) there = check_includes(manifest.include);
    if (!there) return fail(std::move(there.error()));
  }
  auto name = name_of(options, manifest);
  if (!name) return fail(std::move(name.error()));
  checked.name = std::move(*name);
  auto settings = deploy_settings(options, manifest);
  if (!settings) return fail(std::move(settings.error()));
  checked.settings = std::move(*settings);
  if (auto events = event_settings(manifest); !events) return fail(std::move(events.error()));
  return checked;
}

// What one of several has wrong is said before the first is deployed.
Result<std::vector<Checked>> check_each(const DeployOptions& options,
                                        const std::vector<Manifest>& manifests) {
  std::vector<Checked> all;
  for (const auto& manifest : manifests) {
    auto checked = check(options, manifest);
    if (!checked && manifests.size() > 1)
      return fail(std::move(checked.error()), "\"{}\"", *manifest.name);
    if (!checked) return fail(std::move(checked.error()));
    all.push_back(std::move(*checked));
  }
  return all;
}

struct Former {
  std::string runtime;
  std::string handler;
};

// What the function has now: settings not named stay. Errors: those of the server but not_found.
Result<Former> former_settings(ServerConnection& server, const std::string& name) {
  auto reply = server.json(
      "GET", "/2015-03-31/functions/" + percent_encode(name) + "/configuration", nullptr);
  if (reply) return Former{text_in(*reply, "Runtime"), text_in(*reply, "Handler")};
  if (reply.error().code() == ErrorCode::not_found) return Former{};
  return fail(std::move(reply.error()));
}

// A runtime named by the caller. Where the server cannot be asked, or is an older one, it is left
// to the deploy itself.
Result<Done> check_runtime(ServerConnection& server, const std::string& runtime) {
  if (runtime.empty()) return Done{};
  auto status = server.json("GET", "/_lambda/status");
  if (!status) return Done{};
  std::vector<std::string> known;
  for (const char* key : {"runtimes", "missingRuntimes"}) {
    for (const auto& name : array_in(*status, key)) {
      if (name.is_string()) known.emplace_back(name.as_string());
    }
  }
  return known.empty() ? Result<Done>(Done{}) : check_runtime_name(runtime, known);
}

struct Packed {
  Archive archive;
  std::string source;  // zip, context, image
  std::string facts;   // "3 files, 1.2 KB"
  std::vector<std::string> notes;
};

Result<Packed> pack(const Contents& contents, ArchiveFormat format) {
  auto archive = write_archive(contents, format);
  if (!archive) return fail(std::move(archive.error()));
  Packed packed;
  packed.archive = std::move(*archive);
  packed.source = format == ArchiveFormat::zip ? "zip" : "context";
  packed.facts = counted(contents.files, "file") + ", " + size_text(contents.bytes);
  packed.notes = contents.notes;
  return packed;
}

Result<Packed> pack_folder(const Manifest& manifest, const Former& former, json::object& settings) {
  Known known;
  known.runtime = text_in(settings, "runtime");
  known.handler = text_in(settings, "handler");
  known.kind = text_in(settings, "kind");
  known.former_runtime = former.runtime;
  known.former_handler = former.handler;
  std::error_code error;
  if (fs::is_empty(manifest.directory, error))
    return fail(ErrorCode::invalid, "the folder {} is empty: there is nothing to deploy",
                manifest.directory.string());
  auto recognised = recognise(manifest.directory, known);
  if (!recognised) return fail(std::move(recognised.error()));
  if (recognised->image) {
    // What it makes of that is the server's to say: it remembers what was named.
    if (recognised->port) settings["exposedPort"] = *recognised->port;
    auto contents = context_contents(manifest.directory, manifest.include);
    if (!contents) return fail(std::move(contents.error()));
    return pack(*contents, ArchiveFormat::tar);
  }
  settings["runtime"] = recognised->runtime;
  if (!recognised->handler.empty()) settings["handler"] = recognised->handler;
  auto contents = code_contents(manifest.directory, manifest.include);
  if (!contents) return fail(std::move(contents.error()));
  auto whole = check_dependencies(manifest.directory, *contents, recognised->runtime);
  if (!whole) return fail(std::move(whole.error()));
  return pack(*contents, ArchiveFormat::zip);
}

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

int upload(ServerConnection& server, const std::string& name, Packed packed,
           const json::object& settings, bool as_json) {
  http::Headers headers;
  headers.add("X-Lambda-Settings", base64_encode(json::serialize(settings)));
  headers.add("Content-Type", packed.source == "context" ? "application/x-tar" : "application/zip");
  Upload body(std::move(packed.archive), is_terminal(STDERR_FILENO));
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

int deploy_one(ServerConnection& server, const DeployOptions& options, Checked checked) {
  auto& settings = checked.settings;
  Former former;
  if (!options.image) {
    auto found = former_settings(server, checked.name);
    if (!found) return explain(found.error());
    former = std::move(*found);
    auto known = check_runtime(server, text_in(settings, "runtime"));
    if (!known) return explain(known.error());
  }
  std::fputs("[1/3] Packaging function code...", stderr);
  Result<Packed> packed = Packed{{}, "image", "an image", {}};
  if (options.image) {
    settings["image"] = *options.image;
  } else {
    packed = pack_folder(checked.manifest, former, settings);
  }
  if (!packed) {
    std::fputs(" failed.\n", stderr);
    return explain(packed.error());
  }
  settings["source"] = packed->source;
  std::fprintf(stderr, " Done. (%s)\n", packed->facts.c_str());
  for (const auto& note : packed->notes) std::fprintf(stderr, "      %s\n", note.c_str());
  return upload(server, checked.name, std::move(*packed), settings, options.json);
}

int set_event_settings(ServerConnection& server, const DeployOptions& options,
                       const Manifest& manifest) {
  const auto settings = event_settings(manifest);
  if (!settings) return explain(settings.error());
  if (settings->empty()) return kDone;
  auto name = name_of(options, manifest);
  if (!name) return explain(name.error());
  auto set = set_event_settings(server, *name, *settings);
  if (set) return kDone;
  auto error = std::move(set.error());
  return explain(std::move(error).with_context(fmt::format(
      "\"{}\" is deployed, but what lambda.toml says of its events is not set", *name)));
}

int set_schedules(ServerConnection& server, const DeployOptions& options,
                  const Manifest& manifest) {
  auto name = name_of(options, manifest);
  if (!name) return explain(name.error());
  auto declared = declare_schedules(server, *name, manifest);
  if (declared) return kDone;
  auto error = std::move(declared.error());
  return explain(std::move(error).with_context(
      fmt::format("\"{}\" is deployed, but the schedules of lambda.toml are not set", *name)));
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
  auto checked = check_each(options, *chosen);
  if (!checked) return explain(checked.error());
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  for (const auto& manifest : *chosen) {
    auto good = check_schedules(*connected.server, manifest);
    if (!good) return explain(good.error());
  }
  for (std::size_t i = 0; i < chosen->size(); ++i) {
    if (chosen->size() > 1)
      std::fprintf(stderr, "%s%s\n", i == 0 ? "" : "\n", (*chosen)[i].name->c_str());
    const int code = deploy_one(*connected.server, options, std::move((*checked)[i]));
    if (code == kDone) continue;
    for (std::size_t rest = i + 1; rest < chosen->size(); ++rest)
      std::fprintf(stderr, "%s \"%s\"", rest == i + 1 ? "Not deployed any more:" : ",",
                   (*chosen)[rest].name->c_str());
    if (i + 1 < chosen->size()) std::fputc('\n', stderr);
    return code;
  }
  for (const auto& manifest : *chosen) {
    int code = set_event_settings(*connected.server, options, manifest);
    if (code == kDone) code = set_schedules(*connected.server, options, manifest);
    if (code != kDone) return code;
  }
  return kDone;
}

}  // namespace lambda::cli
