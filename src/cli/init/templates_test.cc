#include "cli/init/templates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Templates, HaveNoEmptyFileAndNoOpenWord) {
  for (const auto& name : template_names()) {
    const auto filled = fill_template(name, "greet");
    ASSERT_TRUE(filled) << name;
    for (const auto& file : filled->files) {
      EXPECT_NE(file.text, "") << name << ": " << file.name;
      for (const char* word : {"@NAME@", "@SETTINGS@", "@RUNTIME@", "@ABOUT@", "@BUILD@", "@CODE@"})
        EXPECT_THAT(file.text, Not(HasSubstr(word))) << name << ": " << file.name;
    }
  }
}

TEST(Templates, NameTheFunctionAndItsRuntime) {
  const auto filled = fill_template("nodejs24.x", "greet");
  ASSERT_TRUE(filled);
  EXPECT_EQ(filled->code, "index.mjs");
  for (const auto& file : filled->files) {
    if (file.name != "lambda.toml") continue;
    EXPECT_THAT(file.text, HasSubstr("name = \"greet\"\nruntime = \"nodejs24.x\"\n"));
  }
}

TEST(Templates, KeepWhatIsNoWordOfOurs) {
  const auto filled = fill_template("cpp", "greet");
  ASSERT_TRUE(filled);
  EXPECT_EQ(filled->build, "make");
  for (const auto& file : filled->files) {
    if (file.name == "Makefile") {
      EXPECT_THAT(file.text, HasSubstr("-o $@ $<"));
    }
  }
}

TEST(Templates, AreNamedWhereOneIsNot) {
  const auto filled = fill_template("pyton3.11", "greet");
  ASSERT_FALSE(filled);
  EXPECT_THAT(filled.error().message(), HasSubstr("did you mean \"python3.11\"?"));
  EXPECT_THAT(filled.error().message(), HasSubstr("image"));
  for (const auto& [word, name] : {std::pair("node", "nodejs24.x"),
                                   {"python", "python3.11"},
                                   {"c++", "cpp"},
                                   {"docker", "image"}})
    EXPECT_THAT(fill_template(word, "greet").error().message(),
                HasSubstr(std::string("did you mean \"") + name + "\"?"));
}

}  // namespace
}  // namespace lambda::cli
