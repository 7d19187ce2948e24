#include "deploy/dependencies/lock_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::deploy {
namespace {

using ::testing::HasSubstr;
using Files = std::map<std::string, std::string>;

Result<LockFiles> find(std::string_view family, const Files& files) {
  const ReadFile read = [&files](const std::string& name) -> std::optional<std::string> {
    const auto found = files.find(name);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
  return find_lock_files(family, read);
}

std::string error_of(std::string_view family, const Files& files) {
  const auto found = find(family, files);
  return found ? "found" : found.error().message();
}

LockFiles python(const std::string& requirements) {
  return find("python", {{"requirements.txt", requirements}}).value();
}

TEST(LockFiles, ExactVersionsAreALock) {
  for (const auto* exact :
       {"requests==2.31.0\n", "# comment\n\nrequests[socks]==2.31.0 ; python_version > '3'\n",
        "requests===2.31.0  # why", "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nb==2",
        "a @ https://example.org/a.whl#sha256=00", "--index-url http://pypi.example.org\na==1", ""})
    EXPECT_EQ(python(exact).open, "") << exact;
}

TEST(LockFiles, OtherVersionsAreNot) {
  for (const auto* open : {"requests\n", "requests>=2\n", "requests==2.*\n", "requests~=2.1",
                           "a==1\nrequests @ https://example.org/a.whl"}) {
    EXPECT_EQ(python(open).open, "requests (requirements.txt) has no exact version") << open;
  }
}

TEST(LockFiles, FilesOfFilesAreRead) {
  const auto found = find("python", {{"requirements.txt", "-r base/all.txt\n-c limits.txt\n"},
                                     {"base/all.txt", "-r more.txt\na==1"},
                                     {"base/more.txt", "b"},
                                     {"limits.txt", "b==2"}})
                         .value();
  EXPECT_EQ(found.files.size(), 4u);
  EXPECT_EQ(found.open, "b (base/more.txt) has no exact version");
  EXPECT_TRUE(find("python", {{"requirements.txt", "-r requirements.txt\n-r missing.txt"}}));
  EXPECT_FALSE(python("a==1").local);
}

TEST(LockFiles, PathsArePartOfThePackage) {
  for (const auto* local : {"./mine\n", "-e .\n", "--editable=./x\n", "file:///var/task/x\n",
                            "mine @ file:///var/task/x", "--find-links wheels\na==1"}) {
    EXPECT_TRUE(python(local).local) << local;
    EXPECT_EQ(python(local).open, "") << local;
  }
  EXPECT_FALSE(python("--find-links https://example.org/\na==1").local);
}

TEST(LockFiles, WithoutRequirementsItSaysWhatToWrite) {
  EXPECT_THAT(error_of("python", {}), HasSubstr("requirements.txt"));
  EXPECT_THAT(error_of("python", {{"pyproject.toml", "[project]"}}),
              HasSubstr("pyproject.toml in its place"));
}

TEST(LockFiles, NodeHasItsLockFile) {
  const Files files{{"package.json", R"({"dependencies": {"a": "^1"}})"},
                    {"package-lock.json", "{}"},
                    {".npmrc", "registry=http://npm.example.org"}};
  const auto found = find("node", files).value();
  EXPECT_EQ(found.files, files);
  EXPECT_EQ(found.open, "");
  EXPECT_FALSE(found.local);
  EXPECT_EQ(find("node", {{"package.json", "{}"}})->open, "there is no package-lock.json");
  EXPECT_EQ(find("node", {{"package.json", "{}"}, {"npm-shrinkwrap.json", "{}"}})->open, "");
}

TEST(LockFiles, WhatNpmRunsOrLinksOfTheProjectIsPartOfIt) {
  for (const auto* local :
       {R"({"scripts": {"postinstall": "node x.js"}})", R"({"workspaces": ["a"]})",
        R"({"dependencies": {"a": "file:./a"}})", R"({"optionalDependencies": {"a": "./a"}})"}) {
    EXPECT_TRUE(find("node", {{"package.json", local}, {"package-lock.json", "{}"}})->local)
        << local;
  }
  EXPECT_TRUE(find("node", {{"package.json", "{}"},
                            {"package-lock.json", R"({"packages": {"a": {"link": true}}})"}})
                  ->local);
  EXPECT_FALSE(
      find("node", {{"package.json", R"({"scripts": {"test": "x"}, "dependencies": 1})"}})->local);
}

TEST(LockFiles, APackageJsonThatIsNoneIsNamed) {
  EXPECT_THAT(error_of("node", {}), HasSubstr("there is none in the package"));
  EXPECT_THAT(error_of("node", {{"package.json", "{"}}), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of("node", {{"package.json", "[]"}}), HasSubstr("not a JSON object"));
}

}  // namespace
}  // namespace lambda::deploy
