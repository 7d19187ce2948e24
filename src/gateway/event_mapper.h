// HTTP request -> event, by the rules of function URLs (payload format 2.0). Pure; any thread.
//
// Whatever bytes a client sends, the event is valid JSON: header values that are not UTF-8 are read
// as ISO 8859-1, bytes of the path that are not ASCII are percent-encoded, decoded query parameters
// that are not UTF-8 get U+FFFD (rawQueryString has them as sent), and a body that is not UTF-8
// goes as base64.
#pragma once

#include "access/key_checker.h"
#include "base/clock.h"
#include "gateway/router.h"
#include "http/message.h"

#include <optional>
#include <string>
#include <string_view>

namespace lambda::gateway {

struct EventContext {
  std::string request_id;
  std::string trace_id;
  std::string url_id;  // apiId and domainPrefix: the function's host label, or its name
  WallTime time{};
  std::optional<access::Caller> caller;  // where the URL asks for a signature
};

[[nodiscard]] std::string make_event(const http::Request& request, const Route& route,
                                     std::string_view body, const EventContext& context);

// True where a body of that Content-Type travels as text: text/*, JSON, XML, JavaScript. A missing
// type is binary.
[[nodiscard]] bool is_text_type(std::string_view content_type);

}  // namespace lambda::gateway
