// A URL's Cors setting (AWS's object: AllowOrigins, AllowMethods, AllowHeaders, ExposeHeaders,
// MaxAge, AllowCredentials). Pure; any thread.
#pragma once

#include "http/message.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::gateway {

class Cors {
 public:
  // Nothing for "" and for text that is not such an object (which the API never stores).
  static std::optional<Cors> parse(std::string_view cors_json);

  // The answer to a preflight request, or nothing where `request` is none.
  [[nodiscard]] std::optional<http::Response> preflight(const http::Request& request) const;
  // Replaces whatever Access-Control-* fields the function set.
  void apply(const http::Request& request, http::Headers& response) const;

 private:
  [[nodiscard]] bool allows_origin(std::string_view origin) const;
  // The value of Access-Control-Allow-Origin, or "" where the origin is not allowed.
  [[nodiscard]] std::string origin_value(std::string_view origin) const;
  void add_origin(const http::Request& request, http::Headers& response) const;

  std::vector<std::string> origins_;
  std::vector<std::string> methods_;
  std::vector<std::string> headers_;
  std::vector<std::string> exposed_;
  std::optional<std::int64_t> max_age_;
  bool credentials_ = false;
};

}  // namespace lambda::gateway
