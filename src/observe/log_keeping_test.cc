// What is kept, for how long, and what is left out.
#include "observe/log_store_fixture.h"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <string>
#include <sys/mount.h>
#include <thread>

namespace lambda::observe {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LogKeepingTest : public LogStoreFixture {
 protected:
  void tidy() {
    logs_->tidy();
    (void)logs_->trouble("greet");  // waits for the writer
  }
  std::uint64_t bytes() {
    std::uint64_t all = 0;
    for (const auto& file : fs::directory_iterator(directory_ / "logs/greet"))
      all += file.file_size();
    return all;
  }
};

TEST_F(LogKeepingTest, OldLinesAreNotShownAndTheirFilesGoThoughNothingIsWrittenAnyMore) {
  limits_.age = 24h;
  reopen();
  append("old");
  clock_.advance(23h);
  append("young");
  tidy();
  EXPECT_THAT(texts(), ElementsAre("old", "young"));
  clock_.advance(2h);
  EXPECT_THAT(texts(), ElementsAre("young"));
  tidy();
  EXPECT_EQ(files(), 1u);
  clock_.advance(24h);
  tidy();
  EXPECT_THAT(texts(), IsEmpty());
  EXPECT_FALSE(fs::exists(directory_ / "logs/greet"));
  append("new");
  EXPECT_THAT(texts(), ElementsAre("new"));
}

TEST_F(LogKeepingTest, OfFunctionsThatAreGoneNothingIsKept) {
  append("of one that is there");
  append("deleted just before the server was killed", "gone");
  reopen();
  fs::create_directory(directory_ / "logs/backup");
  std::ofstream(directory_ / "logs/backup/mine") << "of nobody's log";
  reopen();
  logs_->keep_only({"greet"});
  (void)logs_->trouble("greet");
  EXPECT_THAT(texts(), ElementsAre("of one that is there"));
  LogStore::Query query;
  query.function = "gone";
  EXPECT_THAT(lines(query), IsEmpty());
  EXPECT_FALSE(fs::exists(directory_ / "logs/gone"));
  EXPECT_TRUE(fs::exists(directory_ / "logs/backup/mine"));
}

TEST_F(LogKeepingTest, AgeCountsAfterARestartToo) {
  limits_.age = 24h;
  append("old");
  clock_.advance(25h);
  reopen();
  EXPECT_THAT(texts(), IsEmpty());
  tidy();
  EXPECT_FALSE(fs::exists(directory_ / "logs/greet"));
}

TEST_F(LogKeepingTest, ASmallerLimitHoldsForWhatIsThereAlready) {
  limits_.segment_bytes = 5000;
  reopen();
  for (int i = 0; i < 200; ++i) append(std::string(100, 'x'));
  (void)logs_->trouble("greet");
  EXPECT_GT(bytes(), 20'000u);
  limits_.segments = 2;
  reopen();
  tidy();
  EXPECT_LE(bytes(), 10'000u);
  EXPECT_GT(bytes(), 5000u);
}

TEST_F(LogKeepingTest, AFunctionsOwnLimitHoldsAtOnceForWhatIsThereAndKeepsTheNewest) {
  limits_.function_bytes = 1000;  // the rest is read from disk
  reopen();
  for (int i = 0; i < 3000; ++i) {
    append(fmt::format("{} {}", i, std::string(1000, 'x')));
    append("of the other", "other");
  }
  (void)logs_->trouble("greet");
  EXPECT_GT(bytes(), 3'000'000u);
  OwnLogLimits own;
  own.bytes = 1 << 20;
  logs_->set_own_limits({{"greet", own}});
  EXPECT_EQ(logs_->limits_of("greet").bytes(), 1u << 20);
  EXPECT_EQ(logs_->limits_of("other").bytes(), 64u << 20);
  (void)logs_->trouble("greet");
  EXPECT_LE(bytes(), 1u << 20);
  EXPECT_GT(bytes(), 900'000u);
  LogStore::Query query;
  query.limit = 500;
  auto kept = lines(query);
  ASSERT_EQ(kept.size(), 500u);
  EXPECT_THAT(kept.front().text, HasSubstr("2500 x"));
  EXPECT_THAT(kept.back().text, HasSubstr("2999 x"));
  for (int i = 3000; i < 6000; ++i) {
    append(fmt::format("{} {}", i, std::string(1000, 'x')));
    if (i % 100 != 0) continue;
    (void)logs_->trouble("greet");
    EXPECT_LE(bytes(), 1u << 20);
  }
  kept = lines(query);
  ASSERT_EQ(kept.size(), 500u);
  EXPECT_THAT(kept.front().text, HasSubstr("5500 x"));
  query.function = "other";
  query.limit = 10'000;
  EXPECT_EQ(lines(query).size(), 3000u);
  // Given back to the server, it may grow again.
  logs_->set_own_limits({});
  for (int i = 0; i < 2000; ++i) append(std::string(1000, 'x'));
  (void)logs_->trouble("greet");
  EXPECT_GT(bytes(), 2'000'000u);
}

TEST_F(LogKeepingTest, AFunctionsOwnAgeHoldsForWhatIsShownAndWhatIsThere) {
  limits_.age = 24h;
  reopen();
  for (const char* name : {"greet", "other", "forever"}) append("old", name);
  OwnLogLimits hour;
  hour.age = 1h;
  OwnLogLimits any;
  any.age = 0h;
  logs_->set_own_limits({{"greet", hour}, {"forever", any}});
  clock_.advance(2h);
  EXPECT_THAT(texts(), IsEmpty());
  LogStore::Query query;
  query.function = "other";
  EXPECT_THAT(texts_of(lines(query)), ElementsAre("old"));
  tidy();
  EXPECT_FALSE(fs::exists(directory_ / "logs/greet"));
  clock_.advance(48h);
  tidy();
  EXPECT_FALSE(fs::exists(directory_ / "logs/other"));
  query.function = "forever";
  EXPECT_THAT(texts_of(lines(query)), ElementsAre("old"));
}

TEST_F(LogKeepingTest, WhatWasLeftOfAShorteningThatWasCutOffGoes) {
  append("line");
  (void)logs_->trouble("greet");
  std::ofstream(directory_ / "logs/greet/shorter") << "{";
  EXPECT_EQ(files(), 2u);
  tidy();
  EXPECT_EQ(files(), 1u);
  EXPECT_THAT(texts(), ElementsAre("line"));
}

TEST_F(LogKeepingTest, AFloodIsCappedAndSaysSoWhereItWas) {
  limits_.rate_bytes = 100'000;
  limits_.burst_bytes = 200'000;
  reopen();
  const std::string text(872, 'x');  // 1000 bytes with its surroundings
  for (int i = 0; i < 1000; ++i) append(text);
  append("END RequestId: r", "greet", true);
  auto query = LogStore::Query{};
  query.limit = 10'000;
  auto kept = lines(query);
  ASSERT_EQ(kept.size(), 202u);
  EXPECT_EQ(kept[200].text,
            "[lambda] 800 lines before this one (697600 bytes) were not kept: the function writes "
            "more than 97 KB a second (function_log_rate)");
  EXPECT_TRUE(kept[200].platform);
  EXPECT_EQ(kept[201].text, "END RequestId: r");
  // It goes on with some room, not with the first byte of it.
  clock_.advance(100ms);
  append(text);
  EXPECT_EQ(lines(query).size(), 202u);
  clock_.advance(200ms);
  append(text);
  kept = lines(query);
  ASSERT_EQ(kept.size(), 204u);
  EXPECT_THAT(kept[202].text, HasSubstr("1 lines before"));
  // Another function is not concerned.
  append("quiet", "other");
  query.function = "other";
  EXPECT_EQ(lines(query).size(), 1u);
}

TEST_F(LogKeepingTest, WhatAFloodLeftOutIsSaidThoughNothingFollows) {
  limits_.rate_bytes = 100'000;
  limits_.burst_bytes = 200'000;
  limits_.said_after = 1ms;
  reopen();
  std::atomic<bool> woken{false};
  const auto follower = logs_->follow("greet", [&woken] { woken = true; });
  for (int i = 0; i < 1000; ++i) append(std::string(872, 'x'));
  const auto until = std::chrono::steady_clock::now() + 60s;
  std::uint64_t said = 0;
  while (said < 800 && std::chrono::steady_clock::now() < until) {
    said = 0;
    LogStore::Query query;
    query.limit = 10'000;
    for (const auto& line : lines(query)) {
      if (line.text.starts_with("[lambda] ")) said += std::stoul(line.text.substr(9));
    }
    std::this_thread::yield();
  }
  EXPECT_EQ(said, 800u);
  EXPECT_TRUE(woken);
}

TEST_F(LogKeepingTest, AFloodOnItsWayToTheDiskTakesNoRoomFromOthers) {
  limits_.queue_bytes = 20'000;
  limits_.function_queue_bytes = 20'000;
  limits_.spared_queue_bytes = 5000;
  limits_.function_bytes = 100;  // what is not on disk is gone
  reopen();
  for (int i = 0; i < 20'000; ++i) {
    append(std::string(1000, 'x'), "flood");
    if (i % 1000 == 0) append("quiet");
  }
  LogStore::Query query;
  query.limit = 10'000;
  EXPECT_EQ(lines(query).size(), 20u);
}

TEST_F(LogKeepingTest, AFullDiskIsToldAndOverWithoutARestart) {
  logs_.reset();
  fs::create_directories(directory_ / "logs");
  const auto logs = directory_ / "logs";
  ASSERT_EQ(::mount("tmpfs", logs.c_str(), "tmpfs", 0, "size=64k"), 0);
  limits_.function_bytes = 5000;
  reopen();
  // One at a time: where a write of many found no room, a smaller one after it still might.
  int written = 0;
  std::optional<LogTrouble> trouble;
  while (!trouble && written < 1000) {
    append(std::to_string(++written) + std::string(200, 'x'));
    trouble = logs_->trouble("greet");
  }
  ASSERT_TRUE(trouble);
  EXPECT_GT(trouble->lines, 0u);
  EXPECT_EQ(trouble->since, clock_.now());
  EXPECT_THAT(trouble->reason, HasSubstr("No space left on device"));
  EXPECT_FALSE(logs_->trouble("other"));
  EXPECT_THAT(texts().back(), HasSubstr(std::to_string(written) + "x"));
  ASSERT_EQ(::mount("tmpfs", logs.c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
  append("again");
  EXPECT_FALSE(logs_->trouble("greet"));
  EXPECT_THAT(texts().back(),
              HasSubstr("lines after 2026-01-02T03:04:05.000Z were not kept: write"));
  logs_.reset();
  ::umount2(logs.c_str(), MNT_DETACH);
}

TEST_F(LogKeepingTest, AReadOnlyDiskCostsWhatIsOnItAlone) {
  append("before");
  logs_.reset();
  const auto logs = directory_ / "logs";
  ASSERT_EQ(::mount(logs.c_str(), logs.c_str(), "", MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount("", logs.c_str(), "", MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  reopen();
  append("in memory");
  EXPECT_THAT(texts(), ElementsAre("before", "in memory"));
  ASSERT_TRUE(logs_->trouble("greet"));
  ASSERT_EQ(::mount("", logs.c_str(), "", MS_BIND | MS_REMOUNT, nullptr), 0);
  append("again");
  EXPECT_FALSE(logs_->trouble("greet"));
  logs_.reset();
  ::umount2(logs.c_str(), MNT_DETACH);
}

TEST_F(LogKeepingTest, ATornLineEndsBeforeTheNext) {
  append("good");
  logs_.reset();
  std::ofstream(directory_ / "logs/greet/00000001.jsonl", std::ios::app) << "{\"id\":99,\"te";
  reopen();
  append("after");
  EXPECT_THAT(texts(), ElementsAre("good", "after"));
  reopen();
  EXPECT_THAT(texts(), ElementsAre("good", "after"));
}

}  // namespace
}  // namespace lambda::observe
