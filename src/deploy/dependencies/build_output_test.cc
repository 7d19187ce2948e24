#include "deploy/dependencies/build_output.h"

#include "base/loop_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace lambda::deploy {
namespace {

using ::testing::EndsWith;
using namespace std::chrono_literals;

class BuildOutputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    inside_ = UniqueFd(ends[1]);
    output_ =
        BuildOutput::open(loop_.get_executor(), UniqueFd(ends[0]), [this](std::string_view text) {
          said_ += text;
        }).value();
  }
  void write(std::string_view text) {
    ASSERT_EQ(::write(inside_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  int unread() const {
    int bytes = 0;
    EXPECT_EQ(::ioctl(inside_.get(), FIONREAD, &bytes), 0);
    return bytes;
  }
  bool says(const std::string& text) {
    return run_until(
        loop_, [&] { return said_ == text; }, 10s);
  }

  Loop loop_{1};
  UniqueFd inside_;
  std::string said_;
  std::unique_ptr<BuildOutput> output_;
};

TEST_F(BuildOutputTest, SaysWholeLinesAsTheyCome) {
  write("Collecting a\nDown");
  EXPECT_TRUE(says("Collecting a\n"));
  write("loading\n");
  EXPECT_TRUE(says("Collecting a\nDownloading\n"));
}

TEST_F(BuildOutputTest, SaysTheRestWhenItIsClosedAndNothingAfterwards) {
  write("one\ntwo");
  output_->close();
  EXPECT_EQ(said_, "one\ntwo");
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  // Nobody reads any more, as for a program that writes on.
  EXPECT_EQ(::write(inside_.get(), "three\n", 6), -1);
  ::signal(SIGPIPE, before);
  EXPECT_EQ(said_, "one\ntwo");
}

TEST_F(BuildOutputTest, LeavesOutWhatMovesACursor) {
  EXPECT_EQ(plain_text("\x1b[2J\x1b]0;title\x07 50%\r100%\n\ttab\x7f \xc3\xa9"),
            "[2J]0;title 50%100%\n\ttab \xc3\xa9");
}

TEST_F(BuildOutputTest, AFloodIsCutAndReadOn) {
  const std::string line(999, 'x');
  for (std::size_t written = 0; written < kMostOutput + 100'000; written += 50'000) {
    std::string lines;
    for (int i = 0; i < 50; ++i) lines += line + '\n';
    write(lines);
    ASSERT_TRUE(run_until(
        loop_, [&] { return unread() == 0; }, 10s));
  }
  output_->close();
  EXPECT_LT(said_.size(), kMostOutput + 70'000);
  EXPECT_THAT(said_, EndsWith("[the rest of the build's output is left out]\n"));
}

}  // namespace
}  // namespace lambda::deploy
