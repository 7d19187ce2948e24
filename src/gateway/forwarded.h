// What a function is told about the way its request came: X-Forwarded-*, X-Amzn-Trace-Id. Pure.
#pragma once

#include "gateway/router.h"
#include "http/message.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::gateway {

// Lower-case names. What the client itself sent in X-Forwarded-* counts only when it connects from
// this machine (a reverse proxy in front of us); then our own part is appended or left out.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> forwarded_fields(
    const http::Request& request, const Route& route, std::string_view trace_id);
// True for the fields that forwarded_fields() makes: the client's own are not passed on.
[[nodiscard]] bool is_forwarded_field(std::string_view name);

// The client's address; 127.0.0.1 for a unix socket.
[[nodiscard]] std::string source_ip(const http::Peer& peer);

}  // namespace lambda::gateway
