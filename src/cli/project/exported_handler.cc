#include "cli/project/exported_handler.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace lambda::cli {
namespace {

constexpr std::string_view kHandler = "handler";
// Farther back than this no export list begins.
constexpr std::size_t kLongestList = 4096;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

bool is_word_at(std::string_view text, std::size_t at, std::size_t size) {
  return (at == 0 || !is_word(text[at - 1])) &&
         (at + size >= text.size() || !is_word(text[at + size]));
}

void trim_end(std::string_view& text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.remove_suffix(1);
}

void trim_begin(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

// Takes the last word off, where it is this one.
bool take_last(std::string_view& text, std::string_view word) {
  trim_end(text);
  if (!text.ends_with(word)) return false;
  const auto at = text.size() - word.size();
  if (is_word(word.front()) && at > 0 && is_word(text[at - 1])) return false;
  text = text.substr(0, at);
  return true;
}

bool take_first(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

std::string_view first_word(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, is_word);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

std::string_view last_word(std::string_view text) {
  auto begin = text.size();
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return text.substr(begin);
}

bool line_defines(std::string_view line, std::string_view name) {
  if (line.starts_with("from ")) {
    const auto import = line.find(" import ");
    if (import == std::string_view::npos) return false;
    for (auto at = line.find(name, import + 8); at != std::string_view::npos;
         at = line.find(name, at + 1)) {
      if (is_word_at(line, at, name.size())) return true;
    }
    return false;
  }
  if (take_first(line, "async ")) trim_begin(line);
  const bool is_definition = take_first(line, "def ");
  trim_begin(line);
  if (!take_first(line, name)) return false;
  trim_begin(line);
  if (is_definition) return line.starts_with("(");
  return line.starts_with(":") || (line.starts_with("=") && !line.starts_with("=="));
}

// export const handler, export async function handler, export function* handler
bool is_declared_before(std::string_view before) {
  if (!take_last(before, "const") && !take_last(before, "let") && !take_last(before, "var")) {
    take_last(before, "*");
    if (!take_last(before, "function")) return false;
    take_last(before, "async");
  }
  return take_last(before, "export");
}

// What stands before the brace that is open at the end.
std::optional<std::string_view> head_of_list(std::string_view before) {
  if (before.size() > kLongestList) before.remove_prefix(before.size() - kLongestList);
  int closed = 0;
  for (auto at = before.find_last_of("{}"); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : before.find_last_of("{}", at - 1)) {
    closed += before[at] == '}' ? 1 : -1;
    if (closed < 0) return before.substr(0, at);
  }
  return std::nullopt;
}

// "{ main: handler", "{ main: () => handler": what is exported has another name.
bool is_value(std::string_view before) {
  trim_end(before);
  return !before.empty() && std::string_view(":>(.=").find(before.back()) != std::string_view::npos;
}

using Names = std::vector<std::string_view>;

// Objects that are a CommonJS module's exports: NAME of module.exports = NAME, or of
// module.exports = __toCommonJS(NAME).
Names exported_objects(std::string_view source) {
  constexpr std::string_view kExports = "module.exports";
  Names found = {"exports"};
  for (auto at = source.find(kExports); at != std::string_view::npos;
       at = source.find(kExports, at + 1)) {
    auto after = source.substr(at + kExports.size());
    trim_begin(after);
    if (!take_first(after, "=")) continue;
    trim_begin(after);
    const auto name = first_word(after);
    after.remove_prefix(name.size());
    found.push_back(take_first(after, "(") ? first_word(after) : name);
  }
  return found;
}

// export { a, handler }, module.exports = { handler }, exports = {, and as bundlers write it:
// __export(index_exports, { a: () => a, handler
bool is_listed_before(std::string_view before, const Names& exported) {
  if (is_value(before)) return false;
  auto head = head_of_list(before);
  if (!head) return false;
  if (take_last(*head, "export")) return true;
  if (take_last(*head, "=")) return take_last(*head, "exports");
  if (!take_last(*head, ",")) return false;
  const auto name = last_word(*head);
  head->remove_suffix(name.size());
  return !name.empty() && head->ends_with('(') &&
         std::ranges::find(exported, name) != exported.end();
}

// Object.defineProperty(exports, "handler"
bool is_defined_before(std::string_view before) {
  return (take_last(before, "\"") || take_last(before, "'")) && take_last(before, ",") &&
         take_last(before, "exports") && take_last(before, "(") &&
         take_last(before, "defineProperty");
}

}  // namespace

std::optional<std::string> python_handler_in(std::string_view source) {
  while (!source.empty()) {
    const auto end = source.find('\n');
    const auto line = source.substr(0, end);
    for (const std::string_view name : {std::string_view("lambda_handler"), kHandler}) {
      if (line_defines(line, name)) return std::string(name);
    }
    source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
  }
  return std::nullopt;
}

bool exports_handler(std::string_view source) {
  const auto exported = exported_objects(source);
  for (auto at = source.find(kHandler); at != std::string_view::npos;
       at = source.find(kHandler, at + 1)) {
    if (!is_word_at(source, at, kHandler.size())) continue;
    const auto before = source.substr(0, at);
    if (before.ends_with("exports.") || is_declared_before(before) ||
        is_listed_before(before, exported) || is_defined_before(before))
      return true;
  }
  return false;
}

}  // namespace lambda::cli
