#include "http/body.h"

#include "base/background.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace lambda::http {

Task<Result<std::string>> read_all(BodyReader& body, std::size_t limit) {
  const auto declared = body.declared_length();
  if (declared && *declared > limit) {
    co_return fail(ErrorCode::too_large, "the body has {} bytes, more than the {} that are taken",
                   *declared, limit);
  }
  if (auto room = body.hold(0); !room) co_return fail(std::move(room.error()));
  std::string all;
  while (true) {
    auto piece = co_await body.read_some();
    if (!piece) co_return fail(std::move(piece.error()));
    if (piece->empty()) co_return all;
    if (all.size() + piece->size() > limit) {
      co_return fail(ErrorCode::too_large, "the body has more than the {} bytes that are taken",
                     limit);
    }
    if (auto room = body.hold(all.size() + piece->size()); !room) {
      co_return fail(std::move(room.error()));
    }
    if (all.empty() && piece->size() >= declared.value_or(piece->size())) {
      all = std::move(*piece);
    } else {
      // Memory that nothing was written to yet costs nothing; growing by copies would.
      if (declared && all.empty()) all.reserve(*declared);
      all += *piece;
    }
  }
}

namespace {

// Shared by the two directions and the watcher; the streams outlive them, because tunnel() waits
// for all three.
struct TunnelState {
  std::chrono::steady_clock::time_point moved = std::chrono::steady_clock::now();
  int running = 2;
  AsyncEvent ended;
};

Task<void> copy(ByteStream& from, ByteStream& to, std::shared_ptr<TunnelState> state) {
  bool failed = false;
  while (!failed) {
    auto bytes = co_await from.read_some();
    if (!bytes || bytes->empty()) {
      failed = !bytes;
      break;
    }
    state->moved = std::chrono::steady_clock::now();
    auto written = co_await to.write(std::move(*bytes));
    failed = !written;
    state->moved = std::chrono::steady_clock::now();
  }
  if (failed) {
    from.close();
    to.close();
  } else {
    to.shutdown_send();
  }
  if (--state->running == 0) state->ended.set();
}

}  // namespace

Task<void> tunnel(ByteStream& left, ByteStream& right, std::chrono::steady_clock::duration idle) {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto state = std::make_shared<TunnelState>();
  asio::co_spawn(executor, copy(left, right, state), in_background("a direction of a tunnel"));
  asio::co_spawn(executor, copy(right, left, state), in_background("a direction of a tunnel"));
  while (!co_await state->ended.wait_until(state->moved + idle)) {
    if (std::chrono::steady_clock::now() - state->moved < idle) continue;
    left.close();
    right.close();
    co_await state->ended.wait();
    break;
  }
}

}  // namespace lambda::http
