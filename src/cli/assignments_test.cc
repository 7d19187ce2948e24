#include "cli/assignments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SecretReference, HasANameAndMayHaveAForm) {
  using Reference = std::pair<std::string, std::string>;
  EXPECT_EQ(secret_reference("DB_PASSWORD", "--secret").value(), Reference("DB_PASSWORD", ""));
  EXPECT_EQ(secret_reference("CERT:file", "--secret").value(), Reference("CERT", "file"));
  EXPECT_EQ(secret_reference("CERT:env", "--secret").value(), Reference("CERT", "env"));
}

TEST(SecretReference, AValueIsRefusedAndNotRepeated) {
  const auto given = secret_reference("TOKEN=hunter2", "--secret");
  ASSERT_FALSE(given);
  EXPECT_THAT(given.error().message(),
              AllOf(HasSubstr("lambda secret put NAME"), Not(HasSubstr("hunter2"))));
}

TEST(SecretReference, WhatIsNoNameOrFormIsToldWithWhereItStands) {
  for (const char* text : {"", "a", "1A", "A-B", ":file", "../x"}) {
    const auto read = secret_reference(text, "lambda.toml: secrets");
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message(), HasSubstr("lambda.toml: secrets"));
  }
  for (const char* text : {"CERT:", "CERT:disk", "CERT:file:x"}) {
    const auto read = secret_reference(text, "--secret");
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message(), HasSubstr("as in CERT:file"));
  }
}

}  // namespace
}  // namespace lambda::cli
