#include "http/request_check.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <algorithm>

namespace lambda::http {
namespace {

std::size_t count_of(const Headers& headers, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::count_if(
      headers, [name](const Header& field) { return equals_ignoring_case(field.name, name); }));
}

std::optional<Refusal> check_framing(const Request& request) {
  const auto lengths = count_of(request.headers, "Content-Length");
  const auto encodings = count_of(request.headers, "Transfer-Encoding");
  if (lengths + encodings > 1) {
    return Refusal(400, "a request has at most one Content-Length or Transfer-Encoding");
  }
  if (lengths == 1) {
    const auto& length = *request.headers.find("Content-Length");
    const bool digits = std::ranges::all_of(length, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || length.empty() || length.size() > 18) {
      return Refusal(400, "Content-Length is not a number of bytes");
    }
  }
  if (encodings == 1) {
    if (request.version < 11) return Refusal(400, "HTTP/1.0 has no Transfer-Encoding");
    if (!equals_ignoring_case(*request.headers.find("Transfer-Encoding"), "chunked")) {
      return Refusal(501, "of transfer encodings, chunked alone is understood");
    }
  }
  return std::nullopt;
}

std::optional<Refusal> check_host(const Request& request) {
  const auto hosts = count_of(request.headers, "Host");
  if (hosts > 1 || (hosts == 0 && request.version >= 11)) {
    return Refusal(400, "a request has exactly one Host header");
  }
  const auto host = request.headers.get("Host");
  const bool odd = std::ranges::any_of(host, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte >= 0x7F || c == '/' || c == '?' || c == '#' || c == '@' ||
           c == '\\' || c == ',' || c == '"' || c == '<' || c == '>';
  });
  if (odd) return Refusal(400, "the Host header is not a host name");
  return std::nullopt;
}

// "http://host:port/path?query" -> "/path?query"
std::optional<Refusal> reduce_target(Request& request, bool forwards) {
  // Whoever forwards takes it apart itself.
  if (forwards && request.method == "CONNECT") return std::nullopt;
  for (const std::string_view scheme : {"http://", "https://"}) {
    const auto start = std::string_view(request.target).substr(0, scheme.size());
    if (!equals_ignoring_case(start, scheme)) continue;
    if (forwards) return std::nullopt;
    std::string rest = request.target.substr(scheme.size());
    const auto end = rest.find_first_of("/?");
    if (!equals_ignoring_case(rest.substr(0, end), request.headers.get("Host"))) {
      return Refusal(400, "the request's URL and its Host header name different hosts");
    }
    request.target = end == std::string::npos ? "/" : rest.substr(end);
    if (request.target.starts_with('?')) request.target.insert(0, "/");
    return std::nullopt;
  }
  const bool asterisk = request.target == "*" && request.method == "OPTIONS";
  if (!asterisk && !request.target.starts_with('/')) {
    return Refusal(400, "the request's target is not a path");
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> check_request(Request& request, const ServerLimits& limits) {
  if (request.headers.size() > limits.header_count) {
    return Refusal(431, fmt::format("the request has more than {} headers", limits.header_count));
  }
  if (auto refusal = check_framing(request)) return refusal;
  if (auto refusal = check_host(request)) return refusal;
  return reduce_target(request, limits.forwards);
}

bool has_folding(std::string_view head) {
  return head.find("\n ") != std::string_view::npos || head.find("\n\t") != std::string_view::npos;
}

Response error_response(unsigned status, std::string_view message, std::string id) {
  if (id.empty()) id = random_uuid();
  // Messages of this folder need no escapes: they hold neither quotes nor what a client sent.
  auto body = fmt::format("{{\"message\":\"{}\",\"requestId\":\"{}\"}}", message, id);
  Response response(status, "application/json", std::move(body));
  response.headers.add("x-amzn-RequestId", std::move(id));
  return response;
}

}  // namespace lambda::http
