#include "cli/project/recognition.h"

#include "cli/project/test_folder.h"

#include <gmock/gmock.h>

namespace lambda::cli {
namespace {

using ::testing::HasSubstr;

class Recognition : public TestFolder {
 protected:
  Recognised found(const Known& known = {}) const {
    auto result = recognise(root_, known);
    EXPECT_TRUE(result) << result.error().message();
    return result ? *result : Recognised{};
  }
  std::string refused(const Known& known = {}) const {
    const auto result = recognise(root_, known);
    return result ? "accepted" : result.error().message();
  }
};

TEST_F(Recognition, FindsPython) {
  write("zzz.py", "x = 1\n");
  write("app.py",
        "import os\n\nasync def other(): pass\ndef handler(event, context):\n    return 1\n");
  EXPECT_EQ(found().runtime, "python3.11");
  EXPECT_EQ(found().handler, "app.handler");
}

TEST_F(Recognition, PrefersTheUsualNames) {
  write("a.py", "def handler(e, c): pass\n");
  write("lambda_function.py", "def lambda_handler(e, c): pass\n");
  EXPECT_EQ(found().handler, "lambda_function.lambda_handler");
}

TEST_F(Recognition, FindsNode) {
  write("index.mjs", "export const handler = async () => 1;\n");
  EXPECT_EQ(found().handler, "index.handler");
  EXPECT_EQ(found().runtime, "nodejs22.x");
}

TEST_F(Recognition, TakesFilesThatBeginWithAByteOrderMark) {
  write("app.py",
        "\xef\xbb\xbf"
        "def handler(e, c): pass\n");
  EXPECT_EQ(found().handler, "app.handler");
  std::filesystem::remove(root_ / "app.py");
  write("dist/server.js",
        "\xef\xbb\xbf"
        "export const handler = 1;\n");
  write("package.json", "\xef\xbb\xbf{\"main\": \"dist/server.js\"}");
  EXPECT_EQ(found().handler, "dist/server.handler");
  write("Dockerfile",
        "\xef\xbb\xbf"
        "FROM a\nEXPOSE 9000\n");
  EXPECT_EQ(found().port, 9000);
}

TEST_F(Recognition, FollowsMainOfPackageJson) {
  write("dist/server.js", "exports.handler = async () => 1;\n");
  write("package.json", R"({"main": "./dist/server.js"})");
  EXPECT_EQ(found().handler, "dist/server.handler");
}

TEST_F(Recognition, FindsProgramsAndImages) {
  write("bootstrap", "#!/bin/sh\n");
  EXPECT_EQ(found().runtime, "provided.al2023");
  write("Dockerfile", "FROM a\nEXPOSE 9000\n");
  EXPECT_TRUE(found().image);
  EXPECT_EQ(found().port, 9000);
}

TEST_F(Recognition, SaysWhichOfTwoRuntimesWasChosen) {
  write("handler.py", "def handler(e, c): pass\n");
  write("build.js", "console.log(1);\n");
  EXPECT_EQ(found().note, "");  // no handler
  write("index.mjs", "export const handler = async () => 1;\n");
  EXPECT_EQ(found().note,
            "handler.handler (python3.11) was chosen; there is index.handler (nodejs22.x), too. To "
            "choose: --runtime, or runtime = \"...\" in lambda.toml");
  Known known;
  known.former_runtime = "nodejs20.x";
  EXPECT_THAT(found(known).note, HasSubstr("index.handler (nodejs20.x) was chosen; there is "
                                           "handler.handler (python3.11), too."));
  known.runtime = "python3.11";
  EXPECT_EQ(found(known).note, "");
  write("bootstrap", "#!/bin/sh\n");
  EXPECT_THAT(found().note,
              HasSubstr("bootstrap (provided.al2023) was chosen; there is handler.handler "
                        "(python3.11) and index.handler (nodejs22.x), too."));
  write("Dockerfile", "FROM a\n");
  EXPECT_EQ(found().note, "");
}

TEST_F(Recognition, ChoosesTheRuntimeThatHasAHandler) {
  write("tool.py", "print(1)\n");
  write("index.mjs", "export const handler = async () => 1;\n");
  EXPECT_EQ(found().handler, "index.handler");
  EXPECT_EQ(found().note, "");
  write("app.py", "def handler(e, c): pass\n");
  EXPECT_EQ(found().handler, "app.handler");
  Known named;
  named.handler = "index.handler";
  EXPECT_EQ(found(named).runtime, "nodejs22.x");
  EXPECT_EQ(found(named).note, "");
  named.handler = "nowhere.handler";
  EXPECT_THAT(refused(named), HasSubstr("nowhere.py"));
}

TEST_F(Recognition, SaysWhatWasLookedFor) {
  write("notes.txt", "x");
  EXPECT_NE(refused().find("no Dockerfile"), std::string::npos);
  EXPECT_NE(refused().find("--runtime"), std::string::npos);
}

TEST_F(Recognition, WantsTheHandlersFile) {
  write("app.py", "def handler(e, c): pass\n");
  Known known;
  known.handler = "nope.handler";
  EXPECT_NE(refused(known).find("nope.py"), std::string::npos);
  known.handler = "app";
  EXPECT_NE(refused(known).find("FILE.FUNCTION"), std::string::npos);
  known.handler = "package/module.main";
  write("package/module.py", "");
  EXPECT_EQ(found(known).handler, "package/module.main");
}

TEST_F(Recognition, WantsTheProgramOfAProvidedRuntime) {
  write("main.py", "");
  Known known;
  known.runtime = "provided.al2023";
  EXPECT_NE(refused(known).find("bootstrap"), std::string::npos);
}

TEST_F(Recognition, WantsTheFileOfAnHttpFunction) {
  write("server.py", "");
  Known known;
  known.kind = "http";
  EXPECT_NE(refused(known).find("--handler"), std::string::npos);
  known.handler = "server.py";
  EXPECT_EQ(found(known).handler, "server.py");
}

TEST_F(Recognition, KeepsWhatTheFunctionHad) {
  write("index.js", "exports.handler = exports.other = async () => 1;\n");
  Known known;
  known.former_runtime = "nodejs20.x";
  known.former_handler = "index.other";
  EXPECT_EQ(found(known).runtime, "nodejs20.x");
  EXPECT_EQ(found(known).handler, "index.other");
}

TEST_F(Recognition, LetsGoOfWhatNoLongerFits) {
  write("app.py", "def handler(e, c): pass\n");
  Known known;
  known.former_runtime = "nodejs20.x";
  known.former_handler = "index.other";
  EXPECT_EQ(found(known).runtime, "python3.11");
  EXPECT_EQ(found(known).handler, "app.handler");
  known.former_runtime = "python3.11";
  known.former_handler = "gone.handler";
  EXPECT_EQ(found(known).handler, "app.handler");
}

TEST_F(Recognition, LetsGoOfARuntimeThatHasFilesAndNoHandler) {
  write("tool.py", "print(1)\n");
  write("index.mjs", "export const handler = async () => 1;\n");
  Known known;
  known.former_runtime = "python3.11";
  known.former_handler = "app.handler";
  EXPECT_EQ(found(known).runtime, "nodejs22.x");
  EXPECT_EQ(found(known).handler, "index.handler");
  // Where nothing can start, it says what is missing.
  write("index.mjs", "export const other = 1;\n");
  EXPECT_THAT(refused(known), HasSubstr("no *.py defines handler"));
  known.former_runtime = "nodejs20.x";
  EXPECT_THAT(refused(known), HasSubstr("no *.js, *.mjs or *.cjs exports handler"));
}

TEST_F(Recognition, KeepsARuntimeThatHasAnotherHandlerNow) {
  write("app.py", "def handler(e, c): pass\n");
  write("main.js", "exports.handler = async () => 1;\n");
  Known known;
  known.former_runtime = "nodejs20.x";
  known.former_handler = "index.handler";
  EXPECT_EQ(found(known).runtime, "nodejs20.x");
  EXPECT_EQ(found(known).handler, "main.handler");
  known.handler = "app.handler";
  EXPECT_EQ(found(known).runtime, "python3.11");
}

}  // namespace
}  // namespace lambda::cli
