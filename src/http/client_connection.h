// ClientConnection over one kind of stream (plain or TLS). Included by client.cc alone.
//
// Steps of an exchange: write the head, with a small buffered body in the same segment -> send any
// other body from a coroutine of its own -> read heads until one is not 1xx -> leave the body to
// body().
#pragma once

#include "http/client.h"
#include "http/incoming_body.h"
#include "http/request_text.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/beast/core/buffers_to_string.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lambda::http {

template <class Stream>
class ClientConnectionOver final : public ClientConnection, private BodyReader {
 public:
  explicit ClientConnectionOver(std::shared_ptr<Stream> stream)
      : stream_(stream),
        sending_(std::make_shared<Sending>(stream)),
        deadline_(stream->get_executor(), closer(stream)),
        incoming_(*stream_, deadline_, ahead_) {}

  ~ClientConnectionOver() override {
    sending_->abandoned = true;
    if (!given_away_) close();
  }
  ClientConnectionOver(const ClientConnectionOver&) = delete;
  ClientConnectionOver& operator=(const ClientConnectionOver&) = delete;

  Task<Result<Response>> exchange(Request request, BodyReader& body,
                                  std::chrono::steady_clock::time_point head_deadline) override;

  Task<void> stop_sending() override {
    if (!sending_->running) co_return;
    sending_->abandoned = true;
    sending_->cancel.emit(asio::cancellation_type::terminal);
    co_await sending_->ended.wait();
  }

  [[nodiscard]] bool request_body_failed() const override {
    return sending_->body_error.has_value();
  }

  BodyReader& body(std::chrono::steady_clock::duration idle) override {
    idle_ = idle;
    return *this;
  }

  std::unique_ptr<ByteStream> take_stream() override {
    given_away_ = true;
    reusable_ = false;
    auto ahead = boost::beast::buffers_to_string(ahead_.data());
    ahead_.consume(ahead_.size());
    return std::make_unique<StreamTunnelEnd<Stream>>(stream_, std::move(ahead));
  }

  [[nodiscard]] bool reusable() const override { return reusable_; }

  void close() override {
    reusable_ = false;
    close_stream(*stream_);
    if (sending_->running) sending_->cancel.emit(asio::cancellation_type::terminal);
  }

 private:
  static constexpr std::size_t kSentAtOnce = 64 * 1024;
  static constexpr std::size_t kHeadLimit = 256 * 1024;
  static constexpr std::size_t kHeadRead = 4 * 1024;
  // Without progress of a body that is being sent.
  static constexpr std::chrono::seconds kSendSilence{60};

  // What the sending coroutine uses; it may outlive the connection.
  struct Sending {
    explicit Sending(std::shared_ptr<Stream> to)
        : stream(to), deadline(to->get_executor(), closer(to)) {}
    std::shared_ptr<Stream> stream;
    Deadline deadline;
    asio::cancellation_signal cancel;
    AsyncEvent ended;
    bool running = false;
    bool abandoned = false;  // the body is not to be touched any more
    bool whole = false;      // all of it was sent
    std::optional<Error> body_error;
  };

  static void close_stream(Stream& stream) {
    if constexpr (requires { stream.next_layer(); }) {
      close_socket(stream.next_layer());
    } else {
      close_socket(stream);
    }
  }
  static std::function<void()> closer(const std::shared_ptr<Stream>& stream) {
    return [weak = std::weak_ptr<Stream>(stream)] {
      if (const auto held = weak.lock()) close_stream(*held);
    };
  }

  static Task<void> send_body(std::shared_ptr<Sending> sending, BodyReader& body, bool chunked,
                              std::optional<std::size_t> length);
  void start_sending(BodyReader& body, bool chunked, std::optional<std::size_t> length);
  Task<Result<Response>> read_response(bool head_only,
                                       std::chrono::steady_clock::time_point deadline);
  Task<Result<Done>> read_head(std::chrono::steady_clock::time_point deadline);

  // BodyReader, of the response
  Task<Result<std::string>> read_some() override {
    auto piece = co_await incoming_.read_some(idle_);
    if (incoming_.done() && sending_->running) co_await stop_sending();
    settle();
    co_return piece;
  }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override {
    return incoming_.declared_length();
  }
  void settle() {
    reusable_ = !given_away_ && incoming_.done() && !incoming_.failed() && sending_->whole &&
                parser_->keep_alive() && ahead_.size() == 0;
  }

  std::shared_ptr<Stream> stream_;
  std::shared_ptr<Sending> sending_;
  Deadline deadline_;
  boost::beast::flat_buffer ahead_;
  std::optional<Parser<false>> parser_;
  IncomingBody<Stream, false> incoming_;
  std::chrono::steady_clock::duration idle_{};
  bool reusable_ = false;
  bool given_away_ = false;
};

template <class Stream>
Task<void> ClientConnectionOver<Stream>::send_body(std::shared_ptr<Sending> sending,
                                                   BodyReader& body, bool chunked,
                                                   std::optional<std::size_t> length) {
  std::size_t sent_bytes = 0;
  while (!sending->abandoned) {
    auto piece = co_await body.read_some();
    if (sending->abandoned) co_return;
    if (!piece) {
      sending->body_error = std::move(piece.error());
      break;
    }
    const bool last = piece->empty();
    sent_bytes += piece->size();
    if (!chunked && length && (sent_bytes > *length || (last && sent_bytes < *length))) {
      sending->body_error =
          Error(ErrorCode::invalid, "the body's length is not the one that was declared");
      break;
    }
    std::string head;
    if (chunked) {
      head = last ? "0\r\n\r\n" : fmt::format("{:x}\r\n", piece->size());
      if (!last) *piece += "\r\n";
    }
    Pace pace(kSendSilence, 0);
    auto sent = co_await write_all(*sending->stream, sending->deadline, pace, head, *piece);
    if (!sent) co_return;  // the reading side learns why, or gets the refusal that explains it
    if (last) {
      sending->whole = true;
      co_return;
    }
  }
  // Half a request must not look like a whole one.
  close_stream(*sending->stream);
}

template <class Stream>
void ClientConnectionOver<Stream>::start_sending(BodyReader& body, bool chunked,
                                                 std::optional<std::size_t> length) {
  sending_->running = true;
  sending_->ended.reset();
  auto on_end = [sending = sending_](const std::exception_ptr&) {
    sending->running = false;
    sending->ended.set();
  };
  asio::co_spawn(stream_->get_executor(), send_body(sending_, body, chunked, length),
                 asio::bind_cancellation_slot(sending_->cancel.slot(), std::move(on_end)));
}

template <class Stream>
Task<Result<Response>> ClientConnectionOver<Stream>::exchange(
    Request request, BodyReader& body, std::chrono::steady_clock::time_point head_deadline) {
  co_await stop_sending();
  reusable_ = false;
  sending_->abandoned = false;
  sending_->whole = false;
  sending_->body_error.reset();
  auto text = request_text(request, body.declared_length());
  if (!text) co_return fail(std::move(text.error()));
  std::string first;
  bool streams = text->chunked || text->length.value_or(0) > 0;
  if (streams && !text->chunked && *text->length <= kSentAtOnce &&
      dynamic_cast<BufferedBody*>(&body) != nullptr) {
    auto piece = co_await body.read_some();
    if (!piece) co_return fail(std::move(piece.error()));
    first = std::move(*piece);
    streams = false;
    if (first.size() != *text->length) {
      co_return fail(ErrorCode::invalid, "the body's length is not the one that was declared");
    }
  }
  const auto patience = head_deadline - std::chrono::steady_clock::now();
  Pace pace(std::max(patience, decltype(patience)(1)), 0);
  auto sent = co_await write_all(*stream_, sending_->deadline, pace, text->bytes, first);
  if (sent && streams) start_sending(body, text->chunked, text->length);
  if (sent && !streams) sending_->whole = true;
  auto response = co_await read_response(request.method == "HEAD", head_deadline);
  if (!response || response->status >= 300) co_await stop_sending();
  if (sending_->body_error) {
    co_return fail(Error(*sending_->body_error), "send the request's body");
  }
  if (!response && !sent) co_return fail(std::move(sent.error()));
  if (response) settle();
  co_return response;
}

template <class Stream>
Task<Result<Response>> ClientConnectionOver<Stream>::read_response(
    bool head_only, std::chrono::steady_clock::time_point deadline) {
  while (true) {
    parser_.emplace(kHeadLimit);
    if (head_only) parser_->skip(true);
    auto read = co_await read_head(deadline);
    deadline_.clear();
    if (!read) co_return fail(std::move(read.error()));
    auto response = std::move(parser_->message);
    if (response.status >= 200 || response.status == 101) {
      incoming_.begin(*parser_);
      co_return response;
    }
  }
}

template <class Stream>
Task<Result<Done>> ClientConnectionOver<Stream>::read_head(
    std::chrono::steady_clock::time_point deadline) {
  while (true) {
    boost::system::error_code error = bhttp::error::need_more;
    if (ahead_.size() > 0) {
      const auto used = parser_->put(ahead_.data(), error);
      ahead_.consume(used);
    }
    if (!error && parser_->is_header_done()) co_return Done{};
    if (error && error != bhttp::error::need_more) {
      co_return fail(ErrorCode::invalid, "the answer is not HTTP: {}", error.message());
    }
    const auto space = ahead_.prepare(kHeadRead);
    deadline_.expire_at(deadline);
    auto [read_error, count] = co_await stream_->async_read_some(space, kAsTuple);
    if (read_error) {
      co_return fail(stream_error(read_error, deadline_.expired(), "wait for the answer"));
    }
    ahead_.commit(count);
  }
}

}  // namespace lambda::http
