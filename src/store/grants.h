// Grants: what a key may do. Scopes say which operations, patterns of names to which functions.
// Plain values; pure.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace lambda::store {

// `deploy` includes `read`; `admin` includes them all.
enum class Scope : unsigned { read = 1, invoke = 2, deploy = 4, admin = 8 };

// Some of the scopes.
class Scopes {
 public:
  constexpr Scopes() = default;
  constexpr Scopes(Scope scope)  // NOLINT(google-explicit-constructor): one scope is a set of one
      : bits_(static_cast<unsigned>(scope)) {}
  [[nodiscard]] constexpr Scopes operator|(Scopes other) const {
    Scopes both;
    both.bits_ = bits_ | other.bits_;
    return both;
  }
  [[nodiscard]] constexpr bool any_of(Scopes other) const { return (bits_ & other.bits_) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  // "deploy,invoke", in the order read, invoke, deploy, admin.
  [[nodiscard]] std::string text() const;
  bool operator==(const Scopes&) const = default;

 private:
  unsigned bits_ = 0;
};
[[nodiscard]] constexpr Scopes operator|(Scope a, Scope b) {
  return Scopes(a) | Scopes(b);
}

// A key has no more patterns, and none is longer.
inline constexpr std::size_t kMostPatterns = 50;
inline constexpr std::size_t kLongestPattern = 128;

class Grants {
 public:
  // None at all.
  Grants() = default;
  // Everything, to all functions.
  [[nodiscard]] static Grants everything();
  // `scopes` is "deploy,invoke"; no pattern means all functions. Errors: invalid, which says what
  // there is.
  static Result<Grants> make(std::string_view scopes, std::vector<std::string> patterns);

  // One of `needed` was given, or is included in one that was.
  [[nodiscard]] bool may(Scopes needed) const;
  // Whether the function is one of those that the key is for.
  [[nodiscard]] bool covers(std::string_view function) const;
  [[nodiscard]] bool is_limited() const { return !patterns_.empty(); }
  // May make keys and look at everything that was done.
  [[nodiscard]] bool is_whole_admin() const { return !is_limited() && may(Scope::admin); }

  [[nodiscard]] Scopes scopes() const { return scopes_; }
  [[nodiscard]] const std::vector<std::string>& patterns() const { return patterns_; }

 private:
  Scopes scopes_;
  std::vector<std::string> patterns_;
};

// A shell's pattern: * is any number of characters, ? is one. Takes time in proportion to both
// lengths multiplied at most, whatever the pattern.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace lambda::store
