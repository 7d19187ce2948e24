#include "api/operation.h"

namespace lambda::api {
namespace {

namespace json = boost::json;

Result<json::object> parse_object(std::string_view text) {
  // Many members of a large body cost the loop nothing when they go: they go as one.
  auto memory = text.size() > kBytesOnLoop ? json::make_shared_resource<json::monotonic_resource>()
                                           : json::storage_ptr();
  boost::system::error_code error;
  auto value = json::parse(text, error, std::move(memory));
  if (error || !value.is_object())
    return serialization_error("Could not parse request body into json: it is not a JSON object");
  return std::move(value.as_object());
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

Result<FunctionName> Exchange::unqualified_name(const Services& services) const {
  auto name = function_name(services);
  if (!name || name->qualifier.empty() || name->qualifier == "$LATEST") return name;
  return fail(ErrorCode::invalid,
              "This operation is permitted on Lambda functions only. Aliases and versions do not "
              "support this operation. Please specify either a function name or an unqualified "
              "function ARN.");
}

Task<Result<json::object>> read_object(Services& services, Exchange& exchange, std::size_t limit) {
  auto text = co_await http::read_all(exchange.body, limit);
  if (!text) co_return fail(std::move(text.error()));
  if (text->empty()) co_return json::object();
  const auto size = text->size();
  auto parse = [text = std::move(*text)] { return parse_object(text); };
  co_return co_await run_sized(services.disk, size, std::move(parse));
}

http::Response json_response(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

tl::unexpected<Error> no_function(const Services& services, std::string_view name) {
  const auto nearest = services.catalog.nearest_name(name);
  return fail(ErrorCode::not_found, "there is no function \"{}\"{}", name,
              nearest.empty() ? "; `lambda list` shows those that there are"
                              : "; did you mean \"" + nearest + "\"?");
}

Result<std::string> known_function(const Services& services, const std::string& name) {
  if (services.catalog.snapshot()->functions.contains(name)) return name;
  return no_function(services, name);
}

Result<std::string> known_function(const Services& services, const Exchange& exchange) {
  return known_function(services, exchange.captures.at(0));
}

}  // namespace lambda::api
