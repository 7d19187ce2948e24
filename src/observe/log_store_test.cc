#include "observe/log_store_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sys/mount.h>
#include <thread>

namespace lambda::observe {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LogStoreTest : public LogStoreFixture {
 protected:
  void append(const std::string& text, const std::string& function = "greet",
              const std::string& request = "r", const std::string& version = "1") {
    LogLine line;
    line.time = WallTime(std::chrono::milliseconds(++time_));
    line.function = function;
    line.version = version;
    line.instance = "i";
    line.request_id = request;
    line.text = text;
    logs_->source(function)->append(std::move(line));
  }
  std::vector<std::string> recent(LogStore::Query query) {
    return texts_of(lines(std::move(query)));
  }
  std::vector<std::string> recent() { return recent(LogStore::Query{}); }
  std::uintmax_t bytes_on_disk() {
    std::uintmax_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
      if (entry.path().extension() == ".jsonl") bytes += entry.file_size();
    }
    return bytes;
  }

  int time_ = 0;
};

TEST_F(LogStoreTest, TheNewestLinesOldestFirst) {
  EXPECT_THAT(recent(), IsEmpty());
  for (int i = 0; i < 5; ++i) append(std::to_string(i));
  append("other", "other");
  LogStore::Query query;
  query.limit = 3;
  EXPECT_THAT(recent(query), ElementsAre("2", "3", "4"));
}

TEST_F(LogStoreTest, FiltersByRequestAndVersion) {
  append("a", "greet", "r1", "1");
  append("b", "greet", "r2", "2");
  append("c", "greet", "r1", "2");
  LogStore::Query query;
  query.request_id = "r1";
  EXPECT_THAT(recent(query), ElementsAre("a", "c"));
  query.version = "2";
  EXPECT_THAT(recent(query), ElementsAre("c"));
}

TEST_F(LogStoreTest, ARestartFindsEarlierLines) {
  append("first \"quoted\" é \n\t\x01");
  reopen();
  append("second");
  EXPECT_THAT(recent(), ElementsAre("first \"quoted\" é \n\t\x01", "second"));
  LogStore::Query query;
  query.function = "greet";
  const auto line = logs_->recent(query)[0];
  EXPECT_EQ(line.time, WallTime(std::chrono::milliseconds(1)));
  EXPECT_EQ(line.function, "greet");
  EXPECT_EQ(line.version, "1");
  EXPECT_EQ(line.instance, "i");
  EXPECT_EQ(line.request_id, "r");
}

TEST_F(LogStoreTest, WhatMemoryLetGoIsReadFromDisk) {
  limits_.function_bytes = 2000;
  reopen();
  for (int i = 0; i < 100; ++i) append(std::to_string(i), "greet", i == 7 ? "seven" : "r");
  EXPECT_EQ(recent().size(), 100u);
  LogStore::Query query;
  query.request_id = "seven";
  EXPECT_THAT(recent(query), ElementsAre("7"));
}

TEST_F(LogStoreTest, SilentFunctionsGiveWayInMemory) {
  limits_.memory_bytes = 10'000;
  reopen();
  for (int i = 0; i < 200; ++i) append("x", "f" + std::to_string(i));
  LogStore::Query query;
  query.function = "f0";
  EXPECT_THAT(recent(query), ElementsAre("x"));
}

TEST_F(LogStoreTest, DiskSpaceIsBounded) {
  limits_.segment_bytes = 10'000;
  limits_.segments = 3;
  limits_.function_bytes = 1000;
  reopen();
  for (int i = 0; i < 1000; ++i) {
    append(std::to_string(i) + std::string(100, 'x'));
    if (i % 20 == 0) (void)recent();
  }
  LogStore::Query query;
  query.limit = 100'000;
  const auto lines = recent(query);
  EXPECT_GT(lines.size(), 50u);
  EXPECT_LT(lines.size(), 200u);
  EXPECT_THAT(lines.back(), HasSubstr("999x"));
  EXPECT_LE(bytes_on_disk(), 30'000u);
}

TEST_F(LogStoreTest, ForgettingTakesMemoryAndFiles) {
  append("old");
  logs_->forget("greet");
  EXPECT_THAT(recent(), IsEmpty());
  append("new");
  EXPECT_THAT(recent(), ElementsAre("new"));
  reopen();
  EXPECT_THAT(recent(), ElementsAre("new"));
  logs_->forget("greet");
  reopen();
  EXPECT_THAT(recent(), IsEmpty());
  EXPECT_EQ(bytes_on_disk(), 0u);
}

TEST_F(LogStoreTest, WhatADeletedFunctionStillWritesIsHeardByNobody) {
  const auto deleted = logs_->source("greet");
  LogLine line;
  line.text = "before";
  deleted->append(line);
  logs_->forget("greet");
  EXPECT_TRUE(deleted->forgotten());
  line.text = "its last words";
  deleted->append(line);
  EXPECT_THAT(recent(), IsEmpty());
  // Nor does it speak in the log of the next function of that name.
  append("new");
  deleted->append(line);
  EXPECT_FALSE(logs_->source("greet")->forgotten());
  EXPECT_THAT(recent(), ElementsAre("new"));
  reopen();
  EXPECT_THAT(recent(), ElementsAre("new"));
}

TEST_F(LogStoreTest, AHalfWrittenLineIsPassedOver) {
  append("good");
  reopen();
  std::ofstream(directory_ / "logs" / "greet" / "00000001.jsonl", std::ios::app)
      << "{\"time\":1,\"te\n";
  append("after");
  EXPECT_THAT(recent(), ElementsAre("good", "after"));
}

TEST_F(LogStoreTest, BytesThatAreNoTextAreReplacedAndLongLinesCut) {
  append(
      "a\xFF"
      "b\xC3");
  EXPECT_THAT(recent(), ElementsAre("a\xEF\xBF\xBD"
                                    "b\xEF\xBF\xBD"));
  append(std::string(300 << 10, 'x'));
  EXPECT_THAT(recent().back(), HasSubstr("was cut"));
  EXPECT_LT(recent().back().size(), 270u << 10);
}

TEST_F(LogStoreTest, AFloodLosesLinesAndSaysSo) {
  // A second line finds no room before the first has left for the disk.
  limits_.queue_bytes = limits_.function_queue_bytes = limits_.spared_queue_bytes = 20'000;
  reopen();
  constexpr int kLines = 2000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kLines; ++i) append(std::string(15'000, 'x'));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  LogStore::Query query;
  query.limit = 1'000'000;
  (void)recent(query);
  append("calm");
  const auto lines = recent(query);
  EXPECT_LT(lines.size(), std::size_t{kLines});
  const auto said = std::ranges::count_if(lines, [](const std::string& text) {
    return text.find("faster than the disk takes them") != std::string::npos;
  });
  EXPECT_GE(said, 1);
  EXPECT_EQ(lines.back(), "calm");
}

TEST_F(LogStoreTest, AFullDiskCostsNothingButOldLines) {
  logs_.reset();
  fs::create_directories(directory_ / "logs");
  const auto logs = directory_ / "logs";
  const bool mounted = ::mount("tmpfs", logs.c_str(), "tmpfs", 0, "size=64k") == 0;
  reopen();
  for (int i = 0; i < 1000; ++i) append(std::to_string(i) + std::string(200, 'x'));
  const auto lines = recent();
  ASSERT_EQ(lines.size(), 100u);
  EXPECT_THAT(lines.back(), HasSubstr("999x"));
  logs_.reset();
  if (mounted) ::umount2(logs.c_str(), MNT_DETACH);
}

TEST_F(LogStoreTest, ManyThreadsAppendWhileOthersRead) {
  limits_.function_bytes = 5000;
  reopen();
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 500; ++i) {
        LogLine line;
        line.function = "greet";
        line.request_id = std::to_string(t);
        line.text = std::to_string(i);
        logs_->source(line.function)->append(line);
      }
    });
  }
  for (int i = 0; i < 20; ++i) (void)recent();
  for (auto& thread : threads) thread.join();
  for (int t = 0; t < 3; ++t) {
    LogStore::Query query;
    query.limit = 10'000;
    query.request_id = std::to_string(t);
    const auto texts = recent(query);
    ASSERT_EQ(texts.size(), 500u);
    for (int i = 0; i < 500; ++i) EXPECT_EQ(texts[static_cast<std::size_t>(i)], std::to_string(i));
  }
}

}  // namespace
}  // namespace lambda::observe
