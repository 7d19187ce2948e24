#include "access/authorize.h"

#include <gtest/gtest.h>

namespace lambda::access {
namespace {

using store::Scope;

Caller holder(std::string_view scopes, std::vector<std::string> patterns = {}) {
  Caller caller;
  caller.user_arn = "arn:aws:iam::000000000000:user/KEY";
  caller.name = "ci";
  caller.grants = std::move(*store::Grants::make(scopes, std::move(patterns)));
  return caller;
}

Want wanting(std::string function) {
  Want want;
  want.action = "lambda:InvokeFunction";
  want.needed = Scope::invoke;
  want.resource = "arn:aws:lambda:us-east-1:000000000000:function:" + function;
  want.function = std::move(function);
  return want;
}

TEST(Authorize, ANoIsAWSsAndSaysWhatIsMissing) {
  const auto scope = authorize(holder("deploy"), wanting("greet"));
  ASSERT_FALSE(scope);
  EXPECT_EQ(scope.error().code(), ErrorCode::denied);
  EXPECT_EQ(scope.error().message(),
            "User: arn:aws:iam::000000000000:user/KEY is not authorized to perform: "
            "lambda:InvokeFunction on resource: "
            "arn:aws:lambda:us-east-1:000000000000:function:greet because no identity-based policy "
            "allows the lambda:InvokeFunction action: the key \"ci\" has the scope deploy, and "
            "this needs invoke");
  const auto pattern = authorize(holder("invoke", {"job-*", "x"}), wanting("greet"));
  ASSERT_FALSE(pattern);
  EXPECT_TRUE(pattern.error().message().ends_with("the key \"ci\" is for the functions job-*, x"));
  EXPECT_TRUE(authorize(holder("invoke", {"gr*"}), wanting("greet")));
}

TEST(Authorize, WhoIsNobodyMayNothing) {
  EXPECT_FALSE(authorize(Caller(), wanting("greet")));
  EXPECT_FALSE(authorize_whole(Caller(), wanting("")));
}

TEST(Authorize, TheWholeServerIsForKeysOfAllFunctions) {
  auto want = wanting("");
  want.needed = Scope::admin;
  want.resource = "*";
  EXPECT_TRUE(authorize_whole(holder("admin"), want));
  EXPECT_FALSE(authorize_whole(holder("deploy"), want));
  const auto limited = authorize_whole(holder("admin", {"*"}), want);
  ASSERT_FALSE(limited);
  EXPECT_TRUE(limited.error().message().ends_with("this concerns the whole server"));
}

}  // namespace
}  // namespace lambda::access
