#include "http/request_text.h"

#include "http/response_text.h"

#include <algorithm>
#include <charconv>

namespace lambda::http {
namespace {

bool is_sendable_target(std::string_view target) {
  return !target.empty() && std::ranges::none_of(target, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F;
  });
}

bool expects_a_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

Result<RequestText> request_text(const Request& request, std::optional<std::size_t> body_length) {
  if (!is_sendable_target(request.target) || !is_safe_field(request.method, {})) {
    return fail(ErrorCode::invalid, "\"{} {}\" cannot be sent as a request line", request.method,
                request.target);
  }
  RequestText text;
  text.bytes.reserve(128 + request.target.size() + request.headers.size() * 48);
  text.bytes.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
  if (!request.headers.has("Host")) text.bytes += "Host: localhost\r\n";
  for (const auto& field : request.headers) {
    if (!is_safe_field(field.name, field.value)) {
      return fail(ErrorCode::invalid, "the header {} cannot be sent: it holds control characters",
                  field.name);
    }
    text.bytes.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (const auto* length = request.headers.find("Content-Length")) {
    std::size_t number = 0;
    std::from_chars(length->data(), length->data() + length->size(), number);
    text.length = number;
  } else if (request.headers.has("Transfer-Encoding")) {
    text.chunked = true;
  } else if (body_length) {
    text.length = body_length;
    if (*body_length > 0 || expects_a_body(request.method)) {
      text.bytes += fmt::format("Content-Length: {}\r\n", *body_length);
    }
  } else {
    text.chunked = true;
    text.bytes += "Transfer-Encoding: chunked\r\n";
  }
  text.bytes += "\r\n";
  return text;
}

}  // namespace lambda::http
