#include "base/crypto.h"
#include "cli/exit_code.h"
#include "cli/ignore_rules.h"
#include "cli/manifest.h"
#include "cli/output.h"
#include "cli/package.h"
#include "cli/recognition.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

class Folder : public testing::Test {
 protected:
  Folder() : root_(fs::path(testing::TempDir()) / ("cli-" + random_uuid())) {
    fs::create_directories(root_);
  }
  ~Folder() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  fs::path root_;
};

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
}

TEST_F(Folder, GivesTheSameArchiveWhateverItsTimesAndOrder) {
  write("b.py", "2");
  write("a/c.py", "3");
  write(".env", "SECRET=1");
  write(".git/x", "1");
  write("__pycache__/b.pyc", "1");
  const auto first = pack_code(root_, {});
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->files, 2u);
  const auto bytes = read(first->file);
  fs::last_write_time(root_ / "b.py", fs::file_time_type::clock::now() - std::chrono::hours(100));
  const auto second = pack_code(root_, {});
  EXPECT_EQ(bytes, read(second->file));
  EXPECT_EQ(bytes.find("SECRET"), std::string::npos);
  fs::remove(first->file);
  fs::remove(second->file);
}

TEST_F(Folder, RefusesLinksThatLeaveIt) {
  write("a.py", "1");
  fs::create_symlink("a.py", root_ / "inside.py");
  auto packed = pack_code(root_, {});
  ASSERT_TRUE(packed) << packed.error().message();
  fs::remove(packed->file);
  fs::create_symlink("../../etc/passwd", root_ / "outside");
  EXPECT_FALSE(pack_code(root_, {}));
}

TEST_F(Folder, IsNamedWhenItIsMissingOrEmpty) {
  EXPECT_NE(pack_code(root_, {}).error().message().find("empty"), std::string::npos);
  EXPECT_NE(pack_code(root_ / "none", {}).error().message().find("no folder"), std::string::npos);
}

TEST_F(Folder, IsRecognisedAsPython) {
  write("zzz.py", "x = 1\n");
  write("app.py",
        "import os\n\nasync def other(): pass\ndef handler(event, context):\n    return 1\n");
  const auto found = recognise(root_, "", "");
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->runtime, "python3.11");
  EXPECT_EQ(found->handler, "app.handler");
  EXPECT_NE(recognise(root_, "", "nope.handler").error().message().find("nope.py"),
            std::string::npos);
}

TEST_F(Folder, IsRecognisedAsNode) {
  write("index.mjs", "export const handler = async () => 1;\n");
  EXPECT_EQ(recognise(root_, "", "")->handler, "index.handler");
  EXPECT_EQ(recognise(root_, "", "")->runtime, "nodejs22.x");
}

TEST_F(Folder, IsRecognisedAsAProgramOrAnImage) {
  write("bootstrap", "#!/bin/sh\n");
  EXPECT_EQ(recognise(root_, "", "")->runtime, "provided.al2023");
  write("Dockerfile", "FROM a\nEXPOSE 1\nFROM b\nARG P=9000\nEXPOSE $P 9001\n");
  EXPECT_TRUE(recognise(root_, "", "")->image);
  EXPECT_EQ(recognise(root_, "", "")->port, 9000);
}

TEST_F(Folder, SaysWhatWasLookedFor) {
  write("notes.txt", "x");
  EXPECT_NE(recognise(root_, "", "").error().message().find("no Dockerfile"), std::string::npos);
}

TEST_F(Folder, WantsItsDependenciesInThePackage) {
  write("app.py", "def handler(e, c): pass");
  write("requirements.txt", "# c\nRequests>=2\n");
  const auto missing = check_dependencies(root_, "python3.11");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("pip install -r"), std::string::npos);
  write("requests-2.1.dist-info/METADATA", "");
  EXPECT_TRUE(check_dependencies(root_, "python3.11"));
  write("package.json", R"({"dependencies":{"left-pad":"1"}})");
  EXPECT_NE(check_dependencies(root_, "nodejs22.x").error().message().find("npm"),
            std::string::npos);
  write("node_modules/left-pad/index.js", "");
  EXPECT_TRUE(check_dependencies(root_, "nodejs22.x"));
}

TEST_F(Folder, ReadsItsManifest) {
  write("lambda.toml", "name = \"a\"\nmemory = 256\n[environment]\nA_B = \"1\"\n");
  const auto one = read_manifests(root_);
  ASSERT_TRUE(one) << one.error().message();
  EXPECT_EQ(one->at(0).memory, 256);
  EXPECT_EQ(one->at(0).environment.at("A_B"), "1");
  write("lambda.toml", "name = \"a\"\nmemroy = 256\n");
  const auto wrong = read_manifests(root_);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("line 2"), std::string::npos);
  EXPECT_NE(wrong.error().message().find("did you mean \"memory\""), std::string::npos);
  write("lambda.toml",
        "include = [\"shared\"]\n[[function]]\nname = \"a\"\npath = \"x\"\n[[function]]\nname = "
        "\"b\"\n");
  const auto several = read_manifests(root_);
  ASSERT_TRUE(several) << several.error().message();
  EXPECT_EQ(several->size(), 2u);
  EXPECT_EQ(several->at(0).directory, root_ / "x");
  EXPECT_EQ(several->at(1).include.size(), 1u);
}

TEST(Output, AlignsByCharacters) {
  Table table({"NAME", "X"});
  table.add({"é", "1"});
  EXPECT_EQ(table.text(), "NAME  X\né     1\n");
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(1234), "1.2 KB");
  EXPECT_EQ(seconds_of("2026-01-02T03:04:05.678Z"), 1767323045);
  EXPECT_EQ(ago_text("2026-01-02T03:04:05.678Z", 1767323045 + 120), "2 minutes ago");
  EXPECT_EQ(nearest("deplyo", {"deploy", "delete"}), "deploy");
  EXPECT_EQ(nearest("xyzxyz", {"deploy", "delete"}), "");
}

TEST(ExitCode, TellsKindsApart) {
  EXPECT_EQ(exit_code_of(ErrorCode::invalid), 2);
  EXPECT_EQ(exit_code_of(ErrorCode::function_failed), 3);
  EXPECT_EQ(exit_code_of(ErrorCode::denied), 4);
  EXPECT_EQ(exit_code_of(ErrorCode::not_found), 5);
  EXPECT_EQ(exit_code_of(ErrorCode::unavailable), 6);
  EXPECT_EQ(exit_code_of(ErrorCode::internal), 1);
}

}  // namespace
}  // namespace lambda::cli
