#include "cli/connection/server_connection.h"

#include "cli/connection/json_fields.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>

namespace lambda::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxAnswer = 64u << 20;

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
                                      http::BodyReader& body, const Pieces& on_piece,
                                      Patience patience) {
  const auto connect_limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto connection = co_await http::ClientConnection::connect(std::move(endpoint), connect_limit);
  if (!connection) co_return fail(std::move(connection.error()));
  const auto head_limit = std::chrono::steady_clock::now() + patience;
  auto head = co_await (*connection)->exchange(std::move(request), body, head_limit);
  if (!head) co_return fail(std::move(head.error()));
  auto& reader = (*connection)->body(patience);
  while (true) {
    auto piece = co_await reader.read_some();
    // A refusal counts even where the connection ends while it is told.
    if (!piece && head->status < 300) co_return fail(std::move(piece.error()));
    if (!piece || piece->empty()) break;
    if (head->status >= 300) {
      head->body += *piece;
    } else {
      on_piece(*piece);
    }
  }
  co_return head;
}

}  // namespace

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
    default:
      return status >= 500 ? ErrorCode::internal : ErrorCode::invalid;
  }
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
  if (message.empty() && response.status < 400) {
    message = fmt::format(
        "the server answers {} and points to {}: name that with `lambda config "
        "set-host`, --host or LAMBDA_HOST",
        response.status, response.headers.get("Location"));
  }
  // Whatever stands in between or in its place: its 404 says nothing of a function.
  if (message.empty() && (error || !value.is_object())) {
    return Error(code_of_status(response.status) == ErrorCode::denied ? ErrorCode::denied
                                                                      : ErrorCode::internal,
                 fmt::format("the server answered {}, and not as a Lambda server does: {}",
                             response.status, response.body.substr(0, 500)));
  }
  if (message.empty())
    message =
        fmt::format("the server answered {} {}", response.status, response.body.substr(0, 500));
  if (response.status == 404 && message.starts_with("there is no operation at "))
    message += ". Is that server older than this program? `lambda version` shows both";
  if (response.status == 403 && message.find("security token") != std::string::npos) {
    message =
        "the server does not know this key: set another with `lambda config set-key`, or "
        "LAMBDA_API_KEY";
  }
  const bool function_failed =
      !error && value.is_object() &&
      text_in(value.as_object(), "code") == to_string(ErrorCode::function_failed);
  return Error(function_failed ? ErrorCode::function_failed : code_of_status(response.status),
               message);
}

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

namespace {

std::string name_of(const Target& target) {
  const auto& path = target.url.endpoint.unix_path;
  return path.empty() ? target.url.host_header : path;
}

// The socket is there, and this user may not use it: no server needs to be started.
std::optional<Error> not_allowed(const Target& target) {
  const auto& path = target.url.endpoint.unix_path;
  if (path.empty() || ::access(path.c_str(), R_OK | W_OK) == 0 || errno != EACCES)
    return std::nullopt;
  return Error(
      ErrorCode::denied,
      fmt::format("{}: permission denied: use sudo, or become a member of the group lambda "
                  "(sudo adduser USER lambda, then log in anew), or name the server's URL "
                  "with LAMBDA_HOST, and a key of it with LAMBDA_API_KEY (`lambda config set-host` "
                  "and `set-key` keep them)",
                  path));
}

}  // namespace

Result<http::Response> ServerConnection::stream(
    std::string method, std::string path, http::BodyReader& body, http::Headers headers,
    const std::function<void(std::string_view)>& on_piece, Patience patience) {
  if (auto refused = not_allowed(target_)) return fail(std::move(*refused));
  auto request = make_request(std::move(method), std::move(path), std::move(headers));
  Result<http::Response> nothing = fail(ErrorCode::internal, "no answer");
  auto response = run(exchange(target_.url.endpoint, std::move(request), body, on_piece, patience),
                      std::move(nothing));
  if (!response) {
    if (response.error().code() == ErrorCode::unavailable ||
        response.error().code() == ErrorCode::timeout) {
      if (!target_.named) {
        return fail(
            std::move(response.error()),
            "the server on this machine does not answer (found by {}). Start it (./run), or "
            "name another: `lambda config set-host URL`, or LAMBDA_HOST",
            target_.source);
      }
      return fail(std::move(response.error()), "cannot reach the server at {} (from {})",
                  name_of(target_), target_.source);
    }
    if (response.error().message().starts_with("the answer is not HTTP")) {
      auto why = Error(ErrorCode::internal, response.error().message());
      return fail(std::move(why), "what answers at {} (from {}) is no Lambda server",
                  name_of(target_), target_.source);
    }
    return fail(std::move(response.error()));
  }
  if (response->status >= 300) return fail(error_of(*response));
  return response;
}

Result<http::Response> ServerConnection::call(std::string method, std::string path,
                                              std::string body, http::Headers headers) {
  http::BufferedBody sent(std::move(body));
  std::string received;
  bool too_long = false;
  const std::function<void(std::string_view)> collect = [&](std::string_view piece) {
    too_long = too_long || received.size() + piece.size() > kMaxAnswer;
    if (!too_long) received += piece;
  };
  auto response =
      stream(std::move(method), std::move(path), sent, std::move(headers), collect, kForAnswers);
  if (response && too_long) {
    return fail(ErrorCode::too_large, "the answer has more than {} MB", kMaxAnswer >> 20);
  }
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
  return object_of(*response);
}

Result<json::object> ServerConnection::object_of(const http::Response& response) const {
  boost::system::error_code error;
  auto value = json::parse(response.body, error);
  if (error || !value.is_object()) {
    return fail(
        ErrorCode::internal,
        "{} (from {}) answered something that is no Lambda server's: is that address right?",
        name_of(target_), target_.source);
  }
  return std::move(value.as_object());
}

}  // namespace lambda::cli
