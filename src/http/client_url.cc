#include "base/encoding.h"
#include "http/client.h"

#include <charconv>

namespace lambda::http {
namespace {

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return fail(ErrorCode::invalid, "\"{}\" is not a port", text);
  }
  return port;
}

}  // namespace

Result<ParsedUrl> parse_url(std::string_view url) {
  ParsedUrl parsed;
  parsed.path = "/";
  if (url.starts_with("unix:")) {
    url.remove_prefix(5);
    while (url.starts_with("//")) url.remove_prefix(1);  // unix:///run/x keeps one slash
    parsed.endpoint.unix_path = url;
    parsed.endpoint.port = 0;
    parsed.host_header = "localhost";
    return parsed;
  }
  std::string_view rest;
  if (url.starts_with("https://")) {
    parsed.endpoint.tls = true;
    parsed.endpoint.port = 443;
    rest = url.substr(8);
  } else if (url.starts_with("http://")) {
    rest = url.substr(7);
  } else {
    return fail(ErrorCode::invalid,
                "\"{}\" is not a URL: write http://HOST:PORT, https://HOST or unix:/PATH", url);
  }
  const auto slash = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) parsed.path = rest.substr(slash);
  if (parsed.path.starts_with('?')) parsed.path.insert(0, "/");
  if (authority.empty() || authority.find('@') != std::string_view::npos) {
    return fail(ErrorCode::invalid, "\"{}\" names no host (and a URL must not carry a password)",
                url);
  }
  parsed.host_header = authority;
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos)
      return fail(ErrorCode::invalid, "\"{}\": the bracket is not closed", url);
    parsed.endpoint.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
    if (authority.starts_with(':')) port = authority.substr(1);
  } else {
    const auto colon = authority.find(':');
    parsed.endpoint.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
  }
  if (!port.empty()) {
    auto number = parse_port(port);
    if (!number) return fail(std::move(number.error()), "\"{}\"", url);
    parsed.endpoint.port = *number;
  }
  return parsed;
}

}  // namespace lambda::http
