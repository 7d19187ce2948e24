// Greets. `name` comes from the event itself (lambda invoke), the query (?name=...), or a JSON
// body.
#include "lambda_runtime.h"

#include <boost/json.hpp>

#include <optional>

namespace json = boost::json;

std::optional<std::string> name_in(const json::value* values) {
  const auto* object = values == nullptr ? nullptr : values->if_object();
  const auto* name = object == nullptr ? nullptr : object->if_contains("name");
  if (name == nullptr || name->is_null()) return std::nullopt;
  auto text = name->is_string() ? std::string(name->as_string()) : json::serialize(*name);
  return text.empty() ? std::nullopt : std::optional(text);
}

std::string decode_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;  // the padding
    bits = bits << 6 | static_cast<unsigned>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xff);
    }
  }
  return bytes;
}

// The body of an HTTP call, null where it is not JSON.
json::value json_body(const json::object& event) {
  const auto* body = event.if_contains("body");
  if (body == nullptr || !body->is_string()) return nullptr;
  const auto* encoded = event.if_contains("isBase64Encoded");
  const bool base64 = encoded != nullptr && encoded->is_bool() && encoded->as_bool();
  const std::string text(body->as_string());
  boost::system::error_code error;
  return json::parse(base64 ? decode_base64(text) : text, error);
}

std::string greet(const std::string& text) {
  const auto value = json::parse(text);
  const auto& event = value.as_object();
  const auto body = json_body(event);
  auto name = name_in(&value);
  if (!name) name = name_in(event.if_contains("queryStringParameters"));
  if (!name) name = name_in(&body);
  const json::object answer{{"message", "Hello, " + name.value_or("World") + "!"}};
  return json::serialize(answer);
}

int main() {
  return lambda_runtime::run(greet);
}
