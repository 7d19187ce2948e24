#include "base/async.h"
#include "base/background.h"
#include "base/blocking.h"
#include "base/crypto.h"
#include "base/descriptor_message.h"
#include "base/encoding.h"
#include "base/result.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace lambda {
namespace {

// Room for one, rounded up, is room for two; the third finds no place.
TEST(DescriptorMessage, OwnsEveryDescriptorThatCame) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd sender(ends[0]);
  const UniqueFd receiver(ends[1]);
  for (const std::size_t count : {0u, 1u, 2u, 3u}) {
    char byte = 'x';
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char sent[CMSG_SPACE(3 * sizeof(int))] = {};
    if (count > 0) {
      const int files[] = {sender.get(), sender.get(), sender.get()};
      message.msg_control = sent;
      message.msg_controllen = CMSG_SPACE(count * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(count * sizeof(int));
      std::memcpy(CMSG_DATA(header), files, count * sizeof(int));
    }
    ASSERT_EQ(::sendmsg(sender.get(), &message, 0), 1);
    alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
    message.msg_control = room;
    message.msg_controllen = sizeof(room);
    ASSERT_EQ(::recvmsg(receiver.get(), &message, MSG_CMSG_CLOEXEC), 1);
    std::vector<int> numbers;
    {
      const auto taken = take_descriptors(message);
      ASSERT_EQ(taken.size(), std::min<std::size_t>(count, 2));
      for (const auto& fd : taken) numbers.push_back(fd.get());
      for (const int number : numbers) EXPECT_GE(::fcntl(number, F_GETFD), 0);
    }
    for (const int number : numbers) EXPECT_LT(::fcntl(number, F_GETFD), 0);
    EXPECT_EQ((message.msg_flags & MSG_CTRUNC) != 0, count > 2);
  }
}

TEST(Base64, RoundTripsEveryLength) {
  for (std::size_t length = 0; length < 70; ++length) {
    const std::string bytes = random_bytes(length);
    EXPECT_EQ(base64_decode(base64_encode(bytes)).value(), bytes);
  }
  EXPECT_EQ(base64_encode("hello"), "aGVsbG8=");
}

TEST(Base64, RefusesWhatIsNotBase64) {
  EXPECT_FALSE(base64_decode("a"));
  EXPECT_FALSE(base64_decode("a$b="));
  EXPECT_FALSE(base64_decode("a=b="));
}

TEST(Percent, EncodesAndDecodes) {
  EXPECT_EQ(percent_encode("a b/%é"), "a%20b%2F%25%C3%A9");
  EXPECT_EQ(percent_encode("a/b", "/"), "a/b");
  EXPECT_EQ(percent_decode("a%20b%2f"), "a b/");
  EXPECT_EQ(percent_decode("100%zz%"), "100%zz%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
}

TEST(Utf8, TellsValidFromInvalid) {
  EXPECT_TRUE(is_valid_utf8("héllo \xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xE2\x82"));
  // Wherever it stands in a long one.
  const std::string plain(40, 'x');
  for (std::size_t i = 0; i <= plain.size(); ++i) {
    auto text = plain;
    EXPECT_TRUE(is_valid_utf8(text.insert(i, "\xF0\x9F\x98\x80"))) << i;
    text = plain;
    EXPECT_FALSE(is_valid_utf8(text.insert(i, "\xF0\x9F\x98"))) << i;
  }
}

TEST(Utf8, IsRepairedByteByByte) {
  EXPECT_EQ(repair_utf8("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(repair_utf8("a\xFF\xE2\x82z"), "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST(Utf8, IsShownWithoutControlCharacters) {
  EXPECT_EQ(escape_controls("h\xC3\xA9 \\ \xF0\x9F\x98\x80"), "h\xC3\xA9 \\ \xF0\x9F\x98\x80");
  EXPECT_EQ(escape_controls(std::string_view("a\n\r\t\0\x1B[m\x7F", 9)),
            "a\\n\\r\\t\\x00\\x1B[m\\x7F");
  EXPECT_EQ(escape_controls("\xC2\x9B"
                            "\xFF"),
            "\\xC2\\x9B\\xFF");
}

TEST(Utf8, IsCutBetweenCharacters) {
  EXPECT_EQ(last_of_utf8("a\xE2\x82\xAC"
                         "b",
                         9),
            "a\xE2\x82\xAC"
            "b");
  EXPECT_EQ(last_of_utf8("a\xE2\x82\xAC"
                         "b",
                         4),
            "\xE2\x82\xAC"
            "b");
  EXPECT_EQ(last_of_utf8("a\xE2\x82\xAC"
                         "b",
                         3),
            "b");
  EXPECT_EQ(last_of_utf8("abc", 0), "");
  EXPECT_EQ(first_of_utf8("a\xE2\x82\xAC", 4), "a\xE2\x82\xAC");
  EXPECT_EQ(first_of_utf8("a\xE2\x82\xAC", 3), "a");
  EXPECT_EQ(first_of_utf8("\xE2\x82\xAC", 2), "");
  EXPECT_EQ(first_of_utf8("abc", 0), "");
}

TEST(Crypto, KnownDigests) {
  EXPECT_EQ(hex_encode(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256Stream stream;
  stream.update("a");
  stream.update("bc");
  EXPECT_EQ(stream.finish(), sha256("abc"));
  EXPECT_EQ(hex_encode(hmac_sha256("key", "The quick brown fox jumps over the lazy dog")),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

TEST(Crypto, SealedValuesOpenOnlyUnderTheirKeyAndContext) {
  const std::string key = random_bytes(32);
  const std::string sealed = seal(key, "secret", "row 1");
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  EXPECT_EQ(unseal(key, sealed, "row 1").value(), "secret");
  EXPECT_FALSE(unseal(key, sealed, "row 2"));
  EXPECT_FALSE(unseal(random_bytes(32), sealed, "row 1"));
  std::string changed = sealed;
  changed[14] = static_cast<char>(changed[14] ^ 1);
  EXPECT_FALSE(unseal(key, changed, "row 1"));
  EXPECT_FALSE(unseal(key, "short", "row 1"));
}

TEST(Error, ContextComesFirst) {
  Result<int> result = fail(Error::from_errno("open /x", ENOENT), "read configuration {}", "c");
  EXPECT_EQ(result.error().message(), "read configuration c: open /x: No such file or directory");
  EXPECT_EQ(result.error().code(), ErrorCode::not_found);
}

Task<void> wait_for(AsyncEvent& event, std::chrono::milliseconds limit, bool& result) {
  result = co_await event.wait_until(std::chrono::steady_clock::now() + limit);
}

TEST(AsyncEvent, WakesEveryWaiterAndTimesOut) {
  Loop loop;
  AsyncEvent event;
  AsyncEvent never;
  bool first = false;
  bool second = false;
  bool third = true;
  asio::co_spawn(loop, wait_for(event, std::chrono::hours(1), first), asio::detached);
  asio::co_spawn(loop, wait_for(event, std::chrono::hours(1), second), asio::detached);
  asio::co_spawn(loop, wait_for(never, std::chrono::milliseconds(1), third), asio::detached);
  asio::post(loop, [&event] { event.set(); });
  loop.run();
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(third);
}

Task<void> ask_worker(BlockingPool& pool, std::thread::id& worker, std::thread::id& after) {
  auto job = [] { return std::this_thread::get_id(); };
  worker = co_await run_blocking(pool, std::move(job));
  after = std::this_thread::get_id();
}

TEST(BlockingPool, RunsElsewhereAndComesBack) {
  BlockingPool pool("test", 1);
  Loop loop;
  std::thread::id worker;
  std::thread::id after;
  // The loop must not run dry while the worker has the job.
  auto guard = asio::make_work_guard(loop);
  auto stop = [&guard](std::exception_ptr) { guard.reset(); };
  asio::co_spawn(loop, ask_worker(pool, worker, after), stop);
  loop.run();
  EXPECT_NE(worker, std::this_thread::get_id());
  EXPECT_EQ(after, std::this_thread::get_id());
}

Task<void> ask_sized(BlockingPool& pool, std::size_t bytes, std::thread::id& worker) {
  auto job = [] { return std::this_thread::get_id(); };
  worker = co_await run_sized(pool, bytes, std::move(job));
}

TEST(BlockingPool, TakesWhatIsLargeAndLeavesWhatIsSmall) {
  BlockingPool pool("test", 1);
  for (const bool large : {false, true}) {
    Loop loop;
    std::thread::id worker;
    auto guard = asio::make_work_guard(loop);
    auto stop = [&guard](std::exception_ptr) { guard.reset(); };
    asio::co_spawn(loop, ask_sized(pool, kBytesOnLoop + (large ? 1 : 0), worker), stop);
    loop.run();
    EXPECT_EQ(worker != std::this_thread::get_id(), large);
  }
}

Task<void> ask_thrower(BlockingPool& pool, bool& caught) {
  auto job = []() -> int { throw std::runtime_error("no"); };
  try {
    co_await run_blocking(pool, std::move(job));
  } catch (const std::runtime_error&) {
    caught = true;
  }
}

TEST(BlockingPool, RethrowsInTheCoroutine) {
  BlockingPool pool("test", 1);
  Loop loop;
  bool caught = false;
  auto guard = asio::make_work_guard(loop);
  auto stop = [&guard](std::exception_ptr) { guard.reset(); };
  asio::co_spawn(loop, ask_thrower(pool, caught), stop);
  loop.run();
  EXPECT_TRUE(caught);
}

Task<void> fall(bool falls) {
  co_await sleep_for(std::chrono::milliseconds(0));
  if (falls) throw std::runtime_error("no more room");
}

struct Seen {
  int value = 0;
  bool interrupted = false;
  bool ended = false;
};

Task<void> ask_and_wait(BlockingPool& pool, std::shared_future<void> go, bool deaf,
                        AsyncEvent& later, Seen& seen) {
  if (deaf) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto job = [go = std::move(go)] {
    go.wait();
    return 7;
  };
  seen.value = co_await run_blocking(pool, std::move(job));
  try {
    const bool came = co_await later.wait();
    seen.interrupted = !came;
  } catch (const boost::system::system_error&) {
    seen.interrupted = true;
  }
  seen.ended = true;
}

// The job's value comes in both cases; then the cancellation is there, or as deaf as it was asked.
TEST(BlockingPool, LeavesTheCallersCancellationAsItIs) {
  BlockingPool pool("test", 1);
  for (const bool deaf : {false, true}) {
    Loop loop;
    auto guard = asio::make_work_guard(loop);
    std::promise<void> go;
    asio::cancellation_signal cancel;
    AsyncEvent later;
    Seen seen;
    asio::co_spawn(loop, ask_and_wait(pool, go.get_future().share(), deaf, later, seen),
                   asio::bind_cancellation_slot(cancel.slot(), [](std::exception_ptr) {}));
    loop.poll();
    cancel.emit(asio::cancellation_type::terminal);
    loop.poll();
    EXPECT_EQ(seen.value, 0);
    go.set_value();
    while (seen.value == 0) loop.run_one();
    loop.poll();
    EXPECT_EQ(seen.value, 7);
    EXPECT_EQ(seen.ended, !deaf);
    if (deaf) cancel.emit(asio::cancellation_type::terminal);
    later.set();
    loop.poll();
    EXPECT_TRUE(seen.ended);
    EXPECT_EQ(seen.interrupted, !deaf);
  }
}

TEST(InBackground, LogsWhatEndsACoroutineThatNobodyWaitsFor) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log)));
  Loop loop;
  asio::co_spawn(loop, fall(false), in_background("the quiet one"));
  asio::co_spawn(loop, fall(true), in_background("the reaper"));
  loop.run();
  spdlog::set_default_logger(before);
  EXPECT_NE(log.str().find("the reaper ended by an exception: no more room"), std::string::npos);
  EXPECT_EQ(log.str().find("the quiet one"), std::string::npos);
}

}  // namespace
}  // namespace lambda
