// Reading what Docker Engine answers; what is not there, or of another kind, is empty. Pure.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace lambda::sandbox::docker {

// The object that an answer is.
[[nodiscard]] inline boost::json::object object_of(std::string_view answer) {
  boost::system::error_code error;
  auto value = boost::json::parse(answer, error);
  return !error && value.is_object() ? std::move(value.as_object()) : boost::json::object();
}

[[nodiscard]] inline std::string text_in(const boost::json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

[[nodiscard]] inline const boost::json::object& object_in(const boost::json::object& object,
                                                          std::string_view key) {
  static const boost::json::object empty;
  const auto* found = object.if_contains(key);
  return found != nullptr && found->is_object() ? found->as_object() : empty;
}

}  // namespace lambda::sandbox::docker
