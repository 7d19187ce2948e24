#include "function/secret_users.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <initializer_list>

namespace lambda::function {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

VersionPtr version(std::uint64_t number, bool asks) {
  auto made = std::make_shared<Version>();
  made->function = "greet";
  made->number = number;
  if (asks) made->configuration.secrets["TOKEN"] = std::nullopt;
  return made;
}

Alias alias(std::string name, std::uint64_t number,
            std::optional<std::uint64_t> second = std::nullopt) {
  Alias made;
  made.name = std::move(name);
  made.version = number;
  if (second) made.additional.emplace(*second, 0.1);
  return made;
}

// Five versions and $LATEST, of which those with these numbers ask for TOKEN.
Snapshot snapshot_of(std::initializer_list<std::uint64_t> asking,
                     std::initializer_list<Alias> aliases) {
  const auto asks = [&](std::uint64_t number) {
    return std::ranges::find(asking, number) != asking.end();
  };
  auto greet = std::make_shared<Function>();
  greet->name = "greet";
  greet->latest = version(0, asks(0));
  for (std::uint64_t number = 1; number <= 5; ++number)
    greet->versions[number] = version(number, asks(number));
  for (const auto& made : aliases) greet->aliases[made.name] = made;
  Snapshot snapshot;
  snapshot.functions["greet"] = std::move(greet);
  return snapshot;
}

TEST(SecretUsers, WhateverIsCalledUsesIt) {
  EXPECT_THAT(users_of_secret(snapshot_of({0}, {}), "", "TOKEN"), ElementsAre("greet"));
  EXPECT_THAT(users_of_secret(snapshot_of({5}, {alias("live", 5)}), "", "TOKEN"),
              ElementsAre("greet"));
  EXPECT_THAT(users_of_secret(snapshot_of({4}, {alias("live", 5)}), "", "TOKEN"), IsEmpty());
  EXPECT_THAT(users_of_secret(snapshot_of({5}, {alias("live", 5)}), "", "OTHER"), IsEmpty());
}

TEST(SecretUsers, BothHalvesOfACanaryAndEveryAliasUseIt) {
  EXPECT_THAT(users_of_secret(snapshot_of({4}, {alias("live", 5, 4)}), "", "TOKEN"),
              ElementsAre("greet"));
  EXPECT_THAT(users_of_secret(snapshot_of({2}, {alias("live", 5), alias("beta", 2)}), "", "TOKEN"),
              ElementsAre("greet"));
  EXPECT_THAT(
      users_of_secret(snapshot_of({2}, {alias("live", 5), alias("beta", 3, 2)}), "", "TOKEN"),
      ElementsAre("greet"));
}

TEST(SecretUsers, WhatARollbackWouldStartAsksForIt) {
  const auto now = snapshot_of({1, 2, 3, 4}, {alias("live", 5, 4), alias("beta", 2)});
  EXPECT_THAT(resting_users_of_secret(now, "", "TOKEN"),
              ElementsAre(Pair("greet", ElementsAre(1u, 3u))));
  EXPECT_THAT(resting_users_of_secret(now, "", "OTHER"), IsEmpty());
}

TEST(SecretUsers, OfAFunctionsOwnItIsThatOne) {
  const auto now = snapshot_of({1}, {alias("live", 5)});
  EXPECT_THAT(users_of_secret(now, "greet", "TOKEN"), ElementsAre("greet"));
  EXPECT_THAT(resting_users_of_secret(now, "greet", "TOKEN"), IsEmpty());
}

}  // namespace
}  // namespace lambda::function
