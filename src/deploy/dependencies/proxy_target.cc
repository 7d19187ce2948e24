#include "deploy/dependencies/proxy_target.h"

#include "base/blocking.h"
#include "http/hop_fields.h"

#include <algorithm>
#include <utility>

namespace lambda::deploy {
namespace {

void remove_hop_fields(http::Headers& headers) {
  const auto named = http::names_in_connection(headers);
  for (const auto name : http::kHopFields) headers.remove(name);
  for (const auto& name : named) headers.remove(name);
}

// Letters, digits, '-', '_', dots; or an IPv6 address.
bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

}  // namespace

Result<http::Endpoint> connect_target(std::string_view target) {
  // The port is never left out here.
  const auto colon = target.rfind(':');
  const bool port = colon != std::string_view::npos && colon + 1 < target.size() &&
                    target.find_first_of("/?#", 0) == std::string_view::npos;
  auto url = http::parse_url(fmt::format("https://{}", target));
  if (!port || !url || !is_host(url->endpoint.host))
    return fail(ErrorCode::invalid, "CONNECT is followed by HOST:PORT");
  return std::move(url->endpoint);
}

Result<ForwardTarget> forward_target(const http::Request& request) {
  auto url = http::parse_url(request.target);
  if (!url) return fail(std::move(url.error()));
  if (url->endpoint.tls) return fail(ErrorCode::invalid, "a https:// URL is reached by CONNECT");
  if (!is_host(url->endpoint.host)) return fail(ErrorCode::invalid, "the URL names no host");
  ForwardTarget target;
  target.endpoint = std::move(url->endpoint);
  target.request.method = request.method;
  target.request.target = std::move(url->path);
  target.request.headers = request.headers;
  auto& headers = target.request.headers;
  remove_hop_fields(headers);
  headers.remove("Expect");
  headers.set("Host", std::move(url->host_header));
  headers.add("Connection", "close");
  return target;
}

http::Response passed_on(http::Response response) {
  remove_hop_fields(response.headers);
  return response;
}

}  // namespace lambda::deploy
