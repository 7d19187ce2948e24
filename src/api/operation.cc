#include "api/operation.h"

#include "access/authorize.h"

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

access::Want of_everything(const AccessRule& rule) {
  access::Want want;
  want.action = "lambda:" + rule.operation();
  want.needed = rule.needed();
  want.resource = "*";
  return want;
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

Result<Done> Exchange::authorize(const Services& services, std::string_view name) const {
  access::Want want;
  want.action = "lambda:" + rule.operation();
  want.needed = rule.needed();
  want.function = name;
  want.resource = name.empty() ? "*" : services.catalog.function_arn(name);
  return access::authorize(caller, want);
}

Result<Done> Exchange::authorize_whole() const {
  return access::authorize_whole(caller, of_everything(rule));
}

Result<Done> Exchange::authorize_image() const {
  return access::authorize_whole(
      caller, of_everything(rule),
      "an image of this machine may hold others' code: only keys for all functions deploy one by "
      "its name. Deploy the folder with its Dockerfile instead");
}

tl::unexpected<Error> no_function(const Services& services, const Exchange& exchange,
                                  std::string_view name) {
  auto nearest = services.catalog.nearest_name(name);
  if (!exchange.may_see(nearest)) nearest.clear();
  return fail(ErrorCode::not_found, "there is no function \"{}\"{}", name,
              nearest.empty() ? "; `lambda list` shows those that there are"
                              : "; did you mean \"" + nearest + "\"?");
}

Result<std::string> known_function(const Services& services, const Exchange& exchange,
                                   const std::string& name) {
  if (services.catalog.snapshot()->functions.contains(name)) return name;
  return no_function(services, exchange, name);
}

Result<std::string> known_function(const Services& services, const Exchange& exchange) {
  return known_function(services, exchange, exchange.captures.at(0));
}

}  // namespace lambda::api
