#include "cli/server_connection.h"

#include "base/encoding.h"
#include "cli/settings_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kMaxAnswer = 64u << 20;
constexpr const char* kSocket = "/run/lambda/lambda.sock";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Where a server on this machine keeps its files.
std::vector<fs::path> data_directories() {
  std::vector<fs::path> directories;
  if (const auto named = variable("LAMBDA_DATA_DIR"); !named.empty())
    directories.emplace_back(named);
  if (const auto home = variable("HOME"); !home.empty())
    directories.push_back(fs::path(home) / ".local/share/lambda");
  directories.emplace_back("/var/lib/lambda");
  return directories;
}

// What the running server says of itself, which others may read, too; empty where it is not there.
json::object facts_in(const fs::path& server_file) {
  std::ifstream file(server_file);
  std::ostringstream text;
  text << file.rdbuf();
  boost::system::error_code error;
  auto value = json::parse(text.str(), error);
  return error || !value.is_object() ? json::object() : std::move(value.as_object());
}

std::string text_of(const json::object& facts, const char* name) {
  const auto* text = facts.if_contains(name);
  return text != nullptr && text->is_string() ? std::string(text->as_string()) : std::string();
}

bool is_loopback(const http::Endpoint& endpoint) {
  const auto& host = endpoint.host;
  return !endpoint.unix_path.empty() || host == "localhost" || host.ends_with(".localhost") ||
         host == "::1" || host.starts_with("127.");
}

struct Local {
  std::string url;
  std::string key;
  std::string place;
};

// The server on this machine: by its files where its key can be read, else by its socket.
std::optional<Local> find_local() {
  std::error_code error;
  for (const auto& directory : data_directories()) {
    const auto facts = facts_in(directory / "server.json");
    const auto url = text_of(facts, "url");
    if (url.empty()) continue;
    auto key = first_line(directory / "admin.key");
    if (!key.empty()) return Local{url, key, directory.string()};
    const auto socket = text_of(facts, "socket");
    if (!socket.empty() && fs::exists(socket, error)) return Local{"unix:" + socket, "", socket};
  }
  if (fs::exists(kSocket, error)) return Local{std::string("unix:") + kSocket, "", kSocket};
  return std::nullopt;
}

ErrorCode code_of_status(unsigned status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::denied;
    case 404:
      return ErrorCode::not_found;
    case 409:
      return ErrorCode::conflict;
    case 412:
      return ErrorCode::precondition;
    case 413:
      return ErrorCode::too_large;
    case 429:
      return ErrorCode::overloaded;
    case 504:
      return ErrorCode::timeout;
    default:
      return status >= 500 ? ErrorCode::internal : ErrorCode::invalid;
  }
}

// Runs one coroutine to its end on a loop of its own.
template <class T>
T run(Task<T> task, T otherwise) {
  Loop loop;
  T result = std::move(otherwise);
  auto outer = [](Task<T> inner, T& into) -> Task<void> { into = co_await std::move(inner); };
  std::exception_ptr thrown;
  asio::co_spawn(loop, outer(std::move(task), result),
                 [&thrown](std::exception_ptr error) { thrown = error; });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return result;
}

using Pieces = std::function<void(std::string_view)>;

Task<Result<http::Response>> exchange(http::Endpoint endpoint, http::Request request,
                                      http::BodyReader& body, const Pieces& on_piece) {
  const auto connect_limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto connection = co_await http::ClientConnection::connect(std::move(endpoint), connect_limit);
  if (!connection) co_return fail(std::move(connection.error()));
  const auto head_limit = std::chrono::steady_clock::now() + std::chrono::hours(1);
  auto head = co_await (*connection)->exchange(std::move(request), body, head_limit);
  if (!head) co_return fail(std::move(head.error()));
  auto& reader = (*connection)->body(std::chrono::hours(1));
  while (true) {
    auto piece = co_await reader.read_some();
    if (!piece) co_return fail(std::move(piece.error()));
    if (piece->empty()) break;
    if (head->status >= 400) {
      head->body += *piece;
    } else {
      on_piece(*piece);
    }
  }
  co_return head;
}

}  // namespace

Result<Target> find_target(const ConnectionOptions& options) {
  auto settings = read_settings();
  if (!settings) return fail(std::move(settings.error()));
  Target target;
  std::string host = options.host;
  target.source = "--host";
  if (host.empty()) {
    host = variable("LAMBDA_HOST");
    target.source = "LAMBDA_HOST";
  }
  if (host.empty()) {
    host = settings->host;
    target.source = settings_path().string();
  }
  target.key = variable("LAMBDA_API_KEY");
  target.key_source = "LAMBDA_API_KEY";
  const bool named = !host.empty();
  if (!named) {
    const auto local = find_local();
    if (!local) {
      return fail(ErrorCode::unavailable,
                  "no server was found: start one on this machine (./run, or systemctl start "
                  "lambdad), or name one with `lambda config "
                  "set-host URL` or LAMBDA_HOST. (A server's key can be read by its own user and "
                  "root alone; others need `lambda config "
                  "set-key`, or to be members of the group lambda)");
    }
    host = local->url;
    target.source = local->place;
    if (target.key.empty() && !local->key.empty()) {
      target.key = local->key;
      target.key_source = local->place + "/admin.key";
    }
  }
  if (target.key.empty() && !settings->key.empty()) {
    target.key = settings->key;
    target.key_source = settings_path().string();
  }
  if (host.find("://") == std::string::npos && !host.starts_with("unix:")) host = "http://" + host;
  auto url = http::parse_url(host);
  if (!url) return fail(std::move(url.error()), "the host from {}", target.source);
  target.url = std::move(*url);
  // A named server on this machine: its own key will do.
  if (named && target.key.empty() && is_loopback(target.url.endpoint)) {
    if (const auto local = find_local(); local && !local->key.empty()) {
      target.key = local->key;
      target.key_source = local->place + "/admin.key";
    }
  }
  if (!target.key.empty() && !target.url.endpoint.tls && !is_loopback(target.url.endpoint) &&
      !options.insecure) {
    return fail(ErrorCode::denied,
                "the key would go to {} over plain HTTP, where it can be read on the way: use "
                "https://, an SSH tunnel, or --insecure",
                target.url.host_header);
  }
  return target;
}

Error error_of(const http::Response& response) {
  boost::system::error_code error;
  const auto value = json::parse(response.body, error);
  std::string message;
  if (!error && value.is_object()) {
    for (const char* name : {"message", "Message", "errorMessage"}) {
      const auto* text = value.as_object().if_contains(name);
      if (text != nullptr && text->is_string()) message = text->as_string();
    }
  }
  if (message.empty())
    message =
        fmt::format("the server answered {} {}", response.status, response.body.substr(0, 500));
  if (response.status == 403 && message.find("security token") != std::string::npos) {
    message =
        "the server does not know this key: set another with `lambda config set-key`, or "
        "LAMBDA_API_KEY";
  }
  return Error(code_of_status(response.status), message);
}

ServerConnection::ServerConnection(Target target) : target_(std::move(target)) {}
ServerConnection::~ServerConnection() = default;

http::Request ServerConnection::make_request(std::string method, std::string path,
                                             http::Headers headers) const {
  http::Request request;
  request.method = std::move(method);
  std::string prefix = target_.url.path;
  while (prefix.ends_with('/')) prefix.pop_back();
  request.target = prefix + path;
  request.headers = std::move(headers);
  request.headers.set("Host", target_.url.host_header);
  request.headers.set("User-Agent", "lambda-cli");
  if (!target_.key.empty()) request.headers.set("Authorization", "Bearer " + target_.key);
  return request;
}

Result<http::Response> ServerConnection::stream(
    std::string method, std::string path, http::BodyReader& body, http::Headers headers,
    const std::function<void(std::string_view)>& on_piece) {
  auto request = make_request(std::move(method), std::move(path), std::move(headers));
  Result<http::Response> nothing = fail(ErrorCode::internal, "no answer");
  auto response =
      run(exchange(target_.url.endpoint, std::move(request), body, on_piece), std::move(nothing));
  if (!response) {
    if (response.error().code() == ErrorCode::unavailable) {
      return fail(std::move(response.error()), "cannot reach the server at {} (from {})",
                  target_.url.host_header, target_.source);
    }
    return fail(std::move(response.error()));
  }
  if (response->status >= 400) return fail(error_of(*response));
  return response;
}

Result<http::Response> ServerConnection::call(std::string method, std::string path,
                                              std::string body, http::Headers headers) {
  http::BufferedBody sent(std::move(body));
  std::string received;
  const std::function<void(std::string_view)> collect = [&received](std::string_view piece) {
    if (received.size() + piece.size() <= kMaxAnswer) received += piece;
  };
  auto response = stream(std::move(method), std::move(path), sent, std::move(headers), collect);
  if (response) response->body = std::move(received);
  return response;
}

Result<json::object> ServerConnection::json(std::string method, std::string path,
                                            const json::object* body) {
  http::Headers headers;
  if (body != nullptr) headers.add("Content-Type", "application/json");
  auto response =
      call(std::move(method), std::move(path),
           body == nullptr ? std::string() : json::serialize(*body), std::move(headers));
  if (!response) return fail(std::move(response.error()));
  boost::system::error_code error;
  auto value = json::parse(response->body, error);
  if (error || !value.is_object()) {
    return fail(ErrorCode::internal,
                "{} answered something that is no Lambda server's: is LAMBDA_HOST right?",
                target_.url.host_header);
  }
  return std::move(value.as_object());
}

}  // namespace lambda::cli
