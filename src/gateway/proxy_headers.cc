#include "gateway/proxy_headers.h"

#include "base/encoding.h"
#include "gateway/forwarded.h"
#include "http/hop_fields.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace lambda::gateway {
namespace {

// Never dropped because a Connection field names them: that would change what the message is.
constexpr std::array<std::string_view, 3> kOfTheMessage = {"host", "content-length",
                                                           "content-type"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_of_the_connection(std::string_view lower_name, const std::vector<std::string>& named) {
  if (contains(kOfTheMessage, lower_name)) return false;
  return contains(http::kHopFields, lower_name) || contains(named, lower_name);
}

}  // namespace

bool is_upgrade(const http::Request& request) {
  return request.headers.has("Upgrade") &&
         contains(http::names_in_connection(request.headers), "upgrade");
}

http::Request upstream_request(const http::Request& request, const Route& route,
                               const invoke::CallTrace& trace, std::string_view request_id) {
  http::Request upstream;
  upstream.method = request.method;
  upstream.target = route.target;
  const auto named = http::names_in_connection(request.headers);
  for (const auto& field : request.headers) {
    const auto name = to_lower(field.name);
    if (is_of_the_connection(name, named) || is_forwarded_field(name)) continue;
    if (name == "content-length" || name == "expect" || name == "x-amzn-requestid" ||
        name == "traceparent" || name == "tracestate")
      continue;
    upstream.headers.add(field.name, field.value);
  }
  for (auto& [name, value] : forwarded_fields(request, route, trace.amzn)) {
    upstream.headers.add(std::move(name), std::move(value));
  }
  upstream.headers.add("x-amzn-requestid", std::string(request_id));
  upstream.headers.add("traceparent", observe::traceparent_of(trace.context));
  if (!trace.state.empty()) upstream.headers.add("tracestate", trace.state);
  if (is_upgrade(request)) {
    upstream.headers.add("Connection", "Upgrade");
    upstream.headers.add("Upgrade", request.headers.joined("Upgrade"));
  } else {
    upstream.headers.add("Connection", "close");
  }
  return upstream;
}

http::Response downstream_head(http::Response response) {
  const auto named = http::names_in_connection(response.headers);
  http::Response head(response.status);
  for (const auto& field : response.headers) {
    if (is_of_the_connection(to_lower(field.name), named)) continue;
    head.headers.add(field.name, field.value);
  }
  if (response.status == 101) {
    head.headers.add("Connection", "Upgrade");
    head.headers.add("Upgrade", response.headers.joined("Upgrade"));
  }
  return head;
}

}  // namespace lambda::gateway
