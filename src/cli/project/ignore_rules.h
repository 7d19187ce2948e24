// Which files of a folder are left out: patterns in gitignore's syntax (.lambdaignore) or Docker's
// (.dockerignore). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

class IgnoreRules {
 public:
  enum class Syntax {
    git,     // a pattern without a slash matches at any depth; "dir/" directories alone; "!" takes
             // back
    docker,  // every pattern is anchored at the root; "!" takes back below an ignored directory too
  };
  explicit IgnoreRules(Syntax syntax) : syntax_(syntax) {}

  // One a line; blank lines and comments are skipped.
  void add_lines(std::string_view text);
  void add(std::string_view pattern);
  // `path` is relative, with '/', no leading one. The last pattern that matches decides. In
  // Docker's syntax a pattern holds for all below what it matches; in git's, a file below an
  // ignored directory is the caller's to leave out, by not going in.
  [[nodiscard]] bool ignores(std::string_view path, bool is_directory) const;
  // Whether something below an ignored directory may be taken back by "!": never in git's syntax.
  [[nodiscard]] bool may_take_back() const { return syntax_ == Syntax::docker && deep_negation_; }

 private:
  struct Pattern {
    std::vector<std::string> segments;
    bool negated = false;
    bool directories_only = false;
    bool anchored = false;
  };
  Syntax syntax_;
  bool deep_negation_ = false;
  std::vector<Pattern> patterns_;
};

// One segment against one pattern of *, ?, [a-z], and \ escapes.
[[nodiscard]] bool matches_segment(std::string_view pattern, std::string_view text);

}  // namespace lambda::cli
