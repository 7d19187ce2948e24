#include "cli/project/dependencies.h"

#include "cli/project/test_folder.h"

namespace lambda::cli {
namespace {

class Dependencies : public TestFolder {
 protected:
  // "" where everything is there.
  std::string missing(const std::string& runtime) const {
    const auto contents = code_contents(root_, {});
    EXPECT_TRUE(contents) << contents.error().message();
    const auto checked = check_dependencies(root_, *contents, runtime);
    return checked ? "" : checked.error().message();
  }
};

TEST_F(Dependencies, OfPythonAreInThePackage) {
  write("requirements.txt", "# c\n\n--index-url x\nRequests>=2 # why\n");
  const auto message = missing("python3.11");
  EXPECT_EQ(message.find("Requests of requirements.txt is not in the package"), 0u) << message;
  EXPECT_NE(message.find("python3 -m pip install -r " + (root_ / "requirements.txt").string() +
                         " -t " + root_.string() + "\n"),
            std::string::npos)
      << message;
  write("requests-2.1.dist-info/METADATA", "");
  EXPECT_EQ(missing("python3.11"), "");
  EXPECT_EQ(missing("provided"), "");
}

TEST_F(Dependencies, AreReadBehindAByteOrderMark) {
  write("requirements.txt", "\xef\xbb\xbfrequests\n");
  write("requests/__init__.py", "");
  EXPECT_EQ(missing("python3.11"), "");
  write("package.json", "\xef\xbb\xbf{\"dependencies\": {\"one\": \"1\"}}");
  const auto message = missing("nodejs22.x");
  EXPECT_EQ(message.find("one of package.json is not in"), 0u) << message;
}

TEST_F(Dependencies, OfPythonAreFoundUnderAnyOfTheirNames) {
  write("requirements.txt",
        "Flask-Cors[x]==1\nsingle\nzope.interface~=5 ; python_version > '3'\nhttps://x/y.whl\n"
        "git+https://x\n./local\npkg @ https://x/y.whl\nhashed==1 \\\n  --hash=sha256:0\n");
  write("flask_cors-1.dist-info/METADATA", "");
  write("single.py", "");
  write("pkg/__init__.py", "");
  write("hashed/__init__.py", "");
  EXPECT_EQ(missing("python3.11"), "");
}

TEST_F(Dependencies, OfNodeAreInThePackage) {
  write("index.js", "");
  write("package.json", R"({"dependencies":{"@scope/left-pad":"1"},"devDependencies":{"x":"1"}})");
  EXPECT_NE(missing("nodejs22.x").find("npm install --omit=dev --prefix " + root_.string() + "\n"),
            std::string::npos);
  write("package-lock.json", "{}");
  EXPECT_NE(missing("nodejs22.x").find("npm ci "), std::string::npos);
  write("node_modules/@scope/left-pad/index.js", "");
  EXPECT_EQ(missing("nodejs22.x"), "");
  write(".lambdaignore", "node_modules\n");
  EXPECT_NE(missing("nodejs22.x").find("@scope/left-pad"), std::string::npos);
  write(".lambdaignore", "node_modules\npackage.json\n");
  EXPECT_EQ(missing("nodejs22.x"), "");
  write(".lambdaignore", "");
  write("package.json", "{");
  EXPECT_NE(missing("nodejs22.x").find("not a JSON object"), std::string::npos);
}

TEST(ShellQuoted, CanBePasted) {
  EXPECT_EQ(shell_quoted("/a/b-c.txt"), "/a/b-c.txt");
  EXPECT_EQ(shell_quoted("/a b"), "'/a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted(""), "''");
}

}  // namespace
}  // namespace lambda::cli
