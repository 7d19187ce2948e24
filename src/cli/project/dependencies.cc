#include "cli/project/dependencies.h"

#include "base/encoding.h"
#include "cli/project/text_file.h"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRequirements = "requirements.txt";
constexpr const char* kPackageJson = "package.json";

// PEP 503, with the underscore that directories have: "Flask-Cors" and "flask.cors" are one.
std::string canonical_package(std::string_view name) {
  std::string lower = to_lower(name);
  std::ranges::replace_if(
      lower, [](char c) { return c == '-' || c == '.'; }, '_');
  return lower;
}

// What pip has put there: NAME-VERSION.dist-info, and plain modules and packages.
std::set<std::string> python_packages(const Contents& contents) {
  std::set<std::string> found;
  for (auto name : contents.root_names()) {
    if (name.ends_with(".dist-info") || name.ends_with(".egg-info")) name.resize(name.find('-'));
    if (name.ends_with(".py")) name.resize(name.size() - 3);
    found.insert(canonical_package(name));
  }
  return found;
}

// The name of a line, or "" where it names nothing that can be looked for: options, URLs, paths,
// and what an environment marker may exclude here.
std::string required_package(std::string line) {
  line.resize(std::min(line.find(" #"), line.size()));
  const auto begin = line.find_first_not_of(" \t\r");
  if (begin == std::string::npos || line[begin] == '#' || line[begin] == '-' ||
      line[begin] == '.' || line[begin] == '/' || line.find(';') != std::string::npos)
    return {};
  const auto end = line.find_first_of(" \t\r<>=!~[@\\", begin);
  auto name = line.substr(begin, end == std::string::npos ? end : end - begin);
  return name.find_first_of(":/") == std::string::npos ? name : std::string();
}

bool is_missing(const std::vector<std::string>& programs) {
  const char* path = std::getenv("PATH");
  std::istringstream places(path == nullptr ? "" : path);
  std::string place;
  while (std::getline(places, place, ':')) {
    for (const auto& program : programs) {
      if (::access((fs::path(place) / program).c_str(), X_OK) == 0) return false;
    }
  }
  return true;
}

Result<Done> check_python(const fs::path& folder, const Contents& contents) {
  if (!contents.contains(kRequirements)) return Done{};
  const auto there = python_packages(contents);
  std::istringstream lines(read_text(folder / kRequirements));
  std::string line;
  while (std::getline(lines, line)) {
    const auto name = required_package(line);
    if (name.empty() || there.contains(canonical_package(name))) continue;
    return fail(ErrorCode::invalid,
                "{} of requirements.txt is not in the package. Add --build to have it installed on "
                "the server, or run this, then deploy again:\n"
                "  python3 -m pip install -r {} -t {}{}\n"
                "(Where nothing of it is needed at run time, name requirements.txt in "
                ".lambdaignore.)",
                name, shell_quoted((folder / kRequirements).string()),
                shell_quoted(folder.string()), missing_tool({"pip3", "pip"}, "python3-pip"));
  }
  return Done{};
}

std::string node_tool(const Contents& contents) {
  if (contents.contains("pnpm-lock.yaml")) return "pnpm";
  return contents.contains("yarn.lock") ? "yarn" : "npm";
}

// npm brings the other two, whatever the system; Debian's yarn is another program ("yarnpkg").
std::string missing_node_tool(const std::string& tool) {
  auto missing = missing_tool({"npm"}, "npm");
  if (tool != "npm" && is_missing({tool}))
    missing += fmt::format("\n({} is not installed here: npm install -g {})", tool, tool);
  return missing;
}

std::string node_command(const fs::path& folder, const Contents& contents) {
  const auto place = shell_quoted(folder.string());
  const auto tool = node_tool(contents);
  if (tool == "pnpm") return "pnpm install --prod --dir " + place;
  if (tool == "yarn") return "yarn install --production --cwd " + place;
  return fmt::format("npm {} --omit=dev --prefix {}",
                     contents.contains("package-lock.json") ? "ci" : "install", place);
}

Result<Done> check_node(const fs::path& folder, const Contents& contents) {
  if (!contents.contains(kPackageJson)) return Done{};
  boost::system::error_code error;
  const auto value = boost::json::parse(read_text(folder / kPackageJson), error);
  if (error || !value.is_object()) {
    return fail(ErrorCode::invalid, "{} is not a JSON object{}{}", (folder / kPackageJson).string(),
                error ? ": " : "", error ? error.message() : "");
  }
  const auto* dependencies = value.as_object().if_contains("dependencies");
  if (dependencies == nullptr || !dependencies->is_object()) return Done{};
  for (const auto& [name, range] : dependencies->as_object()) {
    if (contents.contains("node_modules/" + std::string(name))) continue;
    return fail(ErrorCode::invalid,
                "{} of package.json is not in the package's node_modules. Add --build to have it "
                "installed on the server, or run this, then deploy again:\n  {}{}\n"
                "(Where a bundler has put everything into one file, name package.json in "
                ".lambdaignore.)",
                std::string_view(name), node_command(folder, contents),
                missing_node_tool(node_tool(contents)));
  }
  return Done{};
}

}  // namespace

Result<Done> check_dependencies(const fs::path& folder, const Contents& contents,
                                const std::string& runtime) {
  if (runtime.starts_with("python")) return check_python(folder, contents);
  if (runtime.starts_with("nodejs")) return check_node(folder, contents);
  return Done{};
}

std::string missing_tool(const std::vector<std::string>& programs, std::string_view package) {
  if (!is_missing(programs)) return {};
  return fmt::format("\n({} is not installed here; on Debian: apt-get install {})", programs.back(),
                     package);
}

std::string shell_quoted(const std::string& text) {
  const bool plain =
      !text.empty() &&
      text.find_first_not_of(
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-") ==
          std::string::npos;
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace lambda::cli
