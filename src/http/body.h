// Bodies as streams: BodyReader is what comes in, and a buffered body is the simple case of it.
// One coroutine at a time uses a reader; it belongs to the loop of its connection.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace lambda::http {

class Headers;

class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // The next bytes, as they come; an empty string at the end of the body (and ever after).
  // Errors: unavailable (the other side went away), timeout (nothing came for the connection's body
  // deadline), invalid (a malformed chunk).
  virtual Task<Result<std::string>> read_some() = 0;
  // Asks for room to hold so many bytes of it in memory until the request is answered. Whoever
  // collects a body says so, with 0 before the first piece: what is held has to come at a least
  // rate, too. Errors: no_room.
  virtual Result<Done> hold([[maybe_unused]] std::size_t bytes) { return Done{}; }
  // Nothing of it is held any more, although the request is not answered yet.
  virtual void let_go() {}
  // The length that the sender declared, where it did.
  [[nodiscard]] virtual std::optional<std::size_t> declared_length() const = 0;
  // The fields after the last chunk, once the end has been read; null where there can be none.
  [[nodiscard]] virtual const Headers* trailers() const { return nullptr; }
};

// A body that is already in memory.
class BufferedBody final : public BodyReader {
 public:
  explicit BufferedBody(std::string bytes) : bytes_(std::move(bytes)), length_(bytes_.size()) {}
  Task<Result<std::string>> read_some() override { co_return std::exchange(bytes_, {}); }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override { return length_; }

 private:
  std::string bytes_;
  std::size_t length_;
};

// Reads to the end, and holds what it reads (see BodyReader::hold). Errors: too_large as soon as
// more than `limit` bytes have come, or are declared; no_room; those of read_some().
Task<Result<std::string>> read_all(BodyReader& body, std::size_t limit);

// Bytes both ways with no more HTTP in between: what is left of a connection after an upgrade.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // An empty string at the end.
  virtual Task<Result<std::string>> read_some() = 0;
  virtual Task<Result<std::size_t>> write(std::string bytes) = 0;
  // Ends the sending direction; reading goes on.
  virtual void shutdown_send() = 0;
  // Wakes a pending read and ends both directions. Same loop.
  virtual void close() = 0;
};

// Copies both ways until both directions ended, one failed, or nothing moved for `idle`. It cannot
// be cancelled, because it waits for both its copies: close() one of the streams instead.
Task<void> tunnel(ByteStream& left, ByteStream& right, std::chrono::steady_clock::duration idle);

}  // namespace lambda::http
