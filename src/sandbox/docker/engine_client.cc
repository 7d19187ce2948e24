#include "sandbox/docker/engine_client.h"

#include "http/client.h"

#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace lambda::sandbox::docker {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxAnswer = 16u << 20;

http::Request request_for(std::string method, std::string target) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.add("Host", "docker");
  return request;
}

// Of one user or group. getpwuid and getgrgid share one answer among all loops.
constexpr std::size_t kMaxEntry = 16u << 10;

std::string user_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> text(kMaxEntry);
  ::getpwuid_r(::geteuid(), &entry, text.data(), text.size(), &found);
  return found != nullptr ? std::string(found->pw_name) : std::to_string(::geteuid());
}

// A group with more members than fit is called by its number.
std::string group_name(gid_t gid) {
  group entry{};
  group* found = nullptr;
  std::vector<char> text(kMaxEntry);
  ::getgrgid_r(gid, &entry, text.data(), text.size(), &found);
  return found != nullptr ? std::string(found->gr_name) : std::to_string(gid);
}

// By the user and group database, which a process that runs does not follow.
bool is_member(const std::string& user, gid_t group) {
  std::vector<gid_t> groups(256);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(user.c_str(), ::getegid(), groups.data(), &count) < 0) return false;
  groups.resize(static_cast<std::size_t>(count));
  return std::ranges::find(groups, group) != groups.end();
}

// A body is read to its end only for its words: cut what is no JSON.
std::string message_in(std::string_view body) {
  boost::system::error_code error;
  const auto value = json::parse(body, error);
  if (!error && value.is_object()) {
    const auto* message = value.as_object().if_contains("message");
    if (message != nullptr && message->is_string()) return std::string(message->as_string());
  }
  return std::string(body.substr(0, 500));
}

bool says(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->as_bool();
}

}  // namespace

EngineStream::EngineStream(std::unique_ptr<http::ClientConnection> connection)
    : connection_(std::move(connection)) {}
EngineStream::~EngineStream() = default;

Task<Result<std::string>> EngineStream::read_some(std::chrono::steady_clock::duration silence) {
  co_return co_await connection_->body(silence).read_some();
}

Result<int> choose_api(std::string_view daemon_version) {
  int minor = 0;
  const auto dot = daemon_version.find('.');
  const auto digits = dot == std::string_view::npos ? "" : daemon_version.substr(dot + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
  if (error != std::errc() || end == digits.data() || !daemon_version.starts_with("1.")) {
    return fail(ErrorCode::unavailable,
                "what answers there is no Docker Engine (Api-Version \"{}\")", daemon_version);
  }
  if (minor < kOldestApi) {
    return fail(ErrorCode::unavailable,
                "Docker Engine is too old (API {}): 20.10 or later is needed (API 1.{})",
                daemon_version, kOldestApi);
  }
  return std::min(minor, kNewestApi);
}

Error engine_error(unsigned status, std::string_view body) {
  auto code = ErrorCode::sandbox_failed;
  if (status == 400) code = ErrorCode::invalid;
  if (status == 404) code = ErrorCode::not_found;
  if (status == 409) code = ErrorCode::conflict;
  auto message = message_in(body);
  if (message.empty()) message = fmt::format("HTTP status {}", status);
  return Error(code, "Docker Engine: " + message);
}

std::string url_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded.push_back(c);
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

// Of a socket that is there and that this process may not use. Blocking.
std::string EngineClient::why_closed(const struct stat& info) const {
  const auto user = user_name();
  const auto group = group_name(info.st_gid);
  const bool open_to_group = (info.st_mode & 0060) == 0060 && info.st_gid != 0;
  if (open_to_group && groups_ == Groups::of_start) {
    return fmt::format(
        "this lambdad may not use Docker Engine yet: {} is there and open to the group {}, but "
        "lambdad takes that group only when it starts, and the socket or its group came later. "
        "Start lambdad again (./run restart)",
        socket_.string(), group);
  }
  if (open_to_group && is_member(user, info.st_gid)) {
    return fmt::format(
        "this lambdad may not use Docker Engine yet: {} is there and open to the group {}, of "
        "which user {} is a member only since after its login or lambdad's start. Log in again and "
        "start "
        "lambdad again (./run restart)",
        socket_.string(), group, user);
  }
  return fmt::format(
      "user {} may not use Docker Engine: {} belongs to {}, group {}. {}", user, socket_.string(),
      info.st_uid == 0 ? "root" : "another user", group,
      open_to_group
          ? fmt::format("Put the user into that group (adduser {} {}), log in again and "
                        "start lambdad again (./run restart)",
                        user, group)
          : "Have Docker make it for a group of its own (as root: groupadd --system "
            "docker; systemctl restart docker), then start lambdad again (./run restart)");
}

// Says what stands in the way of a connection; anything else passes as it is.
Task<Error> EngineClient::explain(Error error) const {
  if (error.code() == ErrorCode::timeout) {
    co_return std::move(error).with_context(
        fmt::format("Docker Engine at {} does not answer in time", socket_.string()));
  }
  if (error.code() != ErrorCode::unavailable) co_return error;
  struct stat info {};
  const bool there = ::stat(socket_.c_str(), &info) == 0;
  const int why = errno;
  if (!there && why != ENOENT && why != ENOTDIR) {
    co_return Error(
        ErrorCode::unavailable,
        Error::from_errno("look for Docker Engine's socket " + socket_.string(), why).message());
  }
  if (!there) {
    co_return Error(ErrorCode::unavailable,
                    fmt::format("Docker Engine does not run here: there is no socket {}. Install "
                                "and start it (apt-get install docker.io; systemctl start docker), "
                                "or name its socket with --docker-host unix://PATH",
                                socket_.string()));
  }
  if (::access(socket_.c_str(), R_OK | W_OK) != 0) {
    auto look = [this, info] { return why_closed(info); };
    auto closed = co_await run_blocking(users_, std::move(look));
    co_return Error(ErrorCode::unavailable, std::move(closed));
  }
  co_return std::move(error).with_context(fmt::format(
      "Docker Engine does not answer at {} (is the daemon running? systemctl start docker)",
      socket_.string()));
}

Task<Result<std::string>> EngineClient::versioned(std::string path, TimePoint deadline) {
  if (api_ == 0) {
    http::Endpoint endpoint;
    endpoint.unix_path = socket_.string();
    auto answer = co_await http::fetch(endpoint, request_for("GET", "/_ping"), std::string(),
                                       deadline, kMaxAnswer);
    if (!answer) {
      auto why = co_await explain(std::move(answer.error()));
      co_return fail(std::move(why));
    }
    if (answer->status != 200) co_return fail(engine_error(answer->status, answer->body));
    auto chosen = choose_api(answer->headers.get("Api-Version"));
    if (!chosen) co_return fail(std::move(chosen.error()), "{}", socket_.string());
    api_ = *chosen;
  }
  co_return fmt::format("/v1.{}{}", api_.load(), path);
}

Task<Result<std::string>> EngineClient::call(std::string method, std::string path, std::string body,
                                             TimePoint deadline, bool* sent) {
  auto target = co_await versioned(std::move(path), deadline);
  if (!target) co_return fail(std::move(target.error()));
  auto request = request_for(std::move(method), std::move(*target));
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  http::Endpoint endpoint;
  endpoint.unix_path = socket_.string();
  auto connection = co_await http::ClientConnection::connect(endpoint, deadline);
  if (!connection) {
    auto why = co_await explain(std::move(connection.error()));
    co_return fail(std::move(why));
  }
  if (sent != nullptr) *sent = true;
  auto answer = co_await http::fetch_over(**connection, std::move(request), std::move(body),
                                          deadline, kMaxAnswer);
  if (!answer) {
    auto why = co_await explain(std::move(answer.error()));
    co_return fail(std::move(why));
  }
  // 304: it is already so (started, stopped).
  if (answer->status < 300 || answer->status == 304) co_return std::move(answer->body);
  // Another daemon may answer there by now.
  if (answer->status == 400 && answer->body.find("client version") != std::string::npos) api_ = 0;
  co_return fail(engine_error(answer->status, answer->body));
}

Task<Result<std::unique_ptr<EngineStream>>> EngineClient::open(std::string method, std::string path,
                                                               std::string content_type,
                                                               http::BodyReader& body,
                                                               TimePoint deadline) {
  auto target = co_await versioned(std::move(path), deadline);
  if (!target) co_return fail(std::move(target.error()));
  http::Endpoint endpoint;
  endpoint.unix_path = socket_.string();
  auto connection = co_await http::ClientConnection::connect(endpoint, deadline);
  if (!connection) {
    auto why = co_await explain(std::move(connection.error()));
    co_return fail(std::move(why));
  }
  auto request = request_for(std::move(method), std::move(*target));
  if (!content_type.empty()) request.headers.add("Content-Type", std::move(content_type));
  request.headers.add("Connection", "close");
  auto answer = co_await (*connection)->exchange(std::move(request), body, deadline);
  if (!answer) co_return fail(std::move(answer.error()), "talk to Docker Engine");
  if (answer->status >= 300) {
    auto& reader = (*connection)->body(std::chrono::seconds(5));
    auto words = co_await http::read_all(reader, kMaxAnswer);
    co_return fail(engine_error(answer->status, words ? *words : std::string()));
  }
  co_return std::make_unique<EngineStream>(std::move(*connection));
}

Task<Result<std::string>> EngineClient::describe(TimePoint deadline) {
  auto answer = co_await call("GET", "/info", std::string(), deadline);
  if (!answer) co_return fail(std::move(answer.error()));
  boost::system::error_code error;
  const auto value = json::parse(*answer, error);
  if (error || !value.is_object()) {
    co_return fail(ErrorCode::unavailable, "what answers at {} is no Docker Engine",
                   socket_.string());
  }
  const auto& info = value.as_object();
  const auto* version = info.if_contains("ServerVersion");
  const std::string name = fmt::format("Docker Engine {} at {}",
                                       version != nullptr && version->is_string()
                                           ? std::string_view(version->as_string())
                                           : std::string_view("of an unknown version"),
                                       socket_.string());
  for (const char* limit : {"MemoryLimit", "PidsLimit"}) {
    if (says(info, limit)) continue;
    co_return fail(ErrorCode::unavailable,
                   "{} cannot limit what containers use ({} is false in `docker info`): enable the "
                   "cgroup controllers memory and pids (for a rootless Engine: cgroup v2 and "
                   "systemd's delegation)",
                   name, limit);
  }
  const auto* security = info.if_contains("SecurityOptions");
  seccomp_ =
      security == nullptr || json::serialize(*security).find("name=seccomp") != std::string::npos;
  co_return name;
}

}  // namespace lambda::sandbox::docker
