// Steps: server.json -> does its server hold the data directory? -> is the socket the one it made?
// -> by its URL with its key, or by its socket without.
#include "cli/connection/local_server.h"

#include "base/file_identity.h"
#include "base/unique_fd.h"
#include "cli/connection/json_fields.h"
#include "cli/connection/target.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* kSocket = "/run/lambda/lambda.sock";

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Where a server on this machine keeps its files when nobody says where.
std::vector<fs::path> usual_directories() {
  std::vector<fs::path> directories;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    directories.push_back(fs::path(home) / ".local/share/lambda");
  directories.emplace_back("/var/lib/lambda");
  return directories;
}

// Without waiting, whatever stands there.
UniqueFd open_to_read(const fs::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

Error unreadable(const fs::path& path) {
  return Error(ErrorCode::denied, Error::from_errno("read " + path.string()).message());
}

Result<std::string> text_of(const fs::path& path) {
  const auto file = open_to_read(path);
  if (!file && (errno == ENOENT || errno == ENOTDIR))
    return fail(ErrorCode::unavailable, "there is no {}", path.string());
  if (!file) return fail(unreadable(path));
  std::string text;
  std::array<char, 4096> piece{};
  ssize_t length = 0;
  while ((length = ::read(file.get(), piece.data(), piece.size())) > 0)
    text.append(piece.data(), static_cast<std::size_t>(length));
  if (length < 0) return fail(unreadable(path));
  return text;
}

// What the server says of itself, which others may read, too.
Result<json::object> facts_in(const fs::path& server_file) {
  auto text = text_of(server_file);
  if (!text) return fail(std::move(text.error()));
  boost::system::error_code error;
  auto value = json::parse(*text, error);
  if (error || !value.is_object() || text_in(value.as_object(), "url").empty())
    return fail(ErrorCode::unavailable, "{} names no URL", server_file.string());
  return std::move(value.as_object());
}

enum class Life { runs, ended, unknown };

// Whether the server that wrote server.json is the one that holds the directory's lock. Looking is
// trying to have it, for a moment; lambdad tries again where it meets that.
Life life_of(const fs::path& directory, const json::object& facts) {
  const auto lock = open_to_read(directory / "lambda.lock");
  if (!lock) return errno == ENOENT ? Life::ended : Life::unknown;
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return Life::ended;
  if (errno != EWOULDBLOCK) return Life::unknown;
  // One that is starting has not written its own server.json yet.
  std::array<char, 32> text{};
  const auto length = ::pread(lock.get(), text.data(), text.size(), 0);
  std::int64_t holder = 0;
  std::from_chars(text.data(), text.data() + std::max<ssize_t>(length, 0), holder);
  return holder == 0 || holder == number_in(facts, "pid") ? Life::runs : Life::ended;
}

// Most servers choose the same path: there may be another's by now.
enum class Socket { none, its_own, another };

Socket socket_of(const json::object& facts) {
  const auto path = text_in(facts, "socket");
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return Socket::none;
  return file_identity(info) == text_in(facts, "socketFile") ? Socket::its_own : Socket::another;
}

// One of which no more is known than its socket; that needs no key.
LocalServer local_at(const std::string& socket) {
  LocalServer local;
  local.url = "unix:" + socket;
  local.place = socket;
  local.socket = socket;
  return local;
}

// By its files where its key can be read and sent, which over plain HTTP is to loopback alone; else
// by its socket. Errors, to be part of a message: unavailable, denied.
Result<LocalServer> local_in(const fs::path& directory) {
  const auto server_file = directory / "server.json";
  const auto facts = facts_in(server_file);
  if (!facts) return fail(Error(facts.error()));
  const auto life = life_of(directory, *facts);
  if (life == Life::ended) {
    return fail(ErrorCode::unavailable,
                "{} is there, but no server runs with it: it ended without removing it (kill -9?)",
                server_file.string());
  }
  LocalServer local;
  local.url = text_in(*facts, "url");
  local.place = directory.string();
  if (life == Life::runs) local.key = first_line(directory / "admin.key");
  for (const auto& address : array_in(*facts, "addresses")) {
    if (address.is_string()) local.addresses.emplace_back(address.as_string());
  }
  const auto socket = socket_of(*facts);
  if (socket == Socket::its_own) {
    local.socket = text_in(*facts, "socket");
    if (local.key.empty()) return local_at(local.socket);
    const auto parsed = http::parse_url(local.url);
    if (parsed && !is_loopback(parsed->endpoint)) local.url = "unix:" + local.socket;
  }
  // Nothing shows that it lives: its port may be another's by now.
  if (socket == Socket::none && life == Life::unknown) {
    return fail(
        ErrorCode::denied,
        "this user may not look at {}/lambda.lock, and no socket of the server can be seen that "
        "would show that it runs",
        directory.string());
  }
  if (socket == Socket::another && life == Life::unknown) {
    return fail(ErrorCode::unavailable,
                "{} is there, but its socket {} is not the one that its server made: it ended "
                "without removing it (kill -9?)",
                server_file.string(), text_in(*facts, "socket"));
  }
  return local;
}

Error none_in(const fs::path& directory, const Error& why) {
  if (why.code() == ErrorCode::denied) {
    return Error(
        ErrorCode::denied,
        fmt::format("whether a server runs with the data directory that LAMBDA_DATA_DIR names "
                    "cannot be seen: {}. Its owner and root may see it (sudo); others name the "
                    "server's URL with LAMBDA_HOST, and a key of it with LAMBDA_API_KEY",
                    why.message()));
  }
  return Error(ErrorCode::unavailable,
               fmt::format("no server runs on this machine with the data directory that "
                           "LAMBDA_DATA_DIR names: {}. Start one there (./run with the same "
                           "LAMBDA_DATA_DIR, or lambdad --data-dir {}), or reach another: unset "
                           "LAMBDA_DATA_DIR, or name its URL with LAMBDA_HOST",
                           why.message(), directory.string()));
}

}  // namespace

Result<std::optional<LocalServer>> find_local_server(const std::string& named) {
  std::error_code error;
  if (!named.empty()) {
    auto directory = fs::absolute(named, error);
    if (error) directory = named;
    auto local = local_in(directory);
    if (!local) return fail(none_in(directory, local.error()));
    return std::optional(std::move(*local));
  }
  for (const auto& directory : usual_directories()) {
    auto local = local_in(directory);
    if (local && (!local->key.empty() || local->place == local->socket))
      return std::optional(std::move(*local));
  }
  if (fs::exists(kSocket, error)) return std::optional(local_at(kSocket));
  return std::optional<LocalServer>();
}

}  // namespace lambda::cli
