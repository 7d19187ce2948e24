#include "cli/init/templates.h"

#include "base/nearest_word.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

namespace lambda::cli {
namespace {

// The sources are names of embedded files.
struct Part {
  const char* name;
  const char* source;
  bool executable = false;
};

struct Template {
  std::vector<std::string> names;
  const char* about;
  const char* settings;  // of lambda.toml; @RUNTIME@ is the name that was asked for
  const char* build;
  std::vector<Part> parts;  // the code first
  const char* ignore_name = ".lambdaignore";
  const char* ignore_source = "ignore";
};

const std::vector<Template>& templates() {
  static const std::vector<Template> all = {
      {{"python3.11"},
       "A handler in Python.",
       "runtime = \"@RUNTIME@\"\nhandler = \"lambda_function.lambda_handler\"",
       "",
       {{"lambda_function.py", "lambda_function.py"}}},
      {{"nodejs20.x", "nodejs22.x", "nodejs24.x"},
       "A handler in JavaScript.",
       "runtime = \"@RUNTIME@\"\nhandler = \"index.handler\"",
       "",
       {{"index.mjs", "index.mjs"}}},
      {{"provided", "provided.al2", "provided.al2023"},
       "A runtime of its own, in bash: a program named `bootstrap` that speaks AWS's Runtime API.",
       "runtime = \"@RUNTIME@\"",
       "",
       {{"bootstrap", "bootstrap", true}}},
      {{"cpp"},
       "A handler in C++, built into a static program (`make`; g++ and libboost-json1.81-dev).",
       "runtime = \"provided.al2023\"",
       "make",
       {{"main.cc", "main.cc"}, {"lambda_runtime.h", "lambda_runtime.h"}, {"Makefile", "Makefile"}},
       ".lambdaignore",
       "cpp_ignore"},
      {{"http"},
       "A program that serves HTTP itself, on the port that $PORT names; in Python, without "
       "Docker.",
       "kind = \"http\"\nruntime = \"python3.11\"\nhandler = \"server.py\"",
       "",
       {{"server.py", "server.py"}}},
      {{"image"},
       "A program that serves HTTP itself, in an image that its Dockerfile describes.",
       "# The runtime is what the Dockerfile says.",
       "",
       {{"server.py", "server.py"}, {"Dockerfile", "Dockerfile"}},
       ".dockerignore"}};
  return all;
}

// "node" and "python" mean the newest of these.
std::string meant_template(std::string_view which, const std::vector<std::string>& names) {
  for (const auto& [word, name] :
       {std::pair("docker", "image"), {"c++", "cpp"}, {"bash", "provided.al2023"}}) {
    if (which == word) return name;
  }
  if (auto near = nearest_word(which, names); !near.empty()) return near;
  std::string newest;
  for (const auto& name : names) {
    if (which.size() > 1 && name.starts_with(which)) newest = name;
  }
  return newest;
}

std::string replaced(std::string_view text,
                     const std::map<std::string_view, std::string_view>& words) {
  std::string made;
  while (true) {
    const auto begin = text.find('@');
    const auto end = begin == std::string_view::npos ? begin : text.find('@', begin + 1);
    if (end == std::string_view::npos) return made.append(text);
    const auto word = words.find(text.substr(begin + 1, end - begin - 1));
    if (word == words.end()) {
      made += text.substr(0, end);
      text.remove_prefix(end);
      continue;
    }
    made.append(text.substr(0, begin)).append(word->second);
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (const auto& each : templates())
    names.insert(names.end(), each.names.begin(), each.names.end());
  return names;
}

Result<FilledTemplate> fill_template(std::string_view which, std::string_view name) {
  const auto& all = templates();
  const auto found = std::ranges::find_if(all, [which](const Template& each) {
    return std::ranges::find(each.names, which) != each.names.end();
  });
  if (found == all.end()) {
    const auto names = template_names();
    const auto near = meant_template(which, names);
    return fail(ErrorCode::invalid, "there is no template for \"{}\"{}; there are {}", which,
                near.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", near),
                fmt::join(names, ", "));
  }
  const auto settings = replaced(found->settings, {{"RUNTIME", which}});
  const std::string build = *found->build == '\0' ? "" : std::string(found->build) + "\n";
  const std::map<std::string_view, std::string_view> words = {{"NAME", name},
                                                              {"ABOUT", found->about},
                                                              {"SETTINGS", settings},
                                                              {"BUILD", build},
                                                              {"CODE", found->parts.front().name},
                                                              {"IGNORE", found->ignore_name}};
  FilledTemplate filled;
  filled.code = found->parts.front().name;
  filled.build = found->build;
  for (const auto& part : found->parts)
    filled.files.push_back({part.name, std::string(embedded_file(part.source)), part.executable});
  for (const char* own : {"lambda.toml", "event.json", "README.md"})
    filled.files.push_back({own, replaced(embedded_file(own), words), false});
  filled.files.push_back(
      {found->ignore_name, std::string(embedded_file(found->ignore_source)), false});
  return filled;
}

}  // namespace lambda::cli
