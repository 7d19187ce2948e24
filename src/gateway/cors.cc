#include "gateway/cors.h"

#include "base/encoding.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <spdlog/fmt/ranges.h>

#include <algorithm>

namespace lambda::gateway {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrefix = "access-control-";

std::vector<std::string> list_of(const json::object& cors, std::string_view name) {
  std::vector<std::string> items;
  const auto* given = cors.if_contains(name);
  if (given == nullptr || !given->is_array()) return items;
  for (const auto& item : given->get_array()) {
    if (item.is_string()) items.emplace_back(item.get_string().data(), item.get_string().size());
  }
  return items;
}

bool has_star(const std::vector<std::string>& items) {
  return std::ranges::find(items, "*") != items.end();
}

}  // namespace

std::optional<Cors> Cors::parse(std::string_view cors_json) {
  if (cors_json.empty()) return std::nullopt;
  boost::system::error_code error;
  const auto value = json::parse(json::string_view(cors_json.data(), cors_json.size()), error);
  if (error || !value.is_object()) return std::nullopt;
  const auto& object = value.get_object();
  Cors cors;
  cors.origins_ = list_of(object, "AllowOrigins");
  cors.methods_ = list_of(object, "AllowMethods");
  cors.headers_ = list_of(object, "AllowHeaders");
  cors.exposed_ = list_of(object, "ExposeHeaders");
  if (const auto* age = object.if_contains("MaxAge"); age != nullptr && age->is_int64()) {
    cors.max_age_ = age->get_int64();
  }
  if (const auto* allow = object.if_contains("AllowCredentials"); allow != nullptr) {
    cors.credentials_ = allow->is_bool() && allow->get_bool();
  }
  return cors;
}

bool Cors::allows_origin(std::string_view origin) const {
  return !origin.empty() && std::ranges::any_of(origins_, [origin](const std::string& allowed) {
    return allowed == "*" || equals_ignoring_case(allowed, origin);
  });
}

std::string Cors::origin_value(std::string_view origin) const {
  if (!allows_origin(origin)) return {};
  return has_star(origins_) && !credentials_ ? "*" : std::string(origin);
}

void Cors::add_origin(const http::Request& request, http::Headers& response) const {
  const auto value = origin_value(request.headers.get("Origin"));
  if (value != "*") response.add("Vary", "Origin");
  if (value.empty()) return;
  response.add("Access-Control-Allow-Origin", value);
  if (credentials_) response.add("Access-Control-Allow-Credentials", "true");
}

std::optional<http::Response> Cors::preflight(const http::Request& request) const {
  const auto* wanted = request.headers.find("Access-Control-Request-Method");
  if (request.method != "OPTIONS" || wanted == nullptr || !request.headers.has("Origin")) {
    return std::nullopt;
  }
  http::Response response(200);
  add_origin(request, response.headers);
  if (!response.headers.has("Access-Control-Allow-Origin")) return response;
  // With credentials a browser takes "*" for the name of a method or header: what is asked for is
  // named instead.
  const bool any_method = has_star(methods_) && credentials_;
  const auto methods = any_method ? *wanted : fmt::format("{}", fmt::join(methods_, ","));
  if (!methods.empty()) response.headers.add("Access-Control-Allow-Methods", methods);
  const bool any_header = has_star(headers_) && credentials_;
  const auto headers = any_header ? request.headers.joined("Access-Control-Request-Headers", ",")
                                  : fmt::format("{}", fmt::join(headers_, ","));
  if (!headers.empty()) response.headers.add("Access-Control-Allow-Headers", headers);
  if (max_age_) response.headers.add("Access-Control-Max-Age", std::to_string(*max_age_));
  return response;
}

void Cors::apply(const http::Request& request, http::Headers& response) const {
  std::vector<std::string> set_by_function;
  for (const auto& field : response) {
    if (to_lower(field.name).starts_with(kPrefix)) set_by_function.push_back(field.name);
  }
  for (const auto& name : set_by_function) response.remove(name);
  if (!request.headers.has("Origin")) return;
  add_origin(request, response);
  if (!exposed_.empty()) {
    response.add("Access-Control-Expose-Headers", fmt::format("{}", fmt::join(exposed_, ",")));
  }
}

}  // namespace lambda::gateway
