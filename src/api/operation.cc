#include "api/operation.h"

namespace lambda::api {
namespace {

namespace json = boost::json;

tl::unexpected<Error> serialization(std::string message) {
  return fail(
      Error(ErrorCode::invalid, std::move(message)).with_aws_type("SerializationException"));
}

}  // namespace

std::string Addresses::url_of(const function::Function& function) const {
  if (function.host_label.empty()) return fmt::format("{}/fn/{}/", base, function.name);
  return port == 80 ? fmt::format("http://{}.{}", function.host_label, domain)
                    : fmt::format("http://{}.{}:{}", function.host_label, domain, port);
}

Result<FunctionName> Exchange::function_name(const Services& services) const {
  return parse_function_name(captures.at(0), request.query_value("Qualifier"),
                             services.catalog.tenant());
}

Task<Result<json::object>> read_object(Exchange& exchange, std::size_t limit) {
  auto text = co_await http::read_all(exchange.body, limit);
  if (!text) co_return fail(std::move(text.error()));
  if (text->empty()) co_return json::object();
  boost::system::error_code error;
  auto value = json::parse(*text, error);
  if (error || !value.is_object())
    co_return serialization("Could not parse request body into json: it is not a JSON object");
  co_return std::move(value.as_object());
}

http::Response json_response(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

Result<std::optional<std::string>> text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<std::string>();
  if (!value->is_string()) return serialization(fmt::format("{} must be a string", name));
  return std::string(value->as_string());
}

Result<std::optional<std::int64_t>> number_member(const json::object& object,
                                                  std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<std::int64_t>();
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  if (error) return serialization(fmt::format("{} must be a whole number", name));
  return number;
}

Result<std::optional<bool>> flag_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<bool>();
  if (!value->is_bool()) return serialization(fmt::format("{} must be true or false", name));
  return value->as_bool();
}

Result<std::optional<std::map<std::string, std::string>>> texts_member(const json::object& object,
                                                                       std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null())
    return std::optional<std::map<std::string, std::string>>();
  if (!value->is_object())
    return serialization(fmt::format("{} must be an object of strings", name));
  std::map<std::string, std::string> texts;
  for (const auto& [key, item] : value->as_object()) {
    if (!item.is_string())
      return serialization(fmt::format("{}.{} must be a string", name, std::string_view(key)));
    texts.emplace(key, item.as_string());
  }
  return texts;
}

}  // namespace lambda::api
