#include "gateway/result_mapper.h"

#include "base/encoding.h"
#include "invoke/json_scan.h"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace lambda::gateway {
namespace {

namespace json = boost::json;

constexpr const char* kJson = "application/json";
constexpr std::size_t kDeepest = 1024;
constexpr std::string_view kSpace = " \t\r\n";

std::string_view text_of(const json::string& text) {
  return {text.data(), text.size()};
}

std::optional<unsigned> status_of(const json::value& value) {
  std::int64_t status = 0;
  if (value.is_int64()) {
    status = value.get_int64();
  } else if (value.is_double()) {
    status = static_cast<std::int64_t>(std::clamp(value.get_double(), 0.0, 1000.0));
    if (static_cast<double>(status) != value.get_double()) return std::nullopt;
  } else if (value.is_string()) {
    const auto text = text_of(value.get_string());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  }
  if (status < 200 || status > 599) return std::nullopt;
  return static_cast<unsigned>(status);
}

std::string header_text(const json::value& value) {
  if (value.is_string()) return std::string(text_of(value.get_string()));
  if (!value.is_array()) return json::serialize(value);
  std::string all;
  for (const auto& part : value.get_array()) {
    if (!all.empty()) all += ',';
    all += header_text(part);
  }
  return all;
}

Result<http::Headers> headers_of(const json::object& result) {
  http::Headers headers;
  const auto* given = result.if_contains("headers");
  if (given == nullptr || given->is_null()) return headers;
  if (!given->is_object()) {
    return fail(ErrorCode::function_failed, "\"headers\" of its result is not an object");
  }
  for (const auto& [name, value] : given->get_object()) {
    if (value.is_null()) continue;
    headers.add(std::string(name.data(), name.size()), header_text(value));
  }
  return headers;
}

Result<Done> add_cookies(const json::object& result, http::Headers& headers) {
  const auto* given = result.if_contains("cookies");
  if (given == nullptr || given->is_null()) return Done{};
  if (!given->is_array()) {
    return fail(ErrorCode::function_failed, "\"cookies\" of its result is not an array");
  }
  for (const auto& cookie : given->get_array()) {
    if (!cookie.is_string()) {
      return fail(ErrorCode::function_failed, "a cookie of its result is not a string");
    }
    headers.add("Set-Cookie", std::string(text_of(cookie.get_string())));
  }
  return Done{};
}

Result<std::string> body_of(const json::object& result) {
  const auto* body = result.if_contains("body");
  if (body == nullptr || body->is_null()) return std::string();
  if (!body->is_string()) {
    return fail(ErrorCode::function_failed,
                "\"body\" of its result is not a string (JSON must be written as text)");
  }
  const auto text = text_of(body->get_string());
  const auto* encoded = result.if_contains("isBase64Encoded");
  if (encoded == nullptr || !encoded->is_bool() || !encoded->get_bool()) return std::string(text);
  auto bytes = base64_decode(text);
  if (!bytes) {
    return fail(ErrorCode::function_failed,
                "\"isBase64Encoded\" of its result is true and \"body\" is not base64");
  }
  return bytes;
}

Result<http::Response> shaped_response(const json::object& result) {
  const auto status = status_of(result.at("statusCode"));
  if (!status) {
    return fail(ErrorCode::function_failed,
                "\"statusCode\" of its result is not an HTTP status (200 to 599)");
  }
  http::Response response(*status);
  auto headers = headers_of(result);
  if (!headers) return fail(std::move(headers.error()));
  response.headers = std::move(*headers);
  if (!response.headers.has("Content-Type")) response.headers.add("Content-Type", kJson);
  if (auto added = add_cookies(result, response.headers); !added) {
    return fail(std::move(added.error()));
  }
  auto body = body_of(result);
  if (!body) return fail(std::move(body.error()));
  response.body = std::move(*body);
  return response;
}

tl::unexpected<Error> no_json() {
  return fail(ErrorCode::function_failed, "its result is not JSON");
}

}  // namespace

Result<http::Response> make_response(std::string payload) {
  // Whatever an array or a number says goes on as it is: that it is JSON is all there is to know.
  const auto begin = payload.find_first_not_of(kSpace);
  const char first = begin == std::string::npos ? '\0' : payload[begin];
  if (first != '{' && first != '"') {
    if (invoke::find_json_fault(payload, kDeepest)) return no_json();
    return http::Response(200, kJson, std::move(payload));
  }
  std::array<unsigned char, 4096> on_stack;
  json::monotonic_resource memory(on_stack.data(), on_stack.size());
  json::parse_options options;
  options.max_depth = kDeepest;
  boost::system::error_code error;
  const auto result = json::parse(json::string_view(payload.data(), payload.size()), error,
                                  json::storage_ptr(&memory), options);
  if (error) return no_json();
  if (result.is_string())
    return http::Response(200, kJson, std::string(text_of(result.get_string())));
  if (result.is_object() && result.get_object().contains("statusCode")) {
    return shaped_response(result.get_object());
  }
  return http::Response(200, kJson, std::move(payload));
}

}  // namespace lambda::gateway
