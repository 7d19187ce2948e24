#include "sandbox/image/unpack_stream.h"

#include "base/background.h"
#include "base/deadline.h"
#include "http/deadline.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include <exception>
#include <memory>
#include <sys/socket.h>
#include <utility>

namespace lambda::sandbox::image {
namespace {

using LocalSocket = asio::basic_stream_socket<asio::local::stream_protocol, LoopExecutor>;

Error stuck() {
  return Error(ErrorCode::timeout,
               "the unpacking is stuck: is the disk that holds the data directory in order?");
}

// Shared with the unpacking, which may outlive whoever waits for it.
struct Shared {
  explicit Shared(Unpacking given) : unpacking(std::move(given)) {}
  Unpacking unpacking;
  Result<Done> outcome = Done{};
  AsyncEvent done;
  bool failed = false;  // nobody waits any more
};

Task<void> unpack_beside(BlockingPool& pool, std::shared_ptr<Shared> shared, UniqueFd source) {
  const auto descriptor = std::make_shared<UniqueFd>(std::move(source));
  auto job = [descriptor, shared]() -> Result<Done> {
    Result<Done> done = Done{};
    try {
      done = shared->unpacking.unpack(descriptor->get());
    } catch (const std::exception& error) {
      done = fail(ErrorCode::internal, "unpack: {}", error.what());
    }
    descriptor->reset();  // whoever still writes learns that nobody reads
    return done;
  };
  shared->outcome = co_await run_blocking(pool, std::move(job));
  shared->done.set();
  if (shared->failed) shared->unpacking.clear_up();
}

}  // namespace

Task<Result<Done>> pass_on(NextPiece next, UniqueFd to,
                           std::chrono::steady_clock::duration patience) {
  const auto executor = co_await asio::this_coro::executor;
  LocalSocket socket(executor);
  boost::system::error_code refused;
  socket.assign(asio::local::stream_protocol(), to.get(), refused);
  if (refused)
    co_return fail(ErrorCode::internal, "watch the way to the unpacking: {}", refused.message());
  [[maybe_unused]] const int owned = to.release();
  auto give_up = [&socket] {
    boost::system::error_code ignored;
    socket.cancel(ignored);
  };
  http::Deadline deadline(executor, give_up);
  while (true) {
    auto piece = co_await next();
    if (!piece) co_return fail(std::move(piece.error()));
    if (piece->empty()) co_return Done{};
    deadline.expire_after(patience);
    auto [error, count] = co_await asio::async_write(socket, asio::buffer(*piece), kAsTuple);
    if (deadline.expired()) co_return fail(stuck());
    deadline.clear();
    // The unpacking has ended early, and says why.
    if (error) co_return Done{};
  }
}

Task<Result<Done>> unpack_stream(BlockingPool& pool, NextPiece next, Unpacking unpacking) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    auto error = Error::from_errno("make a socket pair");
    unpacking.clear_up();
    co_return fail(std::move(error));
  }
  UniqueFd write_end(ends[0]);
  const auto patience = unpacking.patience;
  const auto shared = std::make_shared<Shared>(std::move(unpacking));
  const auto executor = co_await asio::this_coro::executor;
  asio::co_spawn(executor, unpack_beside(pool, shared, UniqueFd(ends[1])),
                 in_background("unpacking an image"));
  auto passed = co_await pass_on(std::move(next), std::move(write_end), patience);
  const bool ended = co_await shared->done.wait_until(in(patience));
  if (passed && !ended) passed = fail(stuck());
  if (passed) passed = std::move(shared->outcome);
  if (passed) co_return passed;
  shared->failed = true;
  if (ended) shared->unpacking.clear_up();
  co_return passed;
}

}  // namespace lambda::sandbox::image
