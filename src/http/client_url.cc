#include "base/blocking.h"
#include "base/encoding.h"
#include "http/client.h"

#include <charconv>

namespace lambda::http {
namespace {

Result<std::uint16_t> parse_port(std::string_view text, std::string_view url) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return fail(ErrorCode::invalid, "\"{}\" in {} is not a port (1 to 65535)", text, url);
  }
  return port;
}

// Splits "host", "host:port", "[::1]:port" into the endpoint.
Result<Done> parse_authority(std::string_view authority, std::string_view url, Endpoint& endpoint) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) {
      return fail(ErrorCode::invalid, "the \"[\" in {} is not closed", url);
    }
    endpoint.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (!port.empty() && port.front() != ':') {
      return fail(ErrorCode::invalid, "{} has something other than a port behind \"]\"", url);
    }
  } else {
    const auto colon = authority.find(':');
    endpoint.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (endpoint.host.empty()) return fail(ErrorCode::invalid, "{} names no host", url);
  if (port.empty()) return Done{};
  auto number = parse_port(port.substr(1), url);
  if (!number) return fail(std::move(number.error()));
  endpoint.port = *number;
  return Done{};
}

}  // namespace

Result<ParsedUrl> parse_url(std::string_view url) {
  ParsedUrl parsed;
  constexpr std::string_view kUnix = "unix:";
  if (url.starts_with(kUnix)) {
    auto path = url.substr(kUnix.size());
    if (path.starts_with("//")) path.remove_prefix(2);
    if (!path.starts_with('/')) {
      return fail(ErrorCode::invalid, "{} must name an absolute path: unix:/run/x.sock", url);
    }
    parsed.endpoint.unix_path = path;
    parsed.host_header = "localhost";
    parsed.path = "/";
    return parsed;
  }
  const auto separator = url.find("://");
  const auto scheme = to_lower(url.substr(0, separator));
  if (separator == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    return fail(ErrorCode::invalid,
                "\"{}\" is not a URL that begins with http://, https:// or unix:", url);
  }
  parsed.endpoint.tls = scheme == "https";
  parsed.endpoint.port = parsed.endpoint.tls ? 443 : 80;
  const auto rest = url.substr(separator + 3, url.find('#') - separator - 3);
  const auto end = rest.find_first_of("/?");
  const auto authority = rest.substr(0, end);
  if (authority.find('@') != std::string_view::npos) {
    return fail(ErrorCode::invalid, "{} holds a user name; keys are not part of the URL", url);
  }
  if (auto split = parse_authority(authority, url, parsed.endpoint); !split) {
    return fail(std::move(split.error()));
  }
  parsed.host_header = authority;
  parsed.path = end == std::string_view::npos ? std::string_view("/") : rest.substr(end);
  if (parsed.path.starts_with('?')) parsed.path.insert(0, "/");
  return parsed;
}

}  // namespace lambda::http
