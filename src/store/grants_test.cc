#include "store/grants.h"

#include <gtest/gtest.h>

namespace lambda::store {
namespace {

Grants of(std::string_view scopes, std::vector<std::string> patterns = {}) {
  return std::move(*Grants::make(scopes, std::move(patterns)));
}

TEST(Grants, AScopeIncludesWhatItNeeds) {
  EXPECT_TRUE(of("deploy").may(Scope::read));
  EXPECT_FALSE(of("deploy").may(Scope::invoke));
  EXPECT_FALSE(of("deploy").may(Scope::admin));
  EXPECT_FALSE(of("invoke").may(Scope::read));
  EXPECT_FALSE(of("read").may(Scope::deploy));
  EXPECT_FALSE(of("read,invoke,deploy").may(Scope::admin));
  for (const auto scope : {Scope::read, Scope::invoke, Scope::deploy, Scope::admin})
    EXPECT_TRUE(of("admin").may(scope));
  EXPECT_TRUE(of("invoke").may(Scope::read | Scope::invoke));
  EXPECT_FALSE(of("deploy").may(Scopes()));
}

TEST(Grants, NoneIsNothing) {
  EXPECT_FALSE(Grants().may(Scope::read));
  EXPECT_FALSE(Grants().covers("greet"));
  EXPECT_TRUE(Grants::everything().is_whole_admin());
  EXPECT_FALSE(of("admin", {"greet*"}).is_whole_admin());
  EXPECT_FALSE(of("deploy").is_whole_admin());
}

TEST(Grants, PatternsAreAShells) {
  const auto grants = of("invoke", {"greet*", "job-?"});
  for (const char* name : {"greet", "greeting", "greet-1", "job-a"})
    EXPECT_TRUE(grants.covers(name)) << name;
  for (const char* name : {"gree", "Greet", "a-greet", "job-", "job-ab", ""})
    EXPECT_FALSE(grants.covers(name)) << name;
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*b*c", "aXXbYYbZc"));
  EXPECT_FALSE(matches_pattern("a*b*c", "aXXbYYbZ"));
  EXPECT_FALSE(matches_pattern("", "a"));
  EXPECT_TRUE(matches_pattern("", ""));
  EXPECT_FALSE(matches_pattern("??", "a"));
}

TEST(Grants, APatternThatWouldExplodeElsewhereDoesNot) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "a*";
  EXPECT_FALSE(matches_pattern(pattern + "b", std::string(10'000, 'a')));
}

TEST(Grants, WhatIsNoScopeOrPatternIsSaid) {
  for (const char* text : {"", "write", "read,", "read, invoke", "*", "Admin"}) {
    const auto made = Grants::make(text, {});
    ASSERT_FALSE(made) << text;
    EXPECT_NE(made.error().message().find("read, invoke, deploy and admin"), std::string::npos);
  }
  for (const char* pattern : {"", "a b", "arn:aws", "[a-z]", "a,b", "\n"})
    EXPECT_FALSE(Grants::make("read", {pattern})) << pattern;
  EXPECT_FALSE(Grants::make("read", {std::string(kLongestPattern + 1, 'a')}));
  EXPECT_FALSE(Grants::make("read", std::vector<std::string>(kMostPatterns + 1, "a")));
}

TEST(Grants, AreWrittenInOneOrder) {
  EXPECT_EQ(of("deploy,invoke,invoke").scopes().text(), "invoke,deploy");
  EXPECT_EQ(of("admin").scopes().text(), "admin");
  EXPECT_EQ(Scopes().text(), "");
}

}  // namespace
}  // namespace lambda::store
