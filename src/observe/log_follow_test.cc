#include "observe/log_store_fixture.h"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <thread>

namespace lambda::observe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LogFollowTest : public LogStoreFixture {
 protected:
  std::unique_ptr<LogFollower> follow(const std::string& function = "greet") {
    return logs_->follow(function, [this] { ++woken_; });
  }
  // All that came after `position`, as a follower reads it; it goes on there.
  std::vector<std::string> read(std::uint64_t& position, const LogFilter& filter = {}) {
    std::vector<std::string> texts;
    missed_ = 0;
    bool more = true;
    while (more) {
      auto page = logs_->newer_in_memory("greet", position, filter);
      if (!page) {
        ++from_disk_;
        page = logs_->newer("greet", position, filter);
      }
      for (const auto& line : page->lines) texts.push_back(line.text);
      missed_ += page->missed;
      position = page->position;
      more = page->more;
    }
    return texts;
  }

  std::atomic<int> woken_{0};
  std::uint64_t missed_ = 0;
  int from_disk_ = 0;
};

TEST_F(LogFollowTest, IsWokenOnceUntilItReadsAgain) {
  append("before");
  const auto follower = follow();
  auto position = follower->start();
  append("one");
  append("two");
  append("other", "other");
  EXPECT_EQ(woken_, 1);
  follower->rearm();
  EXPECT_THAT(read(position), ElementsAre("one", "two"));
  EXPECT_THAT(read(position), IsEmpty());
  append("three");
  EXPECT_EQ(woken_, 2);
  EXPECT_THAT(read(position), ElementsAre("three"));
  EXPECT_EQ(from_disk_, 0);
}

TEST_F(LogFollowTest, IdsRiseWithinAFunctionAndOverRestarts) {
  append("a");
  append("b");
  auto before = lines();
  ASSERT_EQ(before.size(), 2u);
  EXPECT_EQ(before[1].id, before[0].id + 1);
  reopen();
  append("c");
  const auto after = lines();
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[0].id, before[0].id);
  EXPECT_GT(after[2].id, before[1].id);
}

// A server that is killed: ids were shown whose lines never came to the disk.
TEST_F(LogFollowTest, AnIdIsNeverGivenTwiceThoughItsLineIsLost) {
  append("shown");
  const auto shown = lines().at(0).id;
  logs_.reset();
  std::filesystem::remove_all(directory_ / "logs/greet");
  reopen();
  append("another");
  EXPECT_GT(lines().at(0).id, shown);
  // Neither where the clock was set back meanwhile.
  const auto second = lines().at(0).id;
  clock_.set(std::chrono::hours(-48));
  reopen();
  append("third");
  EXPECT_GT(lines().back().id, second);
}

TEST_F(LogFollowTest, ADeletedFunctionsIdsAreNotTheNextOnes) {
  append("a");
  const auto id = lines().at(0).id;
  logs_->forget("greet");
  append("b");
  EXPECT_GT(lines().at(0).id, id);
}

TEST_F(LogFollowTest, GoesOnWhereItWasOverARestart) {
  for (int i = 0; i < 3; ++i) append(std::to_string(i));
  auto position = lines().at(0).id;
  reopen();
  append("3");
  EXPECT_THAT(read(position), ElementsAre("1", "2", "3"));
  EXPECT_EQ(missed_, 0u);
  EXPECT_THAT(read(position), IsEmpty());
}

TEST_F(LogFollowTest, WhoIsSlowReadsFromDiskAndLosesNothing) {
  limits_.function_bytes = 5000;
  limits_.segment_bytes = 100'000;
  reopen();
  append("first");
  auto position = follow()->start();
  std::vector<std::string> written;
  for (int i = 0; i < 3000; ++i) {
    written.push_back(std::to_string(i) + std::string(200, 'x'));
    append(written.back());
  }
  EXPECT_EQ(read(position), written);
  EXPECT_EQ(missed_, 0u);
  EXPECT_GT(from_disk_, 0);
}

TEST_F(LogFollowTest, IsToldHowManyLinesWereGoneBeforeItReadThem) {
  limits_.function_bytes = 2000;
  limits_.segment_bytes = 10'000;
  limits_.segments = 2;
  reopen();
  append("first");
  auto position = follow()->start();
  for (int i = 0; i < 1000; ++i) {
    append(std::to_string(i) + std::string(100, 'x'));
    if (i % 20 == 0) (void)logs_->trouble("greet");  // written so far
  }
  const auto texts = read(position);
  EXPECT_LT(texts.size(), 300u);
  EXPECT_EQ(texts.size() + missed_, 1000u);
  EXPECT_THAT(texts.back(), HasSubstr("999x"));
}

TEST_F(LogFollowTest, FiltersAndStillGoesOn) {
  auto position = follow()->start();
  for (int i = 0; i < 1000; ++i) append(i % 100 == 0 ? "[ERROR] x" : "quiet");
  LogFilter filter;
  filter.level = LogLevel::error;
  EXPECT_EQ(read(position, filter).size(), 10u);
  EXPECT_EQ(position, lines().back().id);
}

TEST_F(LogFollowTest, ADeletionAndTheServersEndAreTold) {
  const auto follower = follow();
  const auto other = follow("other");
  EXPECT_EQ(follower->end(), LogFollower::End::none);
  logs_->forget("greet");
  EXPECT_EQ(follower->end(), LogFollower::End::deleted);
  EXPECT_EQ(woken_, 1);
  append("of another function of that name");
  EXPECT_EQ(woken_, 1);
  logs_->end_followers();
  EXPECT_EQ(other->end(), LogFollower::End::stopped);
  EXPECT_EQ(woken_, 2);
  EXPECT_EQ(follow("late")->end(), LogFollower::End::stopped);
}

TEST_F(LogFollowTest, TheOldestAfterALine) {
  for (int i = 0; i < 2000; ++i) append(std::to_string(i));
  LogStore::Query query;
  query.limit = 5000;
  const auto all = lines(query);
  query.limit = 3;
  query.after = all[10].id;
  EXPECT_THAT(texts_of(lines(query)), ElementsAre("11", "12", "13"));
  query.limit = 5000;
  EXPECT_EQ(lines(query).size(), 1989u);
  // Of a server whose lines these are not.
  query.after = all.back().id + 1'000'000;
  EXPECT_THAT(lines(query), IsEmpty());
}

TEST_F(LogFollowTest, AReadingWithoutTimeSaysWhereToGoOnAndSkipsNothing) {
  limits_.function_bytes = 2000;
  limits_.segment_bytes = 3000;
  reopen();
  std::vector<std::string> said;
  for (int i = 0; i < 100; ++i) append(said.emplace_back(fmt::format("line {}", i)));
  LogStore::Query query;
  query.function = "greet";
  query.deadline = std::chrono::steady_clock::now();  // it is over
  std::vector<std::string> backwards;
  int readings = 0;
  while (true) {
    const auto reading = logs_->read(query);
    ++readings;
    ASSERT_LE(reading.lines.size(), 1u);
    for (const auto& line : reading.lines) backwards.insert(backwards.begin(), line.text);
    if (!reading.rest) break;
    query.up_to = *reading.rest - 1;
  }
  EXPECT_EQ(backwards, said);
  EXPECT_GE(readings, 100);
  query.up_to.reset();
  query.after = 0;
  std::vector<std::string> forwards;
  while (true) {
    const auto reading = logs_->read(query);
    for (const auto& line : reading.lines) forwards.push_back(line.text);
    if (!reading.rest) break;
    query.after = reading.rest;
  }
  EXPECT_EQ(forwards, said);
}

TEST_F(LogFollowTest, FromATimeOnWhatIsOlderIsNotMissed) {
  limits_.function_bytes = 500;
  limits_.segment_bytes = 1000;
  reopen();
  for (int i = 0; i < 20; ++i) append(fmt::format("old {}", i));
  clock_.advance(std::chrono::hours(1));
  LogFilter filter;
  filter.since = clock_.now();
  const auto before = logs_->follow("greet", [] {})->start();
  append("not of this kind, but of this run");
  auto position = before;
  for (int i = 0; i < 20; ++i) append(fmt::format("new {}", i));
  clock_.advance(std::chrono::hours(1));
  filter.since = clock_.now();
  for (int i = 0; i < 20; ++i) append(fmt::format("newest {}", i));
  const auto texts = read(position, filter);
  EXPECT_EQ(texts.size(), 20u);
  EXPECT_EQ(texts.front(), "newest 0");
  EXPECT_EQ(missed_, 0u);
  // The file in which the old ones stand is passed by without being read.
  EXPECT_GT(from_disk_, 0);
}

TEST_F(LogFollowTest, ALongSearchIsNotForALoop) {
  append(std::string(100'000, 'x'));
  LogFilter filter;
  EXPECT_FALSE(logs_->newer_in_memory("greet", 0, filter));
  EXPECT_EQ(logs_->newer("greet", 0, filter).lines.size(), 1u);
  append("short");
  auto position = logs_->newer("greet", 0, filter).position - 1;
  filter.search = *parse_search("sh?ort");
  EXPECT_EQ(logs_->newer_in_memory("greet", position, filter)->lines.size(), 1u);
  append(std::string(5000, 'x'));
  position += 1;
  EXPECT_FALSE(logs_->newer_in_memory("greet", position, filter));
}

TEST_F(LogFollowTest, NothingUpToALineIsRepeated) {
  append("a");
  append("b");
  LogStore::Query query;
  query.up_to = lines().at(0).id;
  append("c");
  EXPECT_THAT(texts_of(lines(query)), ElementsAre("a"));
}

TEST_F(LogFollowTest, LinesOfAnEarlierReleaseHaveNoIdAndAreShown) {
  std::filesystem::create_directories(directory_ / "logs/greet");
  std::ofstream(directory_ / "logs/greet/00000001.jsonl") << R"({"time":1,"text":"old"})"
                                                          << "\n";
  reopen();
  append("new");
  EXPECT_THAT(texts(), ElementsAre("old", "new"));
}

TEST_F(LogFollowTest, ManyFollowWhileManyWrite) {
  constexpr int kEach = 2000;
  std::uint64_t position = follow()->start();
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([this] {
      for (int i = 0; i < kEach; ++i) append("x");
    });
  }
  std::size_t count = 0;
  while (count < 3 * kEach) count += read(position).size();
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(count, 3u * kEach);
  EXPECT_EQ(missed_, 0u);
}

}  // namespace
}  // namespace lambda::observe
