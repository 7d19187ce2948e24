#include "api/json_check.h"

#include <gtest/gtest.h>

#include <string>

namespace lambda::api {
namespace {

TEST(JsonCheck, TakesAnyValue) {
  for (const char* text :
       {"{}", "[]", "null", "true", "3", "-1.5e300", "\"a\"", " {\"a\": [1, {}]} ",
        "\"\\ud83d\\ude00\"", "\"ü\"", "12345678901234567890123"}) {
    EXPECT_TRUE(check_json(text)) << text;
  }
}

TEST(JsonCheck, RefusesWhatIsNone) {
  for (const char* text : {"", " ", "{", "{}x", "{\"a\":}", "[1,]", "nul", "'a'", "{a: 1}",
                           "\"\xff\"", "01", "1 2", "\"a\nb\""}) {
    const auto checked = check_json(text);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().code(), ErrorCode::bad_content);
    EXPECT_TRUE(checked.error().message().starts_with("Could not parse request body into json: "));
  }
}

TEST(JsonCheck, NamesAMemberInItsOwnWords) {
  EXPECT_TRUE(check_json_member("data", "{}"));
  const auto checked = check_json_member("data", "{");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message(), "data is not JSON: incomplete JSON at byte 1");
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(JsonCheck, GoesAThousandDeepAndNoFurther) {
  EXPECT_TRUE(check_json(nested(1000)));
  EXPECT_FALSE(check_json(nested(1001)));
  EXPECT_FALSE(check_json(nested(1'000'000)));
}

}  // namespace
}  // namespace lambda::api
