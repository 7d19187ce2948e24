// Steps: the rules of what is left out -> walk the folder -> walk what lambda.toml includes ->
// check the whole.
#include "cli/project/contents.h"

#include "base/encoding.h"
#include "cli/project/ignore_rules.h"
#include "cli/project/text_file.h"

#include <algorithm>
#include <set>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

bool is_outside(const fs::path& root, const fs::path& path) {
  const auto relative = path.lexically_relative(root);
  return relative.empty() || *relative.begin() == "..";
}

class Walk {
 public:
  Walk(const IgnoreRules& rules, bool links_may_leave)
      : rules_(rules), links_may_leave_(links_may_leave) {}

  // Everything below `folder`, under `prefix` ("" or "name/").
  Result<Done> add_folder(const fs::path& folder, const std::string& prefix) {
    std::error_code error;
    root_ = fs::canonical(folder, error);
    if (error) return fail(ErrorCode::denied, "read {}: {}", folder.string(), error.message());
    root_prefix_ = prefix;
    return walk(folder, prefix, false);
  }
  Result<Done> add_file(const fs::path& path, const std::string& name) {
    std::error_code error;
    root_ = fs::canonical(path.parent_path().empty() ? "." : path.parent_path(), error);
    return add(fs::directory_entry(path, error), name);
  }
  Contents take() { return std::move(contents_); }

 private:
  Result<Done> walk(const fs::path& folder, const std::string& prefix, bool ignored_here);
  Result<Done> add(const fs::directory_entry& found, const std::string& name);
  Result<Done> keep(const std::string& name, Entry entry);
  [[nodiscard]] bool leaves(const fs::path& link, const fs::path& target) const;

  const IgnoreRules& rules_;
  bool links_may_leave_;
  fs::path root_;  // canonical; of the folder or include that is walked
  std::string root_prefix_;
  Contents contents_;
};

Result<Done> Walk::walk(const fs::path& folder, const std::string& prefix, bool ignored_here) {
  std::error_code error;
  std::vector<fs::directory_entry> found;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) found.push_back(*at);
  if (error) {
    return fail(ErrorCode::denied,
                "read {}: {}. Make it readable, or name it in .lambdaignore (.dockerignore for a "
                "build)",
                folder.string(), error.message());
  }
  const auto before = contents_.entries.size();
  for (const auto& entry : found) {
    const auto name = prefix + entry.path().filename().string();
    const bool directory = entry.is_directory(error) && !entry.is_symlink(error);
    const bool ignored = rules_.ignores(name, directory);
    if (ignored && !(directory && rules_.may_take_back())) continue;
    auto done = directory ? walk(entry.path(), name + "/", ignored) : add(entry, name);
    if (!done) return done;
  }
  if (contents_.entries.size() > before || ignored_here || prefix == root_prefix_) return Done{};
  Entry empty;
  empty.kind = Entry::Kind::directory;
  empty.path = folder;
  return keep(prefix, std::move(empty));
}

Result<Done> Walk::add(const fs::directory_entry& found, const std::string& name) {
  std::error_code error;
  Entry entry;
  entry.path = found.path();
  if (found.is_symlink(error)) {
    entry.kind = Entry::Kind::link;
    entry.target = fs::read_symlink(found.path(), error).string();
    if (!links_may_leave_ && leaves(found.path(), entry.target)) {
      return fail(ErrorCode::invalid,
                  "{} is a symbolic link to {}, outside of the package: copy what it points to, or "
                  "leave it out in .lambdaignore",
                  name, entry.target);
    }
  } else if (found.is_regular_file(error)) {
    entry.size = found.file_size(error);
    entry.executable =
        (found.status(error).permissions() & fs::perms::owner_exec) != fs::perms::none;
  } else {
    contents_.notes.push_back(name + " was left out: it is neither a file nor a folder");
    return Done{};
  }
  return keep(name, std::move(entry));
}

Result<Done> Walk::keep(const std::string& name, Entry entry) {
  if (!is_valid_utf8(name)) {
    return fail(ErrorCode::invalid, "the name of the file {} is not UTF-8: rename it",
                percent_encode(name, "/ "));
  }
  std::error_code error;
  if (const auto there = contents_.entries.find(name); there != contents_.entries.end()) {
    if (fs::equivalent(there->second.path, entry.path, error)) return Done{};
    return fail(ErrorCode::invalid,
                "both {} and {} would be {} in the package: rename one, or leave it out of "
                "lambda.toml's include",
                there->second.path.string(), entry.path.string(), name);
  }
  if (entry.kind != Entry::Kind::directory) ++contents_.files;
  contents_.bytes += entry.size;
  contents_.entries.emplace(name, std::move(entry));
  return Done{};
}

// By its text, and by where it really leads through other links.
bool Walk::leaves(const fs::path& link, const fs::path& target) const {
  if (target.is_absolute()) return true;
  std::error_code error;
  const auto directory =
      fs::canonical(link.parent_path().empty() ? "." : link.parent_path(), error);
  if (error || is_outside(root_, (directory / target).lexically_normal())) return true;
  const auto real = fs::weakly_canonical(directory / target, error);
  return !error && is_outside(root_, real);
}

// Without a slash at its end, which would leave it without a name.
fs::path plain_path(const fs::path& path) {
  auto plain = path.lexically_normal();
  return plain.filename().empty() ? plain.parent_path() : plain;
}

Result<Done> add_includes(const std::vector<fs::path>& include, Walk& walk) {
  auto there = check_includes(include);
  if (!there) return there;
  for (const auto& path : include) {
    std::error_code error;
    const auto plain = plain_path(path);
    const auto name = plain.filename().string();
    auto done = fs::is_directory(plain, error) ? walk.add_folder(plain, name + "/")
                                               : walk.add_file(plain, name);
    if (!done) return done;
  }
  return Done{};
}

Result<Contents> gather(const fs::path& folder, const std::vector<fs::path>& include,
                        const IgnoreRules& rules, bool links_may_leave) {
  Walk walk(rules, links_may_leave);
  auto walked = walk.add_folder(folder, "");
  if (!walked) return fail(std::move(walked.error()));
  auto included = add_includes(include, walk);
  if (!included) return fail(std::move(included.error()));
  auto contents = walk.take();
  if (contents.files == 0) {
    std::error_code error;
    if (fs::is_empty(folder, error))
      return fail(ErrorCode::invalid, "the folder {} is empty: there is nothing to deploy",
                  folder.string());
    return fail(ErrorCode::invalid,
                "nothing is left of the folder {} to deploy: everything in it is left out (.git, "
                ".env*, .venv, __pycache__ and what .lambdaignore or .dockerignore names)",
                folder.string());
  }
  return contents;
}

}  // namespace

bool Contents::contains(std::string_view name) const {
  const std::string text(name);
  if (entries.contains(text)) return true;
  const auto below = entries.lower_bound(text + "/");
  return below != entries.end() && below->first.starts_with(text + "/");
}

std::vector<std::string> Contents::root_names() const {
  std::set<std::string> names;
  for (const auto& [name, entry] : entries) names.insert(name.substr(0, name.find('/')));
  return {names.begin(), names.end()};
}

Result<Done> check_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error))
    return fail(ErrorCode::invalid, "there is no folder {}", folder.string());
  if (!fs::is_directory(folder, error))
    return fail(ErrorCode::invalid, "{} is not a folder: deploy the folder that holds the function",
                folder.string());
  const fs::directory_iterator looked(folder, error);
  if (error)
    return fail(ErrorCode::invalid, "cannot read {}: {}", folder.string(), error.message());
  return Done{};
}

Result<Done> check_includes(const std::vector<fs::path>& include) {
  for (const auto& path : include) {
    std::error_code error;
    if (!fs::exists(plain_path(path), error))
      return fail(ErrorCode::invalid, "{} of lambda.toml's include is not there", path.string());
  }
  return Done{};
}

Result<Contents> code_contents(const fs::path& folder, const std::vector<fs::path>& include,
                               Dependencies dependencies) {
  IgnoreRules rules(IgnoreRules::Syntax::git);
  for (const char* pattern : {".git", ".env*", ".venv", "__pycache__"}) rules.add(pattern);
  if (dependencies == Dependencies::installed) {
    for (const char* pattern : {"/node_modules/", "/venv/"}) rules.add(pattern);
  }
  rules.add_lines(read_text(folder / ".lambdaignore"));
  auto contents = gather(folder, include, rules, false);
  if (contents && contents->bytes > kMaxUnpacked) {
    return fail(ErrorCode::invalid,
                "{} holds {} MB, more than the {} MB that a function may have: leave out what it "
                "does not need in .lambdaignore",
                folder.string(), contents->bytes >> 20, kMaxUnpacked >> 20);
  }
  return contents;
}

Result<Contents> context_contents(const fs::path& folder, const std::vector<fs::path>& include) {
  IgnoreRules rules(IgnoreRules::Syntax::docker);
  for (const char* pattern : {"**/.git", "**/.env*", "**/.venv", "**/__pycache__"})
    rules.add(pattern);
  rules.add_lines(read_text(folder / ".dockerignore"));
  rules.add("!Dockerfile");
  rules.add("!.dockerignore");
  return gather(folder, include, rules, true);
}

}  // namespace lambda::cli
