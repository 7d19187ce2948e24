#include "cli/project/contents.h"

#include "cli/project/test_folder.h"

#include <gmock/gmock.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const Result<Contents>& contents) {
  std::vector<std::string> found;
  if (!contents) return {contents.error().message()};
  for (const auto& [name, entry] : contents->entries) found.push_back(name);
  return found;
}

class Package : public TestFolder {
 protected:
  std::string refused(const std::vector<fs::path>& include = {}) const {
    const auto contents = code_contents(root_, include);
    return contents ? "accepted" : contents.error().message();
  }
};

TEST_F(Package, HoldsEverythingBut) {
  for (const char* name :
       {"app.py", ".gitignore", "node_modules/m/index.js", "built", "a/.git/x", ".git/config",
        ".env", ".env.local", "a/.env", ".venv/x", "a/__pycache__/x", "notes.txt", "a/notes.txt",
        "tmp/keep.txt", ".lambdaignore"})
    write(name, "x");
  write(".gitignore", "node_modules\nbuilt\n");
  write(".lambdaignore", "notes.txt\n/tmp/\n!keep.txt\n");
  EXPECT_THAT(names(code_contents(root_, {})),
              ElementsAre(".gitignore", ".lambdaignore", "a/", "app.py", "built",
                          "node_modules/m/index.js"));
}

TEST_F(Package, TakesBackWhatItsRulesSay) {
  write("app.py", "x");
  write(".env.example", "x");
  write(".env", "x");
  write(".lambdaignore", "!.env.example\n.lambdaignore\n");
  EXPECT_THAT(names(code_contents(root_, {})), ElementsAre(".env.example", "app.py"));
}

TEST_F(Package, KeepsLinksThatStayInside) {
  write("node_modules/m/cli.js", "x");
  fs::create_directories(root_ / "node_modules/.bin");
  fs::create_symlink("../m/cli.js", root_ / "node_modules/.bin/m");
  fs::create_symlink("node_modules", root_ / "folder");
  const auto contents = code_contents(root_, {});
  EXPECT_THAT(names(contents),
              ElementsAre("folder", "node_modules/.bin/m", "node_modules/m/cli.js"));
  EXPECT_EQ(contents->files, 3u);
  EXPECT_EQ(contents->entries.at("folder").target, "node_modules");
}

TEST_F(Package, RefusesLinksThatLeaveIt) {
  write("app.py", "x");
  for (const char* target : {"/etc/passwd", "../outside", "a/../../x", "/"}) {
    fs::create_symlink(target, root_ / "link");
    EXPECT_THAT(refused(), HasSubstr("link is a symbolic link to " + std::string(target)));
    fs::remove(root_ / "link");
  }
  // By its text it stays inside; through another link it does not.
  fs::create_directories(root_ / "deep/er");
  fs::create_symlink(".", root_ / "deep/er/here");
  fs::create_symlink("er/here/../../..", root_ / "deep/link");
  EXPECT_THAT(refused(), HasSubstr("symbolic link"));
}

TEST_F(Package, MayBeNamedByALinkOrFromElsewhere) {
  write("real/app.py", "x");
  fs::create_symlink("app.py", root_ / "real/other.py");
  fs::create_directory_symlink("real", root_ / "link");
  EXPECT_THAT(names(code_contents(root_ / "link", {})), ElementsAre("app.py", "other.py"));
  EXPECT_THAT(names(code_contents(root_ / "real/../real/", {})), ElementsAre("app.py", "other.py"));
}

TEST_F(Package, HoldsWhatIsIncluded) {
  write("one/app.py", "x");
  write("shared/words.py", "x");
  write("shared/.env", "x");
  write("file.txt", "x");
  const auto one = root_ / "one";
  EXPECT_THAT(names(code_contents(one, {root_ / "shared/", root_ / "file.txt"})),
              ElementsAre("app.py", "file.txt", "shared/words.py"));
  // The same thing twice is once; two things under one name are none.
  EXPECT_THAT(names(code_contents(root_, {root_ / "shared"})),
              ElementsAre("file.txt", "one/app.py", "shared/words.py"));
  write("one/file.txt", "other");
  EXPECT_THAT(names(code_contents(one, {root_ / "file.txt"})).at(0), HasSubstr("both"));
  EXPECT_THAT(names(code_contents(one, {root_ / "none"})).at(0), HasSubstr("is not there"));
}

TEST_F(Package, SaysWhyItIsEmpty) {
  EXPECT_THAT(refused(), HasSubstr("is empty"));
  write(".git/config", "x");
  EXPECT_THAT(refused(), HasSubstr("everything in it is left out"));
  EXPECT_THAT(check_folder(root_ / "none").error().message(), HasSubstr("no folder"));
  EXPECT_THAT(check_folder(root_ / ".git/config").error().message(), HasSubstr("not a folder"));
}

TEST_F(Package, KeepsEmptyFolders) {
  write("app.py", "x");
  fs::create_directories(root_ / "cache/deep");
  EXPECT_THAT(names(code_contents(root_, {})), ElementsAre("app.py", "cache/deep/"));
}

TEST_F(Package, RefusesNamesThatAreNotUtf8) {
  write("caf\xE9.py", "x");
  EXPECT_THAT(refused(), HasSubstr("caf%E9.py is not UTF-8"));
}

TEST_F(Package, RefusesMoreThanAFunctionMayHave) {
  write("large.bin", "x");
  fs::resize_file(root_ / "large.bin", kMaxUnpacked + 1);
  EXPECT_THAT(refused(), HasSubstr("more than the 250 MB"));
}

TEST_F(Package, KnowsWhatItContains) {
  write("a/b/c.txt", "x");
  write("a.txt", "x");
  const auto contents = code_contents(root_, {});
  EXPECT_TRUE(contents->contains("a/b"));
  EXPECT_TRUE(contents->contains("a.txt"));
  EXPECT_FALSE(contents->contains("a/b/c"));
  EXPECT_THAT(contents->root_names(), ElementsAre("a", "a.txt"));
}

TEST_F(Package, OfABuildFollowsDockerignore) {
  for (const char* name : {"Dockerfile", "app.js", "node_modules/m/index.js", "logs/a.log",
                           "logs/keep.log", ".git/config", "a/.env", ".gitignore"})
    write(name, "x");
  write(".dockerignore", "node_modules\nlogs\n!logs/keep.log\nDockerfile\n*ignore\n");
  fs::create_symlink("/usr/bin/node", root_ / "link");
  EXPECT_THAT(names(context_contents(root_, {})),
              ElementsAre(".dockerignore", "Dockerfile", "a/", "app.js", "link", "logs/keep.log"));
}

}  // namespace
}  // namespace lambda::cli
