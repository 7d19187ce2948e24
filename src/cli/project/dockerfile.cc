#include "cli/project/dockerfile.h"

#include "base/encoding.h"

#include <charconv>
#include <map>
#include <sstream>
#include <vector>

namespace lambda::cli {
namespace {

using Variables = std::map<std::string, std::string>;

// Instructions, one a line: without comments, continued lines joined.
std::vector<std::string> instructions(const std::string& dockerfile) {
  std::vector<std::string> found;
  std::istringstream lines(dockerfile);
  std::string line;
  std::string whole;
  while (std::getline(lines, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const auto end = line.find_last_not_of(" \t");
    if (line[end] == '\\') {
      whole += line.substr(0, end) + " ";
      continue;
    }
    found.push_back(whole + line);
    whole.clear();
  }
  if (!whole.empty()) found.push_back(whole);
  return found;
}

std::string unquoted(std::string text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front())
    return text.substr(1, text.size() - 2);
  return text;
}

// $NAME, ${NAME}, ${NAME:-otherwise}
std::string filled_in(const std::string& text, const Variables& values) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      result += text[i];
      continue;
    }
    std::string name;
    std::string otherwise;
    if (i + 1 < text.size() && text[i + 1] == '{') {
      const auto end = text.find('}', i);
      if (end == std::string::npos) return result;
      name = text.substr(i + 2, end - i - 2);
      if (const auto colon = name.find(":-"); colon != std::string::npos) {
        otherwise = name.substr(colon + 2);
        name.resize(colon);
      }
      i = end;
    } else {
      const auto end = text.find_first_not_of(
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789", i + 1);
      name = text.substr(i + 1, end == std::string::npos ? end : end - i - 1);
      i = end == std::string::npos ? text.size() : end - 1;
    }
    const auto value = values.find(name);
    result += value == values.end() || value->second.empty() ? otherwise : value->second;
  }
  return result;
}

// ENV NAME=value ..., ARG NAME=value, and the old ENV NAME value.
void take_variables(std::istringstream& words, bool is_env, Variables& values) {
  std::string word;
  bool first = true;
  while (words >> word) {
    const auto equals = word.find('=');
    if (equals != std::string::npos) {
      values[word.substr(0, equals)] = filled_in(unquoted(word.substr(equals + 1)), values);
    } else if (first && is_env) {
      std::string value;
      words >> value;
      values[word] = filled_in(unquoted(value), values);
      return;
    }
    first = false;
  }
}

std::optional<std::uint16_t> port_of(const std::string& word, const Variables& values) {
  const auto text = filled_in(unquoted(word), values);
  if (to_lower(text).ends_with("/udp")) return std::nullopt;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number == 0) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::uint16_t> exposed_port(const std::string& dockerfile) {
  Variables values;
  std::map<std::string, std::optional<std::uint16_t>> stages;
  std::string stage;
  std::optional<std::uint16_t> port;
  for (const auto& line : instructions(dockerfile)) {
    std::istringstream words(line);
    std::string instruction;
    words >> instruction;
    instruction = to_lower(instruction);
    std::string word;
    if (instruction == "from") {
      stages[stage] = port;
      while (words >> word && word.starts_with("--")) {
      }
      const auto base = stages.find(to_lower(filled_in(word, values)));
      port = base == stages.end() ? std::nullopt : base->second;
      stage.clear();
      if (words >> word && to_lower(word) == "as" && words >> word) stage = to_lower(word);
    } else if (instruction == "arg" || instruction == "env") {
      take_variables(words, instruction == "env", values);
    } else if (instruction == "expose") {
      while (!port && words >> word) port = port_of(word, values);
    }
  }
  return port;
}

}  // namespace lambda::cli
