#include "sandbox/image/unpack_stream.h"

#include "base/deadline.h"
#include "base/loop_runner.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <future>
#include <memory>
#include <unistd.h>

namespace lambda::sandbox::image {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Task<Result<std::string>> piece(std::string text) {
  co_return text;
}

class Streams : public testing::Test {
 protected:
  // So many pieces of 64 KiB.
  static NextPiece pieces(unsigned count) {
    auto left = std::make_shared<unsigned>(count);
    return [left] {
      if (*left == 0) return piece("");
      --*left;
      return piece(std::string(65536, 'x'));
    };
  }
  Unpacking with(std::function<Result<Done>(int)> unpack, milliseconds patience) {
    Unpacking made;
    made.unpack = std::move(unpack);
    made.clear_up = [this] { ++cleared_; };
    made.patience = patience;
    return made;
  }

  Loop loop_{1};
  BlockingPool pool_{"images", 1};
  unsigned cleared_ = 0;
};

Result<Done> read_all_of(int source, std::size_t& bytes) {
  char buffer[4096];
  while (true) {
    const ssize_t count = ::read(source, buffer, sizeof(buffer));
    if (count <= 0) return Done{};
    bytes += static_cast<std::size_t>(count);
  }
}

TEST_F(Streams, EverythingArrivesAndNothingIsClearedUp) {
  std::size_t bytes = 0;
  auto unpack = [&bytes](int source) { return read_all_of(source, bytes); };
  const auto done = run_on(loop_, unpack_stream(pool_, pieces(30), with(unpack, seconds(5))));
  EXPECT_TRUE(done);
  EXPECT_EQ(bytes, 30u * 65536);
  EXPECT_EQ(cleared_, 0u);
}

TEST_F(Streams, AnUnpackingThatFailsSaysWhy) {
  auto unpack = [](int) -> Result<Done> { return fail(ErrorCode::invalid, "a bad name"); };
  const auto done = run_on(loop_, unpack_stream(pool_, pieces(30), with(unpack, seconds(5))));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message(), "a bad name");
  EXPECT_EQ(cleared_, 1u);
}

TEST_F(Streams, OneThatTakesNothingIsGivenUpAndClearedUpOnceItEnds) {
  std::promise<void> go_on;
  auto unpack = [&go_on](int) -> Result<Done> {
    go_on.get_future().wait();
    return Done{};
  };
  const auto done =
      run_on(loop_, unpack_stream(pool_, pieces(100'000), with(unpack, milliseconds(30))));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::timeout);
  EXPECT_EQ(cleared_, 0u) << "cleared up under its hands";
  go_on.set_value();
  ASSERT_TRUE(run_until(loop_, [this] { return cleared_ > 0; }));
  EXPECT_EQ(cleared_, 1u);
}

TEST_F(Streams, OneThatDoesNotComeToAnEndIsGivenUpToo) {
  std::promise<void> go_on;
  auto unpack = [&go_on](int source) {
    std::size_t bytes = 0;
    auto read = read_all_of(source, bytes);
    go_on.get_future().wait();
    return read;
  };
  const auto done = run_on(loop_, unpack_stream(pool_, pieces(3), with(unpack, milliseconds(30))));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::timeout);
  EXPECT_EQ(cleared_, 0u);
  go_on.set_value();
  ASSERT_TRUE(run_until(loop_, [this] { return cleared_ > 0; }));
}

// A loop that cannot watch the descriptor: the unpacking must see the end all the same.
TEST_F(Streams, WhatCannotBeWatchedIsClosed) {
  UniqueFd file(::open("/", O_PATH | O_CLOEXEC));  // epoll takes no such descriptor
  const int number = file.get();
  const auto done = run_on(loop_, pass_on(pieces(3), std::move(file), seconds(5)));
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("watch"), std::string::npos) << done.error().message();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  EXPECT_EQ(errno, EBADF);
}

}  // namespace
}  // namespace lambda::sandbox::image
