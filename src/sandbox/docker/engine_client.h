// EngineClient: Docker Engine's REST API over its unix socket. Each call has a connection of its
// own (a unix connection costs 0.1 ms, a container 200 ms) and a deadline.
//
// The API's version is negotiated with the first call: /_ping names the newest that the daemon
// speaks. Debian's 20.10 speaks 1.41; Engine 29 refuses less than 1.44.
// Threads: any loop; held by shared_ptr, because what is removed in the background outlives its
// sandbox.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "http/body.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>

namespace lambda::http {
class ClientConnection;
}

namespace lambda::sandbox::docker {

// The API versions 1.N that this code is written for.
inline constexpr int kOldestApi = 41;
inline constexpr int kNewestApi = 44;

// The answer to a call whose body is read piece by piece.
class EngineStream {
 public:
  explicit EngineStream(std::unique_ptr<http::ClientConnection> connection);
  ~EngineStream();
  EngineStream(const EngineStream&) = delete;
  EngineStream& operator=(const EngineStream&) = delete;
  // "" at the end. `silence`: the longest wait for the next piece.
  Task<Result<std::string>> read_some(std::chrono::steady_clock::duration silence);

 private:
  std::unique_ptr<http::ClientConnection> connection_;
};

// Where this process has its groups from: its login; or its start, at which a lambdad of root's
// took over the group that the socket had then.
enum class Groups { of_login, of_start };

class EngineClient {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `users` looks into the machine's user and group database, which may be slow to answer; it
  // outlives this.
  EngineClient(std::filesystem::path socket, BlockingPool& users, Groups groups = Groups::of_login)
      : socket_(std::move(socket)), users_(users), groups_(groups) {}

  // `path` begins behind the version ("/containers/json?all=1"); `body` is JSON or "". The answer's
  // body. Errors: unavailable (no daemon, no right to its socket: what to do), timeout, and the
  // daemon's own: not_found (404), conflict (409), invalid (400), else sandbox_failed. `sent`
  // becomes true before the daemon can have read anything: an error after that does not say whether
  // it has done, or will do, what was asked.
  Task<Result<std::string>> call(std::string method, std::string path, std::string body,
                                 TimePoint deadline, bool* sent = nullptr);
  // `body` is sent meanwhile; it must outlive the stream. `deadline` is that of the answer's head.
  Task<Result<std::unique_ptr<EngineStream>>> open(std::string method, std::string path,
                                                   std::string content_type, http::BodyReader& body,
                                                   TimePoint deadline);

  // "Docker Engine 20.10.24 at /run/docker.sock". Errors: as call(); unavailable for a daemon that
  // is too old, or cannot set the limits that functions are promised.
  Task<Result<std::string>> describe(TimePoint deadline);

  // As the last description had it: whether containers can have a seccomp profile.
  [[nodiscard]] bool has_seccomp() const { return seccomp_; }
  [[nodiscard]] const std::filesystem::path& socket() const { return socket_; }

 private:
  Task<Result<std::string>> versioned(std::string path, TimePoint deadline);
  Task<Error> explain(Error error) const;
  [[nodiscard]] std::string why_closed(const struct stat& info) const;

  std::filesystem::path socket_;
  BlockingPool& users_;
  Groups groups_;
  std::atomic<bool> seccomp_{true};
  std::atomic<int> api_{0};  // 1.N; 0: not negotiated yet
};

// Pure: the version to speak with a daemon that answers /_ping with this Api-Version.
Result<int> choose_api(std::string_view daemon_version);
// Pure: the daemon's refusal as an Error.
[[nodiscard]] Error engine_error(unsigned status, std::string_view body);
// Pure: percent-encoded for a query or a path segment.
[[nodiscard]] std::string url_encode(std::string_view text);

}  // namespace lambda::sandbox::docker
