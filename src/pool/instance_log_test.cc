#include "pool/instance_log.h"

#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <future>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <utility>

namespace lambda::pool {
namespace {

using namespace std::chrono_literals;

// Keeps the last lines, and counts.
class Lines final : public observe::LogSource {
 public:
  void append(observe::LogBatch batch) override {
    ++batches;
    if (lines.size() > 1000) lines.clear();
    count += batch.lines.size();
    for (auto& line : batch.lines) {
      observe::LogLine kept;
      kept.request_id = batch.origin->request_id;
      kept.text = std::move(line.text);
      kept.platform = line.platform;
      lines.push_back(std::move(kept));
    }
  }
  [[nodiscard]] bool forgotten() const override { return false; }
  std::vector<observe::LogLine> lines;
  std::size_t count = 0;
  int batches = 0;
};

class InstanceLogTest : public testing::Test {
 public:
  InstanceLogTest() {
    int ends[2] = {};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    write_end_.reset(ends[1]);
    InstanceLog::Owner owner;
    owner.version = "1";
    auto opened = InstanceLog::open(loop_.get_executor(), UniqueFd(ends[0]), owner, store_, clock_);
    EXPECT_TRUE(opened);
    log_ = std::move(*opened);
  }
  ~InstanceLogTest() override {
    log_.reset();
    loop_.abandon();
  }
  void write(std::string_view text) {
    ASSERT_EQ(::write(write_end_.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  template <class T>
  T run(Task<T> task) {
    auto done = asio::co_spawn(loop_, std::move(task), asio::use_future);
    while (done.wait_for(0s) != std::future_status::ready) {
      const auto begin = processor_time();
      loop_.run_one();
      longest_turn_ = std::max(longest_turn_, processor_time() - begin);
    }
    return done.get();
  }

  // Of this thread: how busy the machine is besides makes no turn longer.
  static std::chrono::nanoseconds processor_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }

  Loop loop_{1};
  FakeClock clock_;
  std::shared_ptr<Lines> store_ = std::make_shared<Lines>();
  UniqueFd write_end_;
  std::unique_ptr<InstanceLog> log_;
  std::chrono::nanoseconds longest_turn_{};
};

TEST_F(InstanceLogTest, GivesTheLinesOfAShortCallAtOnce) {
  run(log_->begin_call("r"));
  write("one\ntwo");
  const auto tail = run(log_->end_call("REPORT"));
  EXPECT_EQ(tail, "START RequestId: r Version: 1\none\ntwo\nEND RequestId: r\nREPORT\n");
  ASSERT_EQ(store_->lines.size(), 5u);
  EXPECT_EQ(store_->lines[4].request_id, "r");
  EXPECT_LE(store_->batches, 2);
}

TEST_F(InstanceLogTest, ALineOfOneOfSeveralRequestsIsItsAlone) {
  write("before\n");
  run(log_->platform_line_of("r", "it failed"));
  write("after\n");
  run(log_->drain_outside_call());
  ASSERT_EQ(store_->lines.size(), 3u);
  EXPECT_EQ(store_->lines[0].request_id, "");
  EXPECT_EQ(store_->lines[1].text, "it failed");
  EXPECT_EQ(store_->lines[1].request_id, "r");
  EXPECT_EQ(store_->lines[2].request_id, "");
}

TEST_F(InstanceLogTest, TellsThePlatformsWordsFromTheFunctions) {
  run(log_->begin_call("r"));
  write("START RequestId: forged\n");
  run(log_->platform_line("it timed out"));
  run(log_->end_call("REPORT"));
  std::string who;
  for (const auto& line : store_->lines) who += line.platform ? 'p' : 'f';
  EXPECT_EQ(who, "pfppp");
}

TEST_F(InstanceLogTest, ALineOf100MegabytesIsCutAndTheNextIsWhole) {
  constexpr std::size_t kPiece = 32 * 1024;
  const std::string piece(kPiece, 'x');
  run(log_->begin_call("r"));
  for (std::size_t written = 0; written < (100u << 20); written += kPiece) {
    write(piece);
    for (int left = 1; left > 0; ::ioctl(write_end_.get(), FIONREAD, &left)) loop_.poll();
  }
  write("\nthe next\n");
  run(log_->end_call("REPORT"));
  ASSERT_EQ(store_->lines.size(), 5u);
  const auto& cut = store_->lines[1].text;
  EXPECT_LT(cut.size(), 257u << 10);
  EXPECT_TRUE(cut.ends_with("xx ... (the rest of this line was cut)"));
  EXPECT_EQ(store_->lines[2].text, "the next");
}

TEST_F(InstanceLogTest, GivesAStartLineThatNothingFollows) {
  run(log_->begin_call("r"));
  run(sleep_for(200ms));
  ASSERT_EQ(store_->lines.size(), 1u);
}

TEST_F(InstanceLogTest, WorksThroughAFloodOfLinesInManyTurns) {
  ASSERT_GT(::fcntl(write_end_.get(), F_SETPIPE_SZ, 1 << 20), 0);
  run(log_->begin_call("r"));
  write(std::string((1 << 20) - 5, '\n') + "last\n");
  const auto tail = run(log_->end_call("REPORT"));
  EXPECT_TRUE(tail.ends_with("\n\nlast\nEND RequestId: r\nREPORT\n"));
  EXPECT_EQ(store_->count, (1u << 20) - 5 + 1 + 3);
  EXPECT_LT(longest_turn_, 20ms);
}

}  // namespace
}  // namespace lambda::pool
