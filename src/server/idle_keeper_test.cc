#include "server/idle_keeper.h"

#include <gmock/gmock.h>

namespace lambda::server {
namespace {

using ::testing::ElementsAre;

function::VersionPtr version_of(std::uint64_t number, unsigned kept) {
  auto version = std::make_shared<function::Version>();
  version->function = "greet";
  version->number = number;
  version->configuration.min_instances = kept;
  return version;
}

std::vector<std::uint64_t> numbers_to_keep(function::Function function) {
  function::Snapshot all;
  all.functions.emplace("greet", std::make_shared<function::Function>(std::move(function)));
  std::vector<std::uint64_t> numbers;
  for (const auto& wanted : versions_to_keep(all)) numbers.push_back(wanted.version->number);
  return numbers;
}

TEST(VersionsToKeep, AreThoseThatLiveCallsGoToAndThatKeepSome) {
  function::Function greet;
  greet.name = "greet";
  greet.latest = version_of(0, 4);
  for (std::uint64_t number = 1; number <= 3; ++number)
    greet.versions.emplace(number, version_of(number, number == 3 ? 0 : 2));
  function::Alias live;
  live.name = function::kLiveAlias;
  live.version = 1;
  greet.aliases[live.name] = live;
  EXPECT_THAT(numbers_to_keep(greet), ElementsAre(1));
  greet.aliases["live"].additional = {2, 0.1};
  EXPECT_THAT(numbers_to_keep(greet), ElementsAre(1, 2));
  greet.aliases["live"].additional.reset();
  greet.aliases["live"].version = 3;
  EXPECT_THAT(numbers_to_keep(greet), ElementsAre());
  greet.aliases.clear();
  EXPECT_THAT(numbers_to_keep(greet), ElementsAre(0));
}

}  // namespace
}  // namespace lambda::server
