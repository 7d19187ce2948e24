// The socket type of this folder: any connected stream socket (TCP, unix, adopted) on a concrete
// executor. One loop only.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/body.h"
#include "http/deadline.h"
#include "http/pace.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace lambda::http {

using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, LoopExecutor>;

// Takes a connected descriptor over; TCP gets TCP_NODELAY. Errors: internal (not a stream socket).
Result<Done> assign(Socket& socket, UniqueFd fd);

// Wakes whatever waits on it and ends both directions. More than once is fine.
void close_socket(Socket& socket);

// Wakes whatever waits on it, and leaves it open.
void cancel_waits(Socket& socket);

// `what` is what was tried ("read the request's body"); `expired` says that our deadline ended it.
[[nodiscard]] Error stream_error(const boost::system::error_code& error, bool expired,
                                 std::string_view what);

// What the kernel takes at once of two adjacent pieces, without waiting: the number of bytes, 0
// when its buffer is full or the connection broken (the write that follows says which).
[[nodiscard]] std::size_t send_at_once(Socket& socket, std::string_view first,
                                       std::string_view second);

// Writes two adjacent pieces, which must live until it returns. `pace` outlives it; `deadline` is
// for writing alone, since a read beside it would set and clear it, too. Errors: timeout,
// unavailable.
template <class Stream>
Task<Result<std::size_t>> write_all(Stream& stream, Deadline& deadline, Pace& pace,
                                    std::string_view first, std::string_view second) {
  const std::size_t total = first.size() + second.size();
  while (!first.empty() || !second.empty()) {
    const std::array<asio::const_buffer, 2> pieces = {asio::buffer(first), asio::buffer(second)};
    deadline.expire_after(pace.left());
    const auto begin = std::chrono::steady_clock::now();
    auto [error, count] = co_await stream.async_write_some(pieces, kAsTuple);
    if (error) {
      const bool expired = deadline.expired();
      deadline.clear();
      co_return fail(stream_error(error, expired, "write to the connection"));
    }
    pace.moved(std::chrono::steady_clock::now() - begin, count);
    const std::size_t of_first = count < first.size() ? count : first.size();
    first.remove_prefix(of_first);
    second.remove_prefix(count - of_first);
  }
  deadline.clear();
  co_return total;
}

// What is left of a connection after an upgrade: first the bytes that were read ahead, then the
// stream. It shares the stream with the connection that gave it away, which may close it.
template <class Stream>
class StreamTunnelEnd final : public ByteStream {
 public:
  StreamTunnelEnd(std::shared_ptr<Stream> stream, std::string read_ahead)
      : stream_(std::move(stream)), read_ahead_(std::move(read_ahead)) {}
  ~StreamTunnelEnd() override { close_socket(lowest(*stream_)); }
  StreamTunnelEnd(const StreamTunnelEnd&) = delete;
  StreamTunnelEnd& operator=(const StreamTunnelEnd&) = delete;

  Task<Result<std::string>> read_some() override {
    if (!read_ahead_.empty()) co_return std::exchange(read_ahead_, {});
    const auto stream = stream_;
    std::string bytes(kReadBytes, '\0');
    auto [error, count] = co_await stream->async_read_some(asio::buffer(bytes), kAsTuple);
    if (error == asio::error::eof) co_return std::string();
    if (error) co_return fail(stream_error(error, false, "read from the tunnel"));
    bytes.resize(count);
    co_return bytes;
  }

  Task<Result<std::size_t>> write(std::string bytes) override {
    const auto stream = stream_;
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto rest = asio::buffer(bytes) + done;
      auto [error, count] = co_await stream->async_write_some(rest, kAsTuple);
      if (error) co_return fail(stream_error(error, false, "write to the tunnel"));
      done += count;
    }
    co_return done;
  }

  void shutdown_send() override {
    boost::system::error_code ignored;
    lowest(*stream_).shutdown(asio::socket_base::shutdown_send, ignored);
  }

  void close() override { close_socket(lowest(*stream_)); }

 private:
  static constexpr std::size_t kReadBytes = 16 * 1024;
  static Socket& lowest(Stream& stream) {
    if constexpr (requires { stream.next_layer(); }) {
      return stream.next_layer();
    } else {
      return stream;
    }
  }

  std::shared_ptr<Stream> stream_;
  std::string read_ahead_;
};

}  // namespace lambda::http
