#include "cli/project/ignore_rules.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

struct Ignored {
  const char* rules;
  const char* path;
  bool directory;
  bool ignored;
};
class GitRules : public testing::TestWithParam<Ignored> {};
TEST_P(GitRules, DecideAsGitDoes) {
  IgnoreRules rules(IgnoreRules::Syntax::git);
  rules.add_lines(GetParam().rules);
  EXPECT_EQ(rules.ignores(GetParam().path, GetParam().directory), GetParam().ignored)
      << GetParam().rules << " on " << GetParam().path;
}
INSTANTIATE_TEST_SUITE_P(
    Patterns, GitRules,
    testing::Values(
        Ignored{"*.pyc", "a/b.pyc", false, true}, Ignored{"*.pyc", "b.py", false, false},
        Ignored{"build/", "build", true, true}, Ignored{"build/", "build", false, false},
        Ignored{"build/", "x/build", true, true}, Ignored{"/build", "x/build", true, false},
        Ignored{"/build", "build", true, true}, Ignored{"a/*.c", "a/x.c", false, true},
        Ignored{"a/*.c", "a/b/x.c", false, false}, Ignored{"a/**/x.c", "a/b/c/x.c", false, true},
        Ignored{"a/**/x.c", "a/x.c", false, true}, Ignored{"**/x", "p/q/x", false, true},
        Ignored{"a/**", "a/b/c", false, true}, Ignored{"*\n!keep.txt", "keep.txt", false, false},
        Ignored{"*.log\n!a.log\n*.log", "a.log", false, true},
        Ignored{"# x\n\n", "# x", false, false}, Ignored{"[ab].txt", "b.txt", false, true},
        Ignored{"[!ab].txt", "b.txt", false, false}, Ignored{"a?c", "abc", false, true},
        Ignored{"\\!x", "!x", false, true}));

TEST(DockerRules, AreAnchoredAtTheRoot) {
  IgnoreRules rules(IgnoreRules::Syntax::docker);
  rules.add_lines("*.md\n**/tmp\n!README.md");
  EXPECT_TRUE(rules.ignores("a.md", false));
  EXPECT_FALSE(rules.ignores("x/a.md", false));
  EXPECT_FALSE(rules.ignores("README.md", false));
  EXPECT_TRUE(rules.ignores("x/y/tmp", true));
  EXPECT_TRUE(rules.ignores("x/y/tmp/deep/file", false));
}

TEST(DockerRules, TakeBackBelowWhatIsLeftOut) {
  IgnoreRules rules(IgnoreRules::Syntax::docker);
  rules.add_lines("build\n!Makefile\n");
  EXPECT_FALSE(rules.may_take_back());
  rules.add("!build/keep");
  EXPECT_TRUE(rules.may_take_back());
  EXPECT_TRUE(rules.ignores("build/x", false));
  EXPECT_FALSE(rules.ignores("build/keep", false));
  EXPECT_FALSE(rules.ignores("build/keep/deep", false));
}

}  // namespace
}  // namespace lambda::cli
