#include "store/grants.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lambda::store {
namespace {

constexpr std::array<std::pair<Scope, std::string_view>, 4> kNames{{
    {Scope::read, "read"},
    {Scope::invoke, "invoke"},
    {Scope::deploy, "deploy"},
    {Scope::admin, "admin"},
}};

Result<Scopes> parse_scopes(std::string_view text) {
  Scopes scopes;
  while (true) {
    const auto end = text.find(',');
    const auto word = text.substr(0, end);
    const auto* found =
        std::ranges::find(kNames, word, &std::pair<Scope, std::string_view>::second);
    if (found == kNames.end()) {
      return fail(ErrorCode::invalid,
                  "\"{}\" is not a scope: a key has some of read, invoke, deploy and admin, with "
                  "commas between them",
                  word);
    }
    scopes = scopes | found->first;
    if (end == std::string_view::npos) return scopes;
    text.remove_prefix(end + 1);
  }
}

Result<Done> check_pattern(std::string_view pattern) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_*?";
  if (!pattern.empty() && pattern.size() <= kLongestPattern &&
      pattern.find_first_not_of(kAllowed) == std::string_view::npos) {
    return Done{};
  }
  return fail(ErrorCode::invalid,
              "\"{}\" is not a pattern of function names: letters, digits, - and _, with * for any "
              "characters and ? for one, {} at the most; such as greet*",
              pattern, kLongestPattern);
}

}  // namespace

std::string Scopes::text() const {
  std::string text;
  for (const auto& [scope, name] : kNames) {
    if (!any_of(scope)) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

Grants Grants::everything() {
  Grants grants;
  grants.scopes_ = Scope::admin;
  return grants;
}

Result<Grants> Grants::make(std::string_view scopes, std::vector<std::string> patterns) {
  auto parsed = parse_scopes(scopes);
  if (!parsed) return fail(std::move(parsed.error()));
  if (patterns.size() > kMostPatterns) {
    return fail(ErrorCode::invalid, "{} patterns are more than a key can have ({})",
                patterns.size(), kMostPatterns);
  }
  for (const auto& pattern : patterns) {
    if (auto good = check_pattern(pattern); !good) return fail(std::move(good.error()));
  }
  Grants grants;
  grants.scopes_ = *parsed;
  grants.patterns_ = std::move(patterns);
  return grants;
}

bool Grants::may(Scopes needed) const {
  if (needed.empty()) return false;
  if (scopes_.any_of(Scope::admin) || scopes_.any_of(needed)) return true;
  return scopes_.any_of(Scope::deploy) && needed.any_of(Scope::read);
}

bool Grants::covers(std::string_view function) const {
  if (patterns_.empty()) return !scopes_.empty();
  return std::ranges::any_of(patterns_, [function](const std::string& pattern) {
    return matches_pattern(pattern, function);
  });
}

// Where a character does not fit, only the last * can take one more: earlier ones need not be tried
// again.
bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t at = 0;
  std::size_t in_name = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_in_name = 0;
  while (in_name < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_in_name = in_name;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == name[in_name])) {
      ++at;
      ++in_name;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in_name = ++star_in_name;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

}  // namespace lambda::store
