// ConnectionWriter: the ResponseWriter of one request. Included by .cc files of http/ alone.
#pragma once

#include "http/connection.h"
#include "http/response_text.h"

#include <functional>
#include <memory>
#include <utility>

namespace lambda::http {

// The body of the request that a connection serves.
class RequestBody final : public BodyReader {
 public:
  RequestBody(Connection& connection, bool expects_continue);

  Task<Result<std::string>> read_some() override;
  Result<Done> hold(std::size_t bytes) override;
  void let_go() override;
  [[nodiscard]] std::optional<std::size_t> declared_length() const override;
  [[nodiscard]] const Headers* trailers() const override;
  [[nodiscard]] bool whole() const;
  [[nodiscard]] bool failed() const;
  [[nodiscard]] std::uint64_t received() const { return received_; }
  // What is left can be read and dropped after the response, to keep the connection.
  [[nodiscard]] bool may_be_dropped() const;
  // Called once, when the last byte has been read.
  void when_whole(std::function<void()> action) { when_whole_ = std::move(action); }

 private:
  Connection& connection_;
  bool expects_continue_;
  std::uint64_t received_ = 0;
  bool collected_ = false;  // by somebody who holds all of it
  Pace pace_;
  std::function<void()> when_whole_;
};

class ConnectionWriter final : public ResponseWriter {
 public:
  ConnectionWriter(Connection& connection, const Request& request, RequestBody& body,
                   bool keep_alive);
  ~ConnectionWriter() override {
    body_.when_whole({});
    watch_->action = {};
    stop_watching();
  }

  Task<Result<std::size_t>> send(Response response) override;
  Task<Result<std::size_t>> start(Response head) override;
  Task<Result<std::size_t>> write(std::string bytes) override;
  Task<Result<std::size_t>> finish() override;
  Task<Result<std::unique_ptr<ByteStream>>> upgrade(Response head) override;
  [[nodiscard]] bool started() const override { return started_; }
  AsyncEvent& client_gone() override;
  void on_client_gone(std::function<void()> action) override;

  // Of the response; 0 where there is none yet.
  [[nodiscard]] unsigned status() const { return status_; }
  // Bytes of its body.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  // The connection may be used again after this response.
  [[nodiscard]] bool reusable() const { return finished_ && keep_alive_ && !broken_; }
  void forbid_reuse() { keep_alive_ = false; }

 private:
  // Shared with the watching coroutine, which may end after the request.
  struct Watch {
    AsyncEvent gone;
    std::function<void()> action;
    bool active = false;
  };
  static Task<void> watch(std::shared_ptr<Socket> socket, std::shared_ptr<Watch> state);
  void stop_watching();
  void choose_framing(const Response& head);
  [[nodiscard]] bool keeps_alive() const;
  Task<Result<std::size_t>> put(std::string_view first, std::string_view second);

  Connection& connection_;
  RequestBody& body_;
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  bool head_only_;
  bool keep_alive_;
  bool may_chunk_;
  bool started_ = false;
  bool finished_ = false;
  bool broken_ = false;
  Framing framing_ = Framing::length;
  std::size_t promised_ = 0;
  unsigned status_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace lambda::http
