#include "deploy/dependencies/lock_files.h"

#include "base/blocking.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

namespace lambda::deploy {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostFiles = 50;
// npm runs these of the project itself when it installs.
constexpr std::array<std::string_view, 8> kInstallScripts = {
    "preinstall", "install", "postinstall", "prepublish",
    "preprepare", "prepare", "postprepare", "dependencies"};

// --- requirements.txt

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Lines without comments, those that a backslash continues as one.
std::vector<std::string> logical_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  std::string line;
  std::string whole;
  while (std::getline(stream, line)) {
    const auto comment = line.starts_with('#') ? 0 : line.find(" #");
    if (comment != std::string::npos) line.resize(comment);
    const auto part = trimmed(line);
    const bool goes_on = part.ends_with('\\');
    whole += goes_on ? part.substr(0, part.size() - 1) : part;
    if (goes_on) {
      whole += ' ';
      continue;
    }
    if (!trimmed(whole).empty()) lines.emplace_back(trimmed(whole));
    whole.clear();
  }
  if (!trimmed(whole).empty()) lines.emplace_back(trimmed(whole));
  return lines;
}

// The value of "-r FILE", "-rFILE", "--requirement FILE", "--requirement=FILE"; nothing where the
// line is another option.
std::optional<std::string> option_value(std::string_view line, std::string_view brief,
                                        std::string_view full) {
  for (const auto name : {brief, full}) {
    if (!line.starts_with(name)) continue;
    auto rest = line.substr(name.size());
    if (name == full && !rest.empty() && rest.front() != ' ' && rest.front() != '=') continue;
    if (rest.starts_with('=')) rest.remove_prefix(1);
    return std::string(trimmed(rest));
  }
  return std::nullopt;
}

bool is_local_path(std::string_view requirement) {
  return requirement.starts_with('.') || requirement.starts_with('/') ||
         requirement.starts_with("file:") || requirement.find("@ file:") != std::string_view::npos;
}

// "name==1.2", "name===1.2", "name @ https://...#sha256=...", or any with a hash.
bool is_exact(std::string_view requirement) {
  if (requirement.find("--hash=") != std::string_view::npos) return true;
  if (requirement.find("#sha256=") != std::string_view::npos) return true;
  const auto specifier = requirement.substr(0, requirement.find(';'));
  const auto equals = specifier.find("==");
  return equals != std::string_view::npos && specifier.find('*') == std::string_view::npos;
}

std::string name_of(std::string_view requirement) {
  return std::string(requirement.substr(0, requirement.find_first_of(" \t<>=!~[@;")));
}

class Requirements {
 public:
  explicit Requirements(const ReadFile& read) : read_(read) {}

  Result<LockFiles> run() {
    ahead_.emplace_back("requirements.txt");
    while (!ahead_.empty()) {
      const auto name = std::move(ahead_.front());
      ahead_.pop_front();
      if (found_.files.contains(name)) continue;
      auto text = read_(name);
      if (!text && found_.files.empty()) return nothing();
      // pip says best what is wrong with a file that it cannot find.
      if (!text) continue;
      if (found_.files.size() >= kMostFiles)
        return fail(ErrorCode::invalid, "requirements.txt names more than {} other files",
                    kMostFiles);
      for (const auto& line : logical_lines(*text)) take(line, name);
      found_.files.emplace(name, std::move(*text));
    }
    return std::move(found_);
  }

 private:
  [[nodiscard]] Result<LockFiles> nothing() const {
    for (const auto* other : {"pyproject.toml", "Pipfile", "setup.py"}) {
      if (!read_(other)) continue;
      return fail(ErrorCode::invalid,
                  "--build reads requirements.txt, and there is {} in its place: write one (pip "
                  "freeze, pip-compile, uv export, poetry export), and deploy again",
                  other);
    }
    return fail(ErrorCode::invalid,
                "--build installs what requirements.txt names, and there is none in the package: "
                "write one, or leave --build out");
  }
  void take(const std::string& line, const std::string& file) {
    for (const auto& [brief, full] : {std::pair("-r", "--requirement"), {"-c", "--constraint"}}) {
      if (const auto other = option_value(line, brief, full)) {
        const auto path = std::filesystem::path(file).parent_path() / *other;
        ahead_.push_back(path.lexically_normal().string());
        return;
      }
    }
    if (option_value(line, "-e", "--editable") || is_local_path(line)) {
      found_.local = true;
      return;
    }
    if (const auto links = option_value(line, "-f", "--find-links")) {
      found_.local = found_.local || links->find("://") == std::string::npos;
      return;
    }
    if (line.starts_with('-') || is_exact(line) || !found_.open.empty()) return;
    found_.open = fmt::format("{} ({}) has no exact version", name_of(line), file);
  }

  const ReadFile& read_;
  std::deque<std::string> ahead_;
  LockFiles found_;
};

// --- package.json

// Whether npm runs something of the project's own, or installs from its folders.
bool is_local_project(const json::object& package) {
  if (package.contains("workspaces")) return true;
  const auto* scripts = package.if_contains("scripts");
  if (scripts != nullptr && scripts->is_object()) {
    for (const auto script : kInstallScripts) {
      if (scripts->get_object().contains(script)) return true;
    }
  }
  for (const auto* kind : {"dependencies", "optionalDependencies", "peerDependencies"}) {
    const auto* all = package.if_contains(kind);
    if (all == nullptr || !all->is_object()) continue;
    for (const auto& [name, range] : all->get_object()) {
      const auto* text = range.if_string();
      if (text == nullptr) continue;
      const std::string_view where(*text);
      if (where.starts_with("file:") || where.starts_with("link:") || where.starts_with('.') ||
          where.starts_with('/'))
        return true;
    }
  }
  return false;
}

Result<LockFiles> node_lock_files(const ReadFile& read) {
  auto package = read("package.json");
  if (!package) {
    return fail(ErrorCode::invalid,
                "--build installs what package.json names, and there is none in the package: write "
                "one (npm init), or leave --build out");
  }
  boost::system::error_code error;
  const auto value = json::parse(*package, error);
  if (error || !value.is_object())
    return fail(ErrorCode::invalid, "package.json is not a JSON object{}{}", error ? ": " : "",
                error ? error.message() : "");
  LockFiles found;
  found.local = is_local_project(value.get_object());
  found.files.emplace("package.json", std::move(*package));
  found.open = "there is no package-lock.json";
  // npm prefers the first.
  for (const auto* name : {"npm-shrinkwrap.json", "package-lock.json"}) {
    auto text = read(name);
    if (!text) continue;
    found.open.clear();
    found.local = found.local || text->find("\"link\": true") != std::string::npos ||
                  text->find("\"file:") != std::string::npos;
    found.files.emplace(name, std::move(*text));
  }
  if (auto settings = read(".npmrc")) found.files.emplace(".npmrc", std::move(*settings));
  return found;
}

}  // namespace

Result<LockFiles> find_lock_files(std::string_view family, const ReadFile& read) {
  if (family == "node") return node_lock_files(read);
  return Requirements(read).run();
}

}  // namespace lambda::deploy
