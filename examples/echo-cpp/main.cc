// Gives back what it gets: the event of an invoke; the body of an HTTP call, byte by byte and in
// its own content type; and of an HTTP call without a body its method, path, query and headers as
// JSON.
#include "lambda_runtime.h"

#include <boost/json.hpp>

namespace json = boost::json;

std::string decode_component(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() &&
        std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

// Every name with the list of its values.
json::object query_of(std::string_view text) {
  json::object query;
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto& values = query[decode_component(pair.substr(0, equals))];
    if (!values.is_array()) values.emplace_array();
    values.as_array().emplace_back(
        equals == std::string_view::npos ? "" : decode_component(pair.substr(equals + 1)));
  }
  return query;
}

json::value echo_http(const json::object& event, const json::object& http) {
  const auto& headers = event.at("headers").as_object();
  if (!event.contains("body")) {
    return json::object{{"method", http.at("method")},
                        {"path", event.at("rawPath")},
                        {"query", query_of(event.at("rawQueryString").as_string())},
                        {"headers", headers}};
  }
  const auto* type = headers.if_contains("content-type");
  const json::value kind = type == nullptr ? json::value("application/octet-stream") : *type;
  return json::object{{"statusCode", 200},
                      {"headers", json::object{{"Content-Type", kind}}},
                      {"body", event.at("body")},
                      {"isBase64Encoded", event.at("isBase64Encoded")}};
}

std::string echo(const std::string& text) {
  const auto event = json::parse(text);
  boost::system::error_code none;
  const auto* http = event.find_pointer("/requestContext/http", none);
  if (http == nullptr || !http->is_object()) return text;
  return json::serialize(echo_http(event.as_object(), http->as_object()));
}

int main() {
  return lambda_runtime::run(echo);
}
