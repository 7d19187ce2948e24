#include "api/settings_api.h"

#include "function/validation.h"

namespace lambda::api {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kCodeStorage = 80'530'636'800;

Result<function::FunctionPtr> find_function(Services& services, const Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) return fail(std::move(name.error()));
  auto found = services.catalog.resolve(name->name, "");
  if (!found) return fail(std::move(found.error()));
  return found->function;
}

// The same for an operation about a version or alias.
Result<function::Resolved> find_qualified(Services& services, const Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) return fail(std::move(name.error()));
  return services.catalog.resolve(name->name, name->qualifier);
}

tl::unexpected<Error> no_such_resource() {
  return fail(ErrorCode::not_found, "The resource you requested does not exist.");
}

}  // namespace

Task<Answer> put_concurrency(Services& services, Exchange& exchange) {
  auto function = find_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto number = number_member(*body, "ReservedConcurrentExecutions");
  if (!number) co_return fail(std::move(number.error()));
  function::ValidationErrors errors;
  if (!*number) errors.add_missing("reservedConcurrentExecutions");
  if (*number) errors.check_range("reservedConcurrentExecutions", **number, 0, INT32_MAX);
  auto good = errors.result();
  if (!good) co_return fail(std::move(good.error()));
  const auto limit = static_cast<int>(**number);
  exchange.note = std::to_string(limit);
  auto job = [&catalog = services.catalog, name = (*function)->name, limit] {
    return catalog.set_reserved_concurrency(name, limit);
  };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  co_return json_response(200, json::object{{"ReservedConcurrentExecutions", limit}});
}

Task<Answer> get_concurrency(Services& services, Exchange& exchange) {
  auto function = find_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  json::object reply;
  if ((*function)->reserved_concurrency)
    reply["ReservedConcurrentExecutions"] = *(*function)->reserved_concurrency;
  co_return json_response(200, reply);
}

Task<Answer> delete_concurrency(Services& services, Exchange& exchange) {
  auto function = find_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto job = [&catalog = services.catalog, name = (*function)->name] {
    return catalog.set_reserved_concurrency(name, std::nullopt);
  };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  co_return http::Response(204);
}

Task<Answer> get_account_settings(Services& services, Exchange&) {
  const auto snapshot = services.catalog.snapshot();
  std::uint64_t used = 0;
  int reserved = 0;
  for (const auto& [name, function] : snapshot->functions) {
    used += function->latest->code.size;
    for (const auto& [number, version] : function->versions) used += version->code.size;
    reserved += function->reserved_concurrency.value_or(0);
  }
  json::object reply;
  reply["AccountLimit"] = {
      {"TotalCodeSize", kCodeStorage},
      {"CodeSizeUnzipped", function::kMaxUnpackedBytes},
      {"CodeSizeZipped", 52'428'800},
      {"ConcurrentExecutions", function::kAccountConcurrency},
      {"UnreservedConcurrentExecutions", std::max(0, function::kAccountConcurrency - reserved)}};
  reply["AccountUsage"] = {{"TotalCodeSize", used}, {"FunctionCount", snapshot->functions.size()}};
  co_return json_response(200, reply);
}

Task<Answer> get_code_signing_config(Services& services, Exchange& exchange) {
  auto function = find_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  co_return json_response(200, json::object{{"FunctionName", (*function)->name}});
}

Task<Answer> get_runtime_management_config(Services& services, Exchange& exchange) {
  auto function = find_qualified(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  co_return json_response(
      200, json::object{{"UpdateRuntimeOn", "Auto"},
                        {"FunctionArn", services.catalog.function_arn(function->function->name,
                                                                      function->qualifier)}});
}

Task<Answer> get_recursion_config(Services& services, Exchange& exchange) {
  auto function = find_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  co_return json_response(200, json::object{{"RecursiveLoop", "Allow"}});
}

Task<Answer> list_event_source_mappings(Services&, Exchange&) {
  co_return json_response(200, json::object{{"EventSourceMappings", json::array()}});
}

Task<Answer> get_policy(Services& services, Exchange& exchange) {
  auto function = find_qualified(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  co_return no_such_resource();
}

Task<Answer> list_layers(Services&, Exchange&) {
  co_return json_response(200, json::object{{"Layers", json::array()}});
}

Task<Answer> list_layer_versions(Services&, Exchange&) {
  co_return json_response(200, json::object{{"LayerVersions", json::array()}});
}

Task<Answer> list_provisioned_concurrency(Services& services, Exchange& exchange) {
  auto function = find_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  co_return json_response(200, json::object{{"ProvisionedConcurrencyConfigs", json::array()}});
}

Task<Answer> get_provisioned_concurrency(Services& services, Exchange& exchange) {
  auto found = find_qualified(services, exchange);
  if (!found) co_return fail(std::move(found.error()));
  co_return fail(
      Error(ErrorCode::not_found, "No Provisioned Concurrency Config found for this function")
          .with_aws_type("ProvisionedConcurrencyConfigNotFoundException"));
}

Task<Answer> list_code_signing_configs(Services&, Exchange&) {
  co_return json_response(200, json::object{{"CodeSigningConfigs", json::array()}});
}

Operation refuse_operation(std::string what) {
  return [what = std::move(what)](Services&, Exchange&) -> Task<Answer> {
    return [](std::string text) -> Task<Answer> {
      co_return fail(ErrorCode::unsupported, "{}", text);
    }(what);
  };
}

}  // namespace lambda::api
