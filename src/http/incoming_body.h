// The body of the message whose head a Parser has just read, from a stream and what was read ahead.
// Included by .cc files of http/ alone.
#pragma once

#include "http/deadline.h"
#include "http/parser.h"
#include "http/socket.h"

#include <boost/beast/core/flat_buffer.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/types.h>
#include <type_traits>

namespace lambda::http {

template <class Stream, bool is_request>
class IncomingBody {
 public:
  // All of them outlive it; `deadline` is for reading alone. Call begin() once the head is parsed.
  IncomingBody(Stream& stream, Deadline& deadline, boost::beast::flat_buffer& ahead)
      : stream_(stream), deadline_(deadline), ahead_(ahead) {}

  void begin(Parser<is_request>& parser) {
    parser_ = &parser;
    failed_ = false;
    declared_.reset();
    if (parser.is_done()) {
      shape_ = Shape::done;
      if (const auto length = parser.content_length()) declared_ = *length;
      if (is_request) declared_ = 0;
    } else if (parser.chunked()) {
      shape_ = Shape::chunked;
    } else if (const auto length = parser.content_length()) {
      shape_ = Shape::length;
      declared_ = *length;
      left_ = *length;
    } else {
      shape_ = Shape::to_the_end;
    }
  }

  [[nodiscard]] bool done() const { return shape_ == Shape::done; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::optional<std::size_t> declared_length() const { return declared_; }
  // Bytes still to come; nothing where the sender did not say.
  [[nodiscard]] std::optional<std::uint64_t> left() const {
    if (shape_ == Shape::done) return 0;
    return shape_ == Shape::length ? std::optional(left_) : std::nullopt;
  }

  // The next bytes, "" at the end. `silence` is the longest wait for them, however many bytes of a
  // chunk's head or of trailers come meanwhile; zero: any time.
  Task<Result<std::string>> read_some(std::chrono::steady_clock::duration silence) {
    if (failed_) co_return fail(ErrorCode::unavailable, "read the body: the connection is broken");
    const auto until = std::chrono::steady_clock::now() + silence;
    std::string bytes;
    while (shape_ != Shape::done) {
      if (ahead_.size() > 0) {
        if (auto refusal = take_ahead(bytes)) co_return fail(std::move(*refusal));
        if (!bytes.empty()) co_return bytes;
        if (shape_ == Shape::done) break;
      }
      const bool direct = shape_ != Shape::chunked;
      if (direct) bytes.resize(std::min(kWaitingRead, read_size()));
      const auto space =
          direct ? asio::buffer(bytes) : asio::mutable_buffer(ahead_.prepare(kChunkedRead));
      if (silence.count() > 0) deadline_.expire_at(until);
      auto [error, count] = co_await stream_.async_read_some(space, kAsTuple);
      const bool expired = deadline_.expired();
      deadline_.clear();
      if (error) {
        if (error == asio::error::eof && shape_ == Shape::to_the_end) {
          shape_ = Shape::done;
          break;
        }
        failed_ = true;
        co_return fail(stream_error(error, expired, "read the body"));
      }
      if (!direct) {
        ahead_.commit(count);
        continue;
      }
      bytes.resize(count);
      if (count == kWaitingRead) take_what_is_there(bytes);
      count_down(bytes.size());
      co_return bytes;
    }
    co_return std::string();
  }

 private:
  enum class Shape { done, length, chunked, to_the_end };
  static constexpr std::size_t kChunkedRead = 16 * 1024;
  static constexpr std::size_t kLargestRead = 64 * 1024;
  // What may never come gets no more memory than this.
  static constexpr std::size_t kWaitingRead = 4 * 1024;
  // A chunk's head, or the trailers, that do not end within this are refused: what is kept of them
  // is in no budget.
  static constexpr std::size_t kLongestChunkHead = 8 * 1024;

  [[nodiscard]] std::size_t read_size() const {
    if (shape_ == Shape::to_the_end) return kChunkedRead;
    return static_cast<std::size_t>(std::min<std::uint64_t>(left_, kLargestRead));
  }

  // Adds what has come behind `bytes`, without waiting. An error shows with the next read.
  void take_what_is_there(std::string& bytes) {
    if constexpr (std::is_same_v<Stream, Socket>) {
      const auto count = bytes.size();
      bytes.resize(std::max(count, read_size()));
      // Never waits, whether or not the socket was made to: not every way to one does.
      const auto more =
          ::recv(stream_.native_handle(), bytes.data() + count, bytes.size() - count, MSG_DONTWAIT);
      bytes.resize(count + static_cast<std::size_t>(std::max<ssize_t>(more, 0)));
    }
  }

  void count_down(std::size_t count) {
    if (shape_ != Shape::length) return;
    left_ -= count;
    if (left_ == 0) shape_ = Shape::done;
  }

  // Moves what was read ahead to `bytes`; an error where the chunks are malformed.
  std::optional<Error> take_ahead(std::string& bytes) {
    if (shape_ == Shape::chunked) return take_chunks(bytes);
    std::size_t count = ahead_.size();
    if (shape_ == Shape::length) {
      count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, count));
    }
    bytes.assign(static_cast<const char*>(ahead_.data().data()), count);
    ahead_.consume(count);
    count_down(count);
    return std::nullopt;
  }

  std::optional<Error> take_chunks(std::string& bytes) {
    boost::system::error_code error;
    while (ahead_.size() > 0 && !parser_->is_done() && !error) {
      const auto used = parser_->put(ahead_.data(), error);
      ahead_.consume(used);
    }
    if (error == bhttp::error::need_more && ahead_.size() > kLongestChunkHead) {
      error = bhttp::error::bad_chunk;
    }
    if (error && error != bhttp::error::need_more) {
      failed_ = true;
      return Error(ErrorCode::invalid, "the body's chunks are malformed: " + error.message());
    }
    if (parser_->is_done()) shape_ = Shape::done;
    bytes = std::exchange(parser_->chunk_data, {});
    return std::nullopt;
  }

  Stream& stream_;
  Deadline& deadline_;
  boost::beast::flat_buffer& ahead_;
  Parser<is_request>* parser_ = nullptr;
  Shape shape_ = Shape::done;
  std::optional<std::size_t> declared_;
  std::uint64_t left_ = 0;
  bool failed_ = false;
};

}  // namespace lambda::http
