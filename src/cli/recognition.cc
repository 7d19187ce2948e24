#include "cli/recognition.h"

#include "base/encoding.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNodeRuntime = "nodejs22.x";
constexpr const char* kPythonRuntime = "python3.11";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

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
  static const std::regex definition(
      R"((^|\n)(async )?(def (lambda_handler|handler)\s*\(|(lambda_handler|handler)\s*=))");
  for (const auto& file : files) {
    std::smatch match;
    const auto text = read_file(file);
    if (std::regex_search(text, match, definition)) {
      const auto name = match[4].matched ? match[4].str() : match[5].str();
      return file.stem().string() + "." + name;
    }
  }
  return std::nullopt;
}

std::optional<std::string> node_handler(const fs::path& folder) {
  auto files = files_with(folder, {".mjs", ".js", ".cjs"});
  usual_first(files);
  if (is_file(folder / "package.json")) {
    boost::system::error_code error;
    const auto value = boost::json::parse(read_file(folder / "package.json"), error);
    const auto* main =
        error || !value.is_object() ? nullptr : value.as_object().if_contains("main");
    if (main != nullptr && main->is_string()) {
      const fs::path path = folder / std::string(main->as_string());
      if (is_file(path)) files.insert(files.begin(), path);
    }
  }
  static const std::regex exported(
      R"(exports\.handler\b|export\s+(async\s+)?(const|let|var|function)\s+handler\b|export\s*\{[^}]*\bhandler\b|module\.exports\s*=\s*\{[^}]*\bhandler\b)");
  for (const auto& file : files) {
    if (!std::regex_search(read_file(file), exported)) continue;
    auto relative = file.lexically_relative(folder);
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

std::string canonical_package(std::string_view name) {
  std::string lower = to_lower(name);
  std::ranges::replace_if(
      lower, [](char c) { return c == '-' || c == '.'; }, '_');
  return lower;
}

// What pip has put there: directories NAME-VERSION.dist-info, and plain modules.
std::set<std::string> python_packages(const fs::path& folder) {
  std::set<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    auto name = entry.path().filename().string();
    if (name.ends_with(".dist-info") || name.ends_with(".egg-info"))
      name.resize(name.find('-') == std::string::npos ? name.size() : name.find('-'));
    if (name.ends_with(".py")) name.resize(name.size() - 3);
    found.insert(canonical_package(name));
  }
  return found;
}

Result<Done> check_python(const fs::path& folder) {
  if (!is_file(folder / "requirements.txt")) return Done{};
  const auto there = python_packages(folder);
  std::istringstream lines(read_file(folder / "requirements.txt"));
  std::string line;
  while (std::getline(lines, line)) {
    line = line.substr(0, line.find('#'));
    const auto begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '-') continue;
    const auto end = line.find_first_of(" \t\r<>=!~;[@", begin);
    const auto name = line.substr(begin, end == std::string::npos ? end : end - begin);
    // The interpreter's environment on AWS has boto3; here functions bring what they need.
    if (there.contains(canonical_package(name))) continue;
    return fail(ErrorCode::invalid,
                "{} of requirements.txt is not in the package. Run this first, then deploy "
                "again:\n  pip install -r {} -t {}",
                name, (folder / "requirements.txt").string(), folder.string());
  }
  return Done{};
}

Result<Done> check_node(const fs::path& folder) {
  if (!is_file(folder / "package.json")) return Done{};
  boost::system::error_code error;
  const auto value = boost::json::parse(read_file(folder / "package.json"), error);
  if (error || !value.is_object())
    return fail(ErrorCode::invalid, "{} is not JSON", (folder / "package.json").string());
  const auto* dependencies = value.as_object().if_contains("dependencies");
  if (dependencies == nullptr || !dependencies->is_object()) return Done{};
  std::error_code ignored;
  for (const auto& [name, range] : dependencies->as_object()) {
    if (fs::exists(folder / "node_modules" / std::string(name), ignored)) continue;
    const bool locked = is_file(folder / "package-lock.json");
    return fail(ErrorCode::invalid,
                "{} of package.json is not in node_modules. Run this first, then deploy again:\n  "
                "npm --prefix {} {} --omit=dev",
                std::string_view(name), folder.string(), locked ? "ci" : "install");
  }
  return Done{};
}

}  // namespace

Result<Recognised> recognise(const fs::path& folder, const std::string& runtime,
                             const std::string& handler) {
  Recognised recognised;
  recognised.runtime = runtime;
  recognised.handler = handler;
  if (runtime.empty() && is_file(folder / "Dockerfile")) {
    recognised.image = true;
    recognised.port = exposed_port(read_file(folder / "Dockerfile"));
    return recognised;
  }
  if (runtime.starts_with("provided") || (runtime.empty() && is_file(folder / "bootstrap"))) {
    if (!is_file(folder / "bootstrap")) {
      return fail(ErrorCode::invalid,
                  "the runtime {} runs a program named \"bootstrap\", which is not in {}{}",
                  runtime, folder.string(),
                  is_file(folder / "Makefile")
                      ? fmt::format(". Build it, then deploy again:\n  make -C {}", folder.string())
                      : "");
    }
    if (runtime.empty()) recognised.runtime = "provided.al2023";
    return recognised;
  }
  const bool python =
      runtime.starts_with("python") || (runtime.empty() && !files_with(folder, {".py"}).empty());
  const bool node = runtime.starts_with("nodejs") ||
                    (runtime.empty() && (!files_with(folder, {".js", ".mjs", ".cjs"}).empty() ||
                                         is_file(folder / "package.json")));
  if (!python && !node) {
    if (!runtime.empty()) return recognised;  // the server knows its runtimes, and says so
    return fail(ErrorCode::invalid,
                "no runtime was recognised in {}: there is no Dockerfile, no bootstrap, no *.py "
                "and no *.js, *.mjs or package.json. Name one "
                "with --runtime",
                folder.string());
  }
  if (recognised.runtime.empty()) recognised.runtime = python ? kPythonRuntime : kNodeRuntime;
  if (!handler.empty()) {
    auto there = check_handler_file(folder, recognised.runtime, handler);
    if (!there) return fail(std::move(there.error()));
    return recognised;
  }
  return python ? need_handler(python_handler(folder), folder, recognised.runtime,
                               "no *.py defines handler or lambda_handler")
                : need_handler(node_handler(folder), folder, recognised.runtime,
                               "no *.js, *.mjs or *.cjs exports handler");
}

Result<Done> check_dependencies(const fs::path& folder, const std::string& runtime) {
  if (runtime.starts_with("python")) return check_python(folder);
  if (runtime.starts_with("nodejs")) return check_node(folder);
  return Done{};
}

std::optional<std::uint16_t> exposed_port(const std::string& dockerfile) {
  std::map<std::string, std::string> values;
  std::optional<std::uint16_t> port;
  std::istringstream lines(dockerfile);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string instruction;
    words >> instruction;
    instruction = to_lower(instruction);
    std::string word;
    if (instruction == "from") port.reset();  // a later stage begins anew
    if (instruction == "arg" || instruction == "env") {
      while (words >> word) {
        const auto equals = word.find('=');
        if (equals != std::string::npos) values[word.substr(0, equals)] = word.substr(equals + 1);
      }
    }
    if (instruction != "expose" || port || !(words >> word)) continue;
    if (word.starts_with("$")) {
      auto name = word.substr(1);
      std::erase_if(name, [](char c) { return c == '{' || c == '}'; });
      word = values[name];
    }
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error == std::errc() && number != 0) port = number;
  }
  return port;
}

}  // namespace lambda::cli
