#include "cli/project/ignore_rules.h"

namespace lambda::cli {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = text.find('/');
    if (end != 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

using Segments = std::vector<std::string>;

// `pattern` from i on against `path` from j on; "**" stands for any number of segments.
bool matches_from(const Segments& pattern, std::size_t i, const Segments& path, std::size_t j) {
  while (i < pattern.size()) {
    if (pattern[i] == "**") {
      if (i + 1 == pattern.size()) return j < path.size();
      for (std::size_t k = j; k <= path.size(); ++k) {
        if (matches_from(pattern, i + 1, path, k)) return true;
      }
      return false;
    }
    if (j >= path.size() || !matches_segment(pattern[i], path[j])) return false;
    ++i;
    ++j;
  }
  return j == path.size();
}

// The path itself, or a directory that it lies in.
bool matches_with_parents(const Segments& pattern, const Segments& path) {
  Segments part;
  for (const auto& segment : path) {
    part.push_back(segment);
    if (matches_from(pattern, 0, part, 0)) return true;
  }
  return false;
}

// [a-z], [!a-z]; returns the position behind the bracket, or npos where it does not close.
std::size_t match_class(std::string_view pattern, std::size_t at, char c, bool& matched) {
  std::size_t i = at + 1;
  const bool inverted = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (inverted) ++i;
  bool found = false;
  bool first = true;
  while (i < pattern.size() && (pattern[i] != ']' || first)) {
    first = false;
    char low = pattern[i];
    if (low == '\\' && i + 1 < pattern.size()) low = pattern[++i];
    char high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = pattern[i + 2];
      i += 2;
    }
    if (low <= c && c <= high) found = true;
    ++i;
  }
  if (i >= pattern.size()) return std::string_view::npos;
  matched = found != inverted;
  return i + 1;
}

}  // namespace

bool matches_segment(std::string_view pattern, std::string_view text) {
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (j < text.size()) {
    bool step = false;
    if (i < pattern.size() && pattern[i] == '*') {
      star = i++;
      resume = j;
      continue;
    }
    if (i < pattern.size() && pattern[i] == '[') {
      bool matched = false;
      const auto next = match_class(pattern, i, text[j], matched);
      if (next != std::string_view::npos) {
        if (matched) i = next;
        step = matched;
      } else {
        step = text[j] == '[';
        if (step) ++i;
      }
    } else if (i < pattern.size() && pattern[i] == '\\' && i + 1 < pattern.size()) {
      step = pattern[i + 1] == text[j];
      if (step) i += 2;
    } else if (i < pattern.size() && (pattern[i] == '?' || pattern[i] == text[j])) {
      step = true;
      ++i;
    }
    if (step) {
      ++j;
    } else if (star != std::string_view::npos) {
      i = star + 1;
      j = ++resume;
    } else {
      return false;
    }
  }
  while (i < pattern.size() && pattern[i] == '*') ++i;
  return i == pattern.size();
}

void IgnoreRules::add_lines(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    add(line);
  }
}

void IgnoreRules::add(std::string_view text) {
  Pattern pattern;
  if (text.starts_with('!')) {
    pattern.negated = true;
    text.remove_prefix(1);
  }
  if (text.starts_with("./")) text.remove_prefix(2);
  if (text.ends_with('/')) {
    pattern.directories_only = syntax_ == Syntax::git;
    text.remove_suffix(1);
  }
  pattern.anchored = syntax_ == Syntax::docker || text.find('/') != std::string_view::npos;
  pattern.segments = split(text);
  if (pattern.segments.empty()) return;
  // "!name" speaks of the root alone, where every name is looked at anyway.
  deep_negation_ |= pattern.negated && (pattern.segments.size() > 1 || pattern.segments[0] == "**");
  patterns_.push_back(std::move(pattern));
}

bool IgnoreRules::ignores(std::string_view path, bool is_directory) const {
  const auto segments = split(path);
  if (segments.empty()) return false;
  bool ignored = false;
  for (const auto& pattern : patterns_) {
    if (pattern.directories_only && !is_directory) continue;
    bool matched = false;
    if (syntax_ == Syntax::docker) {
      matched = matches_with_parents(pattern.segments, segments);
    } else if (pattern.anchored) {
      matched = matches_from(pattern.segments, 0, segments, 0);
    } else {
      matched = matches_segment(pattern.segments.front(), segments.back());
    }
    if (matched) ignored = !pattern.negated;
  }
  return ignored;
}

}  // namespace lambda::cli
