#include "api/json_members.h"

namespace lambda::api {
namespace {

namespace json = boost::json;

}  // namespace

tl::unexpected<Error> serialization_error(std::string message) {
  return fail(
      Error(ErrorCode::invalid, std::move(message)).with_aws_type("SerializationException"));
}

Result<std::optional<std::string>> text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<std::string>();
  if (!value->is_string()) return serialization_error(fmt::format("{} must be a string", name));
  return std::string(value->as_string());
}

Result<std::optional<std::int64_t>> number_member(const json::object& object,
                                                  std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<std::int64_t>();
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  if (error) return serialization_error(fmt::format("{} must be a whole number", name));
  return number;
}

Result<std::optional<bool>> flag_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<bool>();
  if (!value->is_bool()) return serialization_error(fmt::format("{} must be true or false", name));
  return value->as_bool();
}

Result<std::optional<std::map<std::string, std::string>>> texts_member(const json::object& object,
                                                                       std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null())
    return std::optional<std::map<std::string, std::string>>();
  if (!value->is_object())
    return serialization_error(fmt::format("{} must be an object of strings", name));
  std::map<std::string, std::string> texts;
  for (const auto& [key, item] : value->as_object()) {
    if (!item.is_string())
      return serialization_error(
          fmt::format("{}.{} must be a string", name, std::string_view(key)));
    texts.emplace(key, item.as_string());
  }
  return texts;
}

Result<const json::object*> object_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return static_cast<const json::object*>(nullptr);
  if (!value->is_object()) return serialization_error(fmt::format("{} must be an object", name));
  return &value->get_object();
}

Result<std::optional<std::vector<std::string>>> list_member(const json::object& object,
                                                            std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<std::vector<std::string>>();
  if (!value->is_array())
    return serialization_error(fmt::format("{} must be a list of strings", name));
  std::vector<std::string> texts;
  for (const auto& item : value->get_array()) {
    if (!item.is_string())
      return serialization_error(fmt::format("{} must hold strings only", name));
    texts.emplace_back(item.get_string());
  }
  return texts;
}

std::string member_names(const boost::json::object& object) {
  constexpr std::size_t kMost = 200;
  std::string names;
  for (const auto& member : object) {
    if (names.size() + member.key().size() > kMost) return names + ", ...";
    if (!names.empty()) names += ", ";
    names += std::string_view(member.key());
  }
  return names;
}

}  // namespace lambda::api
