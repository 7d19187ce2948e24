#include "cli/project/recognition.h"

#include "cli/project/dependencies.h"
#include "cli/project/dockerfile.h"
#include "cli/project/exported_handler.h"
#include "cli/project/text_file.h"

#include <boost/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <vector>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNodeRuntime = "nodejs22.x";
constexpr const char* kPythonRuntime = "python3.11";
constexpr const char* kProgramRuntime = "provided.al2023";

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::vector<fs::path> files_with(const fs::path& folder,
                                 const std::vector<std::string>& extensions) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_regular_file(error) &&
        std::ranges::find(extensions, entry.path().extension().string()) != extensions.end()) {
      found.push_back(entry.path());
    }
  }
  std::ranges::sort(found);
  return found;
}

// The usual names come first, so that one of several files is chosen as a person would.
void usual_first(std::vector<fs::path>& files) {
  static const std::vector<std::string> usual = {"lambda_function", "app",     "index", "main",
                                                 "handler",         "function"};
  const auto rank = [](const fs::path& file) {
    return std::pair(std::ranges::find(usual, file.stem().string()) - usual.begin(), file);
  };
  std::ranges::sort(files, {}, rank);
}

std::optional<std::string> python_handler(const fs::path& folder) {
  auto files = files_with(folder, {".py"});
  usual_first(files);
  for (const auto& file : files) {
    if (const auto name = python_handler_in(read_text(file)))
      return file.stem().string() + "." + *name;
  }
  return std::nullopt;
}

std::optional<std::string> node_handler(const fs::path& folder) {
  auto files = files_with(folder, {".mjs", ".js", ".cjs"});
  usual_first(files);
  if (is_file(folder / "package.json")) {
    boost::system::error_code error;
    const auto value = boost::json::parse(read_text(folder / "package.json"), error);
    const auto* main =
        error || !value.is_object() ? nullptr : value.as_object().if_contains("main");
    if (main != nullptr && main->is_string()) {
      const auto path = (folder / std::string(main->as_string())).lexically_normal();
      if (is_file(path)) files.insert(files.begin(), path);
    }
  }
  for (const auto& file : files) {
    if (!exports_handler(read_text(file))) continue;
    const auto relative = file.lexically_normal().lexically_relative(folder.lexically_normal());
    return (relative.parent_path() / relative.stem()).generic_string() + ".handler";
  }
  return std::nullopt;
}

Result<Done> check_handler_file(const fs::path& folder, const std::string& runtime,
                                const std::string& handler) {
  const auto slash = handler.rfind('/');
  const auto dot = runtime.starts_with("python")
                       ? handler.rfind('.')
                       : handler.find('.', slash == std::string::npos ? 0 : slash);
  if (dot == std::string::npos || dot == 0 || dot + 1 == handler.size()) {
    return fail(ErrorCode::invalid, "the handler \"{}\" must be FILE.FUNCTION, such as {}", handler,
                runtime.starts_with("python") ? "app.handler" : "index.handler");
  }
  auto module = handler.substr(0, dot);
  if (runtime.starts_with("python")) {
    auto path = module;
    std::ranges::replace(path, '.', '/');
    std::error_code error;
    if (is_file(folder / (path + ".py")) || fs::exists(folder / path / "__init__.py", error))
      return Done{};
    return fail(ErrorCode::invalid, "the handler {} needs a file {}.py in {}, which is not there",
                handler, path, folder.string());
  }
  for (const char* extension : {"", ".js", ".mjs", ".cjs"}) {
    if (is_file(folder / (module + extension))) return Done{};
  }
  return fail(ErrorCode::invalid,
              "the handler {} needs a file {}.js, .mjs or .cjs in {}, which is not there", handler,
              module, folder.string());
}

Result<Recognised> need_handler(std::optional<std::string> found, const fs::path& folder,
                                std::string runtime, std::string_view what) {
  if (!found) {
    return fail(ErrorCode::invalid,
                "no handler was found in {}: {}. Name it with --handler FILE.FUNCTION",
                folder.string(), what);
  }
  Recognised recognised;
  recognised.runtime = std::move(runtime);
  recognised.handler = std::move(*found);
  return recognised;
}

// The family that the files speak for; the first that has any.
enum class Family { program, python, node, none };

bool has_files_of(const fs::path& folder, Family family) {
  switch (family) {
    case Family::program:
      return is_file(folder / "bootstrap");
    case Family::python:
      return !files_with(folder, {".py"}).empty();
    case Family::node:
      return !files_with(folder, {".js", ".mjs", ".cjs"}).empty() ||
             is_file(folder / "package.json");
    case Family::none:
      return false;
  }
  return false;
}

Family family_of(std::string_view runtime) {
  if (runtime.starts_with("provided")) return Family::program;
  if (runtime.starts_with("python")) return Family::python;
  if (runtime.starts_with("nodejs")) return Family::node;
  return Family::none;
}

// What makes a program, where the folder says how.
std::string build_first(const fs::path& folder) {
  if (!is_file(folder / "Makefile")) return {};
  return ". Build it, then deploy again:\n  make -C " + shell_quoted(folder.string()) +
         missing_tool({"make"}, "make");
}

// "index.handler (nodejs22.x)": what the family would run of the folder, where there is any.
std::string offer_of(const fs::path& folder, Family family) {
  const auto shown = [](const std::optional<std::string>& handler, const char* runtime) {
    return handler ? fmt::format("{} ({})", *handler, runtime) : std::string();
  };
  switch (family) {
    case Family::program:
      return has_files_of(folder, family) ? shown("bootstrap", kProgramRuntime) : std::string();
    case Family::python:
      return shown(python_handler(folder), kPythonRuntime);
    case Family::node:
      return shown(node_handler(folder), kNodeRuntime);
    case Family::none:
      return {};
  }
  return {};
}

constexpr std::array kFamilies = {Family::program, Family::python, Family::node};

const char* runtime_of(Family family) {
  if (family == Family::program) return kProgramRuntime;
  return family == Family::python ? kPythonRuntime : kNodeRuntime;
}

// Whether the folder has what the family would start with: the handler that was named, or one that
// is found.
bool can_start(const fs::path& folder, Family family, const Known& known) {
  if (family == Family::program || !has_files_of(folder, family))
    return has_files_of(folder, family);
  if (!known.handler.empty())
    return check_handler_file(folder, runtime_of(family), known.handler).has_value();
  return known.kind == "http" || !offer_of(folder, family).empty();
}

// Whether the last deploy's handler is still one in this runtime. A named one wins over it.
bool keeps_handler(const fs::path& folder, const std::string& runtime, const Known& known) {
  return known.handler.empty() && !known.former_handler.empty() &&
         family_of(runtime) == family_of(known.former_runtime) &&
         check_handler_file(folder, runtime, known.former_handler).has_value();
}

Result<std::string> choose_runtime(const fs::path& folder, const Known& known) {
  if (!known.runtime.empty()) return known.runtime;
  const auto former = family_of(known.former_runtime);
  const bool former_has_files = has_files_of(folder, former);
  if (former_has_files &&
      (keeps_handler(folder, known.former_runtime, known) || can_start(folder, former, known)))
    return known.former_runtime;
  for (const auto family : kFamilies) {
    if (can_start(folder, family, known)) return std::string(runtime_of(family));
  }
  // What is missing is said by the former one, else by the first that has files.
  if (former_has_files) return known.former_runtime;
  for (const auto family : kFamilies) {
    if (has_files_of(folder, family)) return std::string(runtime_of(family));
  }
  return fail(ErrorCode::invalid,
              "no runtime was recognised in {}: there is no Dockerfile, no bootstrap, no *.py and "
              "no *.js, *.mjs, *.cjs or package.json. Name one with --runtime, such as {}",
              folder.string(), kPythonRuntime);
}

Result<Recognised> with_handler(const fs::path& folder, const Known& known, Recognised found) {
  const auto family = family_of(found.runtime);
  if (!known.handler.empty()) {
    auto there = check_handler_file(folder, found.runtime, known.handler);
    if (!there) return fail(std::move(there.error()));
    found.handler = known.handler;
    return found;
  }
  if (keeps_handler(folder, found.runtime, known)) {
    found.handler = known.former_handler;
    return found;
  }
  if (known.kind == "http") {
    return fail(ErrorCode::invalid,
                "an HTTP function needs the file that starts its server: name it with --handler, "
                "such as {}",
                family == Family::python ? "server.py" : "server.js");
  }
  return family == Family::python ? need_handler(python_handler(folder), folder, found.runtime,
                                                 "no *.py defines handler or lambda_handler")
                                  : need_handler(node_handler(folder), folder, found.runtime,
                                                 "no *.js, *.mjs or *.cjs exports handler");
}

// Which of several was chosen, and how to choose another.
std::string choice_note(const fs::path& folder, const Recognised& found) {
  const auto chosen = family_of(found.runtime);
  std::string others;
  for (const auto family : kFamilies) {
    const auto offer = family == chosen ? std::string() : offer_of(folder, family);
    if (!offer.empty()) others += (others.empty() ? "" : " and ") + offer;
  }
  if (others.empty()) return {};
  return fmt::format(
      "{} ({}) was chosen; there is {}, too. To choose: --runtime, or runtime = \"...\" in "
      "lambda.toml",
      chosen == Family::program ? "bootstrap" : found.handler, found.runtime, others);
}

Result<Recognised> recognise_code(const fs::path& folder, const Known& known) {
  Recognised found;
  auto runtime = choose_runtime(folder, known);
  if (!runtime) return fail(std::move(runtime.error()));
  found.runtime = std::move(*runtime);
  switch (family_of(found.runtime)) {
    case Family::program:
      if (!has_files_of(folder, Family::program)) {
        return fail(ErrorCode::invalid,
                    "the runtime {} runs a program named \"bootstrap\", which is not in {}{}",
                    found.runtime, folder.string(), build_first(folder));
      }
      found.handler = known.handler;
      return found;
    case Family::python:
    case Family::node:
      return with_handler(folder, known, std::move(found));
    case Family::none:  // the server knows its runtimes, and says so
      found.handler = known.handler;
      return found;
  }
  return found;
}

}  // namespace

Result<Recognised> recognise(const fs::path& folder, const Known& known) {
  if (known.runtime.empty() && is_file(folder / "Dockerfile")) {
    Recognised found;
    found.image = true;
    found.port = exposed_port(read_text(folder / "Dockerfile"));
    return found;
  }
  auto code = recognise_code(folder, known);
  if (code && known.runtime.empty() && known.handler.empty())
    code->note = choice_note(folder, *code);
  return code;
}

}  // namespace lambda::cli
