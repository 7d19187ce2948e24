#include "base/async.h"
#include "base/blocking.h"
#include "base/crypto.h"
#include "base/descriptor_message.h"
#include "base/encoding.h"
#include "base/result.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fcntl.h>
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

}  // namespace
}  // namespace lambda
