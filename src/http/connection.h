// One server connection: reads requests, hands them to the handler, decides whether it may be kept.
// One loop. Included by .cc files of http/ alone.
//
//          bytes        whole head       handler returned, body whole
//   idle ---------> head ---------> busy -----------------------------> idle
//    | idle_time     | head_time     | malformed, close asked, upgraded
//    +---------------+---------------+--> closed (what the client still sends is read a moment, so
//                                          that the answer is not lost to a reset)
#pragma once

#include "http/incoming_body.h"
#include "http/pace.h"
#include "http/request_check.h"
#include "http/server.h"
#include "http/socket.h"

#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace lambda::http {

class ConnectionWriter;
class RequestBody;

class Connection {
 public:
  // `handler` outlives it.
  Connection(LoopExecutor executor, Peer peer, Handler& handler, ServerLimits limits);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves until it ends.
  Task<void> run(UniqueFd fd);
  // No request after the current one; an idle connection ends now.
  void finish_soon();
  // Ends it, whatever it does.
  void close();
  // Since when it has waited for a request's first byte; nothing while it serves one.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> idle_since() const {
    return idle_ && !finishing_ ? std::optional(idle_since_) : std::nullopt;
  }

 private:
  friend class RequestBody;
  friend class ConnectionWriter;

  enum class Head { whole, closed, refused };

  Task<Head> read_head(bool first);
  void skip_empty_lines();
  bool parse_head();
  Task<bool> serve_one();
  void tell_observer(const Request& request, const RequestBody& body,
                     const ConnectionWriter& writer) const;
  Task<bool> drop_rest(RequestBody& body);
  Task<void> send_refusal();
  Task<void> linger();
  // A read that is late ends; it waits for a write beside it, because both are cancelled as one.
  void end_late_read();
  // Both pieces live until it returns.
  Task<Result<std::size_t>> write(std::string_view first, std::string_view second);
  void refuse(unsigned status, std::string reason) { refusal_.emplace(status, std::move(reason)); }

  std::shared_ptr<Socket> socket_;  // shared with an upgraded stream and the watch for the client
  // Two, because a request's body is read while its response is written.
  Deadline reading_;
  Deadline writing_;
  int writes_ = 0;  // that wait
  Pace response_pace_;
  BodyBudget::Share held_;  // of the head and body of a request, then of its response
  boost::beast::flat_buffer ahead_;
  std::optional<Parser<true>> parser_;
  IncomingBody<Socket, true> incoming_;
  Peer peer_;
  Handler& handler_;
  ServerLimits limits_;
  std::optional<Refusal> refusal_;
  bool idle_ = true;
  std::chrono::steady_clock::time_point idle_since_ = std::chrono::steady_clock::now();
  bool finishing_ = false;
  bool closed_ = false;
  bool given_away_ = false;  // upgraded: the socket is another's
};

}  // namespace lambda::http
