// lambda deploy. Steps: read lambda.toml -> recognise -> check dependencies -> pack -> upload, and
// show what the server reports.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/manifest.h"
#include "cli/output.h"
#include "cli/package.h"
#include "cli/recognition.h"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// An upload that takes longer than a blink gets a bar.
constexpr std::uint64_t kBarFrom = 4u << 20;

struct RemoveFile {
  fs::path path;
  explicit RemoveFile(fs::path file) : path(std::move(file)) {}
  RemoveFile(const RemoveFile&) = delete;
  RemoveFile& operator=(const RemoveFile&) = delete;
  ~RemoveFile() {
    std::error_code error;
    fs::remove(path, error);
  }
};

// The package as a body, with a bar on the way.
class FileBody final : public http::BodyReader {
 public:
  FileBody(const fs::path& path, std::uint64_t size, bool bar)
      : file_(path, std::ios::binary), size_(size), bar_(bar) {}
  Task<Result<std::string>> read_some() override {
    std::string bytes(128 * 1024, '\0');
    file_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file_.gcount()));
    sent_ += bytes.size();
    if (bar_) show();
    co_return bytes;
  }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override { return size_; }

 private:
  void show() {
    const auto percent = size_ == 0 ? 100 : sent_ * 100 / size_;
    if (percent == shown_) return;
    shown_ = percent;
    const std::string full(percent / 5, '#');
    std::fprintf(stderr, "\r      Uploading [%-20s] %3d%%  %s", full.c_str(),
                 static_cast<int>(percent), sent_ >= size_ ? "\n" : "");
  }
  std::ifstream file_;
  std::uint64_t size_;
  std::uint64_t sent_ = 0;
  std::uint64_t shown_ = 1000;
  bool bar_;
};

// What the server says while it works: steps on standard error, the result kept.
class Report {
 public:
  void take(std::string_view piece) {
    pending_ += piece;
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      line(pending_.substr(0, end));
      pending_.erase(0, end + 1);
    }
  }
  [[nodiscard]] const std::optional<json::object>& result() const { return result_; }
  [[nodiscard]] const std::optional<json::object>& error() const { return error_; }
  void end_open_step() {
    if (open_) std::fputs(" failed.\n", stderr);
    open_ = false;
  }

 private:
  void line(const std::string& text) {
    boost::system::error_code problem;
    auto value = json::parse(text, problem);
    if (problem || !value.is_object()) return;
    auto& object = value.as_object();
    const auto event = text_in(object, "event");
    if (event == "begin") {
      std::fprintf(stderr, "[%d/3] %s...", static_cast<int>(number_in(object, "step")),
                   text_in(object, "text").c_str());
      open_ = true;
      output_ = false;
    } else if (event == "output") {
      output(text_in(object, "text"));
    } else if (event == "end") {
      if (output_) {
        std::fprintf(stderr, "%s      %s\n", at_line_start_ ? "" : "\n",
                     text_in(object, "text").c_str());
      } else {
        std::fprintf(stderr, " %s\n", text_in(object, "text").c_str());
      }
      open_ = false;
    } else if (event == "result") {
      result_ = std::move(object);
    } else if (event == "error") {
      error_ = std::move(object);
    }
  }
  // The build's own output, below its step.
  void output(std::string text) {
    if (!output_) std::fputc('\n', stderr);
    if (!output_) at_line_start_ = true;
    output_ = true;
    for (const char c : text) {
      if (at_line_start_) std::fputs("      ", stderr);
      std::fputc(c, stderr);
      at_line_start_ = c == '\n';
    }
  }
  std::string pending_;
  std::optional<json::object> result_;
  std::optional<json::object> error_;
  bool open_ = false;
  bool output_ = false;
  bool at_line_start_ = true;
};

Result<std::pair<std::string, std::string>> key_and_value(const std::string& text,
                                                          std::string_view flag) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(ErrorCode::invalid, "{} \"{}\" must be KEY=VALUE", flag, text);
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<Done> add_environment_file(const std::string& path,
                                  std::map<std::string, std::string>& environment) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::invalid, "cannot read --env-file {}", path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    auto pair = key_and_value(line, "--env-file: line");
    if (!pair) return fail(std::move(pair.error()));
    environment[pair->first] = pair->second;
  }
  return Done{};
}

// Flags over lambda.toml.
Result<json::object> make_settings(const DeployOptions& options, const Manifest& manifest) {
  json::object settings;
  const auto text = [&settings](const char* key, const std::optional<std::string>& flag,
                                const std::optional<std::string>& file) {
    if (flag || file) settings[key] = flag ? *flag : *file;
  };
  const auto number = [&settings](const char* key, const std::optional<std::int64_t>& flag,
                                  const std::optional<std::int64_t>& file) {
    if (flag || file) settings[key] = flag ? *flag : *file;
  };
  text("runtime", options.runtime, manifest.runtime);
  text("handler", options.handler, manifest.handler);
  text("kind", options.kind, manifest.kind);
  text("description", options.description, manifest.description);
  text("url", options.url, manifest.url);
  text("driver", options.driver, manifest.driver);
  number("timeout", options.timeout, manifest.timeout);
  number("memory", options.memory, manifest.memory);
  number("ephemeralStorage", options.ephemeral_storage, manifest.ephemeral_storage);
  number("port", options.port, manifest.port);
  auto environment = manifest.environment;
  if (!options.environment_file.empty()) {
    auto read = add_environment_file(options.environment_file, environment);
    if (!read) return fail(std::move(read.error()));
  }
  for (const auto& item : options.environment) {
    auto pair = key_and_value(item, "-e");
    if (!pair) return fail(std::move(pair.error()));
    environment[pair->first] = pair->second;
  }
  json::object variables;
  for (const auto& [name, value] : environment) variables[name] = value;
  if (!variables.empty()) settings["environment"] = std::move(variables);
  if (options.environment_clear) settings["environmentClear"] = true;
  json::object tags;
  for (const auto& item : options.tags) {
    auto pair = key_and_value(item, "--tag");
    if (!pair) return fail(std::move(pair.error()));
    tags[pair->first] = pair->second;
  }
  if (!tags.empty()) settings["tags"] = std::move(tags);
  if (!options.message.empty()) settings["message"] = options.message;
  return settings;
}

// The name: a flag, lambda.toml, or the folder's own where that can be one.
std::string name_of(const DeployOptions& options, const Manifest& manifest) {
  if (!options.name.empty()) return options.name;
  if (manifest.name) return *manifest.name;
  std::error_code error;
  auto folder = fs::canonical(manifest.directory, error).filename().string();
  return folder;
}

// The function's own words for why it failed to load.
void show_failure(const json::object& error) {
  std::fprintf(stderr, "\nlambda: %s\n", text_in(error, "message").c_str());
  const auto log = text_in(error, "log");
  if (!log.empty()) {
    std::fprintf(stderr, "\nIts output:\n");
    std::string line;
    for (const char c : log + "\n") {
      if (c != '\n') {
        line += c;
        continue;
      }
      if (!line.empty()) std::fprintf(stderr, "  %s\n", line.c_str());
      line.clear();
    }
    return;
  }
  const auto payload = text_in(error, "functionPayload");
  boost::system::error_code problem;
  const auto value = json::parse(payload, problem);
  if (problem || !value.is_object()) return;
  std::fprintf(stderr, "  %s: %s\n", text_in(value.as_object(), "errorType").c_str(),
               text_in(value.as_object(), "errorMessage").c_str());
  for (const char* key : {"stackTrace", "trace"}) {
    const auto* trace = value.as_object().if_contains(key);
    if (trace == nullptr || !trace->is_array()) continue;
    for (const auto& frame : trace->as_array()) {
      if (frame.is_string()) std::fprintf(stderr, "  %s\n", std::string(frame.as_string()).c_str());
    }
  }
}

int show_result(const json::object& result, const std::string& name, bool as_json) {
  const auto url = text_in(result, "url");
  if (as_json) {
    std::printf("%s\n", json::serialize(result).c_str());
    return kDone;
  }
  if (flag_in(result, "unchanged")) {
    std::fprintf(stderr, "No change: version %lld of \"%s\" is live already.\n",
                 static_cast<long long>(number_in(result, "version")), name.c_str());
  }
  const auto auth = text_in(result, "urlAuth");
  if (auth == "closed") {
    std::fprintf(stderr, "\nIts URL is closed; open it with: lambda url %s open\n", name.c_str());
  }
  if (is_terminal(STDOUT_FILENO)) {
    std::printf("\nYour function is live at: %s\n", url.c_str());
  } else {
    std::fprintf(stderr, "\nYour function is live at: %s\n", url.c_str());
    std::printf("%s\n", url.c_str());
  }
  return kDone;
}

struct Upload {
  std::optional<Packed> packed;
  std::string source;
};

Result<Upload> prepare(const DeployOptions& options, const Manifest& manifest,
                       json::object& settings) {
  Upload upload;
  if (options.image) {
    upload.source = "image";
    settings["image"] = *options.image;
    return upload;
  }
  std::error_code error;
  if (!fs::is_directory(manifest.directory, error)) {
    auto wrong = pack_code(manifest.directory, {});
    return fail(wrong ? Error(ErrorCode::invalid, "not a folder") : std::move(wrong.error()));
  }
  if (fs::is_empty(manifest.directory, error)) {
    return fail(ErrorCode::invalid, "{} is empty: there is nothing to deploy",
                manifest.directory.string());
  }
  auto recognised =
      recognise(manifest.directory, text_in(settings, "runtime"), text_in(settings, "handler"));
  if (!recognised) return fail(std::move(recognised.error()));
  Result<Packed> packed = fail(ErrorCode::internal, "nothing packed");
  if (recognised->image) {
    upload.source = "context";
    if (recognised->port && !settings.contains("port") && text_in(settings, "kind") != "handler")
      settings["port"] = *recognised->port;
    packed = pack_context(manifest.directory);
  } else {
    upload.source = "zip";
    settings["runtime"] = recognised->runtime;
    if (!recognised->handler.empty()) settings["handler"] = recognised->handler;
    auto whole = check_dependencies(manifest.directory, recognised->runtime);
    if (!whole) return fail(std::move(whole.error()));
    packed = pack_code(manifest.directory, manifest.include);
  }
  if (!packed) return fail(std::move(packed.error()));
  upload.packed = std::move(*packed);
  return upload;
}

int deploy_one(ServerConnection& server, const DeployOptions& options, const Manifest& manifest) {
  auto settings = make_settings(options, manifest);
  if (!settings) return explain(settings.error());
  const auto name = name_of(options, manifest);
  std::fputs("[1/3] Packaging function code...", stderr);
  auto upload = prepare(options, manifest, *settings);
  if (!upload) {
    std::fputs(" failed.\n", stderr);
    return explain(upload.error());
  }
  (*settings)["source"] = upload->source;
  const auto& packed = upload->packed;
  if (packed) {
    std::fprintf(stderr, " Done. (%zu file%s, %s)\n", packed->files, packed->files == 1 ? "" : "s",
                 size_text(packed->bytes).c_str());
    for (const auto& note : packed->notes) std::fprintf(stderr, "      %s\n", note.c_str());
  } else {
    std::fputs(" Done. (an image)\n", stderr);
  }
  const RemoveFile remove(packed ? packed->file : fs::path());
  std::error_code error;
  const auto size = packed ? fs::file_size(packed->file, error) : 0;
  http::Headers headers;
  headers.add("X-Lambda-Settings", base64_encode(json::serialize(*settings)));
  headers.add("Content-Type",
              upload->source == "context" ? "application/x-tar" : "application/zip");
  FileBody body(packed ? packed->file : fs::path("/dev/null"), size,
                size >= kBarFrom && is_terminal(STDERR_FILENO));
  Report report;
  const std::function<void(std::string_view)> take = [&report](std::string_view piece) {
    report.take(piece);
  };
  auto response =
      server.stream("POST", function_path(name, "/deploy"), body, std::move(headers), take);
  if (!response) {
    report.end_open_step();
    return explain(response.error());
  }
  if (report.error()) {
    report.end_open_step();
    show_failure(*report.error());
    return text_in(*report.error(), "code") == "function failed" ? kFunctionFailed : kFailed;
  }
  if (!report.result()) {
    report.end_open_step();
    std::fputs(
        "lambda: the server ended the connection before the deploy was done; `lambda versions` "
        "shows what is live\n",
        stderr);
    return kFailed;
  }
  return show_result(*report.result(), name, options.json);
}

}  // namespace

int deploy(const ConnectionOptions& connection, const DeployOptions& options) {
  auto manifests = read_manifests(options.folder);
  if (!manifests) return explain(manifests.error());
  if (manifests->size() > 1 && !options.all) {
    const auto wanted = std::ranges::find_if(
        *manifests, [&options](const Manifest& item) { return item.name == options.name; });
    if (options.name.empty() || wanted == manifests->end()) {
      return explain(Error(
          ErrorCode::invalid,
          "lambda.toml declares several functions: choose one with --name, or deploy them --all"));
    }
    manifests = std::vector<Manifest>{*wanted};
  }
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  for (const auto& manifest : *manifests) {
    if (manifests->size() > 1) std::fprintf(stderr, "%s\n", manifest.name->c_str());
    const int code = deploy_one(*connected.server, options, manifest);
    if (code != kDone) return code;
  }
  return kDone;
}

}  // namespace lambda::cli
