#include "api/function_name.h"

#include <gtest/gtest.h>

namespace lambda::api {
namespace {

const function::Tenant kTenant;  // 000000000000, us-east-1

struct Spelling {
  const char* text;
  const char* query;
  const char* name;
  const char* qualifier;
};
class Spellings : public testing::TestWithParam<Spelling> {};

TEST_P(Spellings, AreUnderstood) {
  const auto& spelling = GetParam();
  const auto query =
      spelling.query == nullptr ? std::nullopt : std::optional<std::string>(spelling.query);
  const auto parsed = parse_function_name(spelling.text, query, kTenant);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->name, spelling.name);
  EXPECT_EQ(parsed->qualifier, spelling.qualifier);
}
INSTANTIATE_TEST_SUITE_P(
    FunctionName, Spellings,
    testing::Values(
        Spelling{"f", nullptr, "f", ""}, Spelling{"f", "7", "f", "7"}, Spelling{"f", "", "f", ""},
        Spelling{"f:live", nullptr, "f", "live"}, Spelling{"f:live", "live", "f", "live"},
        Spelling{"f:$LATEST", nullptr, "f", "$LATEST"}, Spelling{"function:f", nullptr, "f", ""},
        Spelling{"function:f:3", nullptr, "f", "3"},
        Spelling{"000000000000:function:f", nullptr, "f", ""},
        Spelling{"000000000000:function:f:3", nullptr, "f", "3"},
        Spelling{"arn:aws:lambda:us-east-1:000000000000:function:f", nullptr, "f", ""},
        Spelling{"arn:aws:lambda:us-east-1:000000000000:function:f:live", nullptr, "f", "live"},
        Spelling{"arn:aws:lambda:us-east-1:000000000000:function:f", "2", "f", "2"},
        Spelling{"function", nullptr, "function", ""}));

struct Refusal {
  const char* text;
  const char* query;
  ErrorCode code;
  const char* words;
};
class Refusals : public testing::TestWithParam<Refusal> {};

TEST_P(Refusals, SayWhy) {
  const auto& refusal = GetParam();
  const auto query =
      refusal.query == nullptr ? std::nullopt : std::optional<std::string>(refusal.query);
  const auto parsed = parse_function_name(refusal.text, query, kTenant);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), refusal.code);
  EXPECT_NE(parsed.error().message().find(refusal.words), std::string::npos)
      << parsed.error().message();
}
INSTANTIATE_TEST_SUITE_P(
    FunctionName, Refusals,
    testing::Values(
        Refusal{"f:1", "2", ErrorCode::invalid,
                "The derived qualifier from the function name does not match the specified "
                "qualifier."},
        Refusal{"arn:aws:lambda:eu-west-1:000000000000:function:f", nullptr, ErrorCode::not_found,
                "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
        Refusal{"arn:aws:lambda:us-east-1:111111111111:function:f", nullptr, ErrorCode::not_found,
                "Function not found: arn:aws:lambda:us-east-1:111111111111:function:f"},
        Refusal{"111111111111:function:f", nullptr, ErrorCode::not_found, "Function not found: "},
        Refusal{"f:1:2", nullptr, ErrorCode::validation, "at 'functionName' failed to satisfy"},
        Refusal{"", nullptr, ErrorCode::validation, "at 'functionName' failed to satisfy"},
        Refusal{"a b", nullptr, ErrorCode::validation, "Value 'a b' at 'functionName'"},
        Refusal{"../f", nullptr, ErrorCode::validation, "at 'functionName' failed to satisfy"}));

TEST(FunctionName, MayBeSixtyFourLong) {
  EXPECT_TRUE(parse_function_name(std::string(64, 'a'), std::nullopt, kTenant));
  const auto longer = parse_function_name(std::string(65, 'a'), std::nullopt, kTenant);
  ASSERT_FALSE(longer);
  EXPECT_NE(longer.error().message().find("Member must have length less than or equal to 64"),
            std::string::npos);
}

}  // namespace
}  // namespace lambda::api
