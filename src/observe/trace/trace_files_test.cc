#include "observe/trace/trace_files.h"

#include "base/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace lambda::observe {
namespace {

namespace json = boost::json;

class TraceFilesTest : public testing::Test {
 protected:
  TraceFiles open() {
    auto files = TraceFiles::open(directory_, limits_);
    EXPECT_TRUE(files);
    return std::move(*files);
  }
  static std::string line(int number) {
    return json::serialize(json::object{{"function", "greet"}, {"n", number}}) + "\n";
  }
  static std::vector<int> numbers(const TraceFiles& files, std::size_t limit = 1000) {
    std::vector<int> found;
    for (const auto& one :
         files.read("\"function\":\"greet\"", limit, [](const json::object&) { return true; }))
      found.push_back(static_cast<int>(one.at("n").as_int64()));
    return found;
  }
  std::size_t count() const {
    const std::filesystem::directory_iterator all(directory_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  std::uint64_t bytes() const {
    std::uint64_t all = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      all += entry.file_size();
    return all;
  }
  TemporaryDirectory temporary_;
  std::filesystem::path directory_ = temporary_.path() / "traces";
  TraceFileLimits limits_;
};

TEST_F(TraceFilesTest, WhatAnEarlierServerWroteIsFoundNewestFirst) {
  {
    auto files = open();
    ASSERT_TRUE(files.write(line(1) + line(2)));
  }
  auto files = open();
  ASSERT_TRUE(files.write(line(3)));
  EXPECT_EQ(numbers(files), (std::vector{3, 2, 1}));
  EXPECT_EQ(numbers(files, 2), (std::vector{3, 2}));
}

TEST_F(TraceFilesTest, ALineThatHasNoEndHarmsNoOther) {
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ / "0000000001.jsonl") << line(1) << R"({"function":"greet","n":)";
  std::ofstream(directory_ / "0000000002.jsonl") << "\"function\":\"greet\" no JSON\n" << line(2);
  std::ofstream(directory_ / "notes.txt") << line(9);
  auto files = open();
  ASSERT_TRUE(files.write(line(3)));
  EXPECT_EQ(numbers(files), (std::vector{3, 2, 1}));
}

TEST_F(TraceFilesTest, TheOldestGoWhenTheyAreTooMany) {
  limits_.file_bytes = 100;
  limits_.all_bytes = 300;
  auto files = open();
  // At once, not with the next sweep: a function that fails all the time fills a disk until then.
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(files.write(line(i)));
    ASSERT_LE(bytes(), 300u) << i;
    ASSERT_EQ(numbers(files).front(), i);
  }
  EXPECT_GT(count(), 2u);
  EXPECT_GT(bytes(), 200u);
  limits_.all_bytes = 100;
  auto later = open();
  later.sweep(WallTime(std::chrono::milliseconds(0)));
  EXPECT_LE(bytes(), 100u);
  ASSERT_TRUE(later.write(line(50)));
  EXPECT_EQ(numbers(later).front(), 50);
}

TEST_F(TraceFilesTest, WhatIsTooOldGoesAlsoTheFileThatIsWritten) {
  limits_.age = std::chrono::hours(1);
  auto files = open();
  ASSERT_TRUE(files.write(line(1)));
  const SystemClock clock;
  files.sweep(clock.now());
  EXPECT_EQ(numbers(files).size(), 1u);
  files.sweep(clock.now() + std::chrono::hours(2));
  EXPECT_TRUE(numbers(files).empty());
  ASSERT_TRUE(files.write(line(2)));
  EXPECT_EQ(numbers(files), std::vector{2});
}

TEST_F(TraceFilesTest, ADirectoryThatCannotBeWrittenIsRefusedWithAReason) {
  std::ofstream(temporary_.path() / "traces") << "a file";
  auto files = TraceFiles::open(directory_, limits_);
  ASSERT_FALSE(files);
  EXPECT_NE(files.error().message().find("must be able to write there"), std::string::npos);
}

TEST_F(TraceFilesTest, ADiskThatTakesNothingIsAnError) {
  auto files = open();
  std::filesystem::remove_all(directory_);
  auto written = files.write(line(1));
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message().find("0000000001.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace lambda::observe
