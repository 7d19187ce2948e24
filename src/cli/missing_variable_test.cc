#include "cli/missing_variable.h"

#include <gmock/gmock.h>

namespace lambda::cli {
namespace {

using ::testing::HasSubstr;

// Of the runtime, and of a program that Python itself ends.
constexpr const char* kHandler =
    "[ERROR] KeyError: 'API_KEY'\nTraceback (most recent call last):\n"
    "  File \"/var/task/app.py\", line 3, in <module>\n    KEY = os.environ['API_KEY']\n"
    "          ~~~~~~~~~~^^^^^^^^^^^\n  File \"<frozen os>\", line 679, in __getitem__\n";
constexpr const char* kProgram =
    "Traceback (most recent call last):\n"
    "  File \"/var/task/server.py\", line 2, in <module>\n    API = os.environ['API_KEY']\n"
    "  File \"/usr/local/lib/python3.10/os.py\", line 680, in __getitem__\n"
    "    raise KeyError(key) from None\nKeyError: 'API_KEY'\n";

std::string with_name(std::string output, const std::string& name) {
  for (auto at = output.find("API_KEY"); at != std::string::npos; at = output.find("API_KEY", at))
    output.replace(at, 7, name);
  return output;
}

TEST(MissingVariable, IsNamedWithTheWayToSetIt) {
  for (const char* output : {kHandler, kProgram}) {
    EXPECT_EQ(missing_variable_remedy(output),
              "API_KEY is not in the function's environment. Set it with -e API_KEY=VALUE, or in "
              "lambda.toml: environment = { API_KEY = \"VALUE\" }");
  }
}

TEST(MissingVariable, OfTheRuntimeApiMeansAHandler) {
  EXPECT_THAT(missing_variable_remedy(with_name(kProgram, "AWS_LAMBDA_RUNTIME_API")),
              HasSubstr("--kind handler"));
}

TEST(MissingVariable, IsNoOtherKeyAndNoneThatCannotBeSet) {
  EXPECT_EQ(missing_variable_remedy(""), "");
  EXPECT_EQ(
      missing_variable_remedy("[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n"
                              "  File \"/var/task/app.py\", line 2, in <module>\n    {}['x']"),
      "");
  EXPECT_EQ(missing_variable_remedy("KeyError: 'x'\n  File \"/var/task/mine/dict.py\", line 2, in "
                                    "__getitem__\n"),
            "");
  EXPECT_EQ(missing_variable_remedy(with_name(kHandler, "AWS_SESSION_TOKEN")), "");
  EXPECT_EQ(missing_variable_remedy(with_name(kHandler, "no name")), "");
}

}  // namespace
}  // namespace lambda::cli
