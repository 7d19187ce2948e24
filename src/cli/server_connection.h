// Where the server is, with which key, and one request to it. Blocking; main thread.
#pragma once

#include "base/result.h"
#include "http/body.h"
#include "http/client.h"

#include <boost/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::cli {

// --host, --insecure: what stands before the command.
struct ConnectionOptions {
  std::string host;
  bool insecure = false;
};

struct Target {
  http::ParsedUrl url;
  std::string key;     // "lam_<id>_<secret>", or "" over a unix socket
  std::string source;  // where the host came from, for messages
  std::string key_source;
};

// --host, LAMBDA_HOST, the configuration file, then the server on this machine (its server.json and
// admin.key, or its unix socket). Errors: unavailable (none found; says how to name one), denied (a
// key over plain HTTP to another machine).
Result<Target> find_target(const ConnectionOptions& options);

class ServerConnection {
 public:
  explicit ServerConnection(Target target);
  ~ServerConnection();

  // One call with its answer in memory. A status of 400 or more is an Error with the server's
  // message and a code by status.
  Result<http::Response> call(std::string method, std::string path, std::string body = {},
                              http::Headers headers = {});
  // The same as a JSON object.
  Result<boost::json::object> json(std::string method, std::string path,
                                   const boost::json::object* body = nullptr);
  // Sends a streamed body and hands the answer over in pieces as they come; the head first.
  Result<http::Response> stream(std::string method, std::string path, http::BodyReader& body,
                                http::Headers headers,
                                const std::function<void(std::string_view)>& on_piece);
  [[nodiscard]] const Target& target() const { return target_; }

 private:
  http::Request make_request(std::string method, std::string path, http::Headers headers) const;
  Target target_;
};

// What a response of 400 or more says.
[[nodiscard]] Error error_of(const http::Response& response);

}  // namespace lambda::cli
