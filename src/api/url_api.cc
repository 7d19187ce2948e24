#include "api/url_api.h"

#include "api/cors_request.h"
#include "api/time_json.h"

namespace lambda::api {
namespace {

namespace json = boost::json;
using function::UrlAuth;

// URLs belong to the function here; on AWS they may belong to an alias.
Result<function::FunctionPtr> function_for_url(Services& services, const Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) return fail(std::move(name.error()));
  if (!name->qualifier.empty() && name->qualifier != function::kLiveAlias) {
    return fail(
        ErrorCode::invalid,
        "a function has one URL here, which follows the alias \"live\": leave Qualifier out");
  }
  auto found = services.catalog.resolve(name->name, "");
  if (!found) return fail(std::move(found.error()));
  return found->function;
}

bool has_url(const function::UrlConfig& url) {
  return url.auth != UrlAuth::closed;
}

tl::unexpected<Error> no_such_resource() {
  return fail(ErrorCode::not_found, "The resource you requested does not exist.");
}

json::object url_json(Services& services, const function::Function& function,
                      const function::UrlConfig& url, bool created) {
  json::object object;
  auto address = services.addresses.url_of(function);
  if (!address.ends_with('/')) address += '/';
  object["FunctionUrl"] = address;
  object["FunctionArn"] = services.catalog.function_arn(function.name);
  // A URL that wants one of our keys looks signed to AWS's clients: they may not call it as they
  // are either.
  object["AuthType"] = url.auth == UrlAuth::open ? "NONE" : "AWS_IAM";
  boost::system::error_code error;
  if (!url.cors_json.empty()) object["Cors"] = json::parse(url.cors_json, error);
  object["CreationTime"] = iso_z(url.created);
  if (!created) object["LastModifiedTime"] = iso_z(url.modified);
  object["InvokeMode"] = url.invoke_mode;
  return object;
}

Result<function::UrlConfig> apply_url(function::UrlConfig url, const json::object& body) {
  auto auth = text_member(body, "AuthType");
  if (!auth) return fail(std::move(auth.error()));
  if (*auth) {
    if (**auth != "NONE" && **auth != "AWS_IAM") {
      return fail(ErrorCode::validation,
                  "1 validation error detected: Value '{}' at 'authType' failed to satisfy "
                  "constraint: Member must satisfy enum value "
                  "set: [AWS_IAM, NONE]",
                  **auth);
    }
    url.auth = **auth == "NONE" ? UrlAuth::open : UrlAuth::iam;
  }
  auto mode = text_member(body, "InvokeMode");
  if (!mode) return fail(std::move(mode.error()));
  if (*mode && **mode != "BUFFERED") {
    return fail(ErrorCode::invalid,
                "InvokeMode {}: responses are buffered in this build; leave InvokeMode out",
                **mode);
  }
  auto cors = object_member(body, "Cors");
  if (!cors) return fail(std::move(cors.error()));
  if (*cors == nullptr) return url;
  auto text = read_cors(**cors);
  if (!text) return fail(std::move(text.error()));
  url.cors_json = std::move(*text);
  return url;
}

// For the audit: what was set, and who may call it from then on.
std::string note_of(const json::object& body) {
  constexpr std::size_t kLongest = 16;
  const auto* auth = body.if_contains("AuthType");
  auto names = member_names(body);
  if (auth == nullptr || !auth->is_string()) return names;
  return names + ": " + std::string(std::string_view(auth->get_string()).substr(0, kLongest));
}

using UrlChange = std::function<Result<function::UrlConfig>(function::UrlConfig)>;

// On the store's thread, from what the URL is then: of two changes at once, none is lost.
Task<Result<function::UrlConfig>> store_url(Services& services, std::string name, UrlChange apply) {
  auto job = [&catalog = services.catalog, name = std::move(name), apply = std::move(apply)] {
    return catalog.update_url(name, apply);
  };
  co_return co_await change(services, std::move(job));
}

}  // namespace

Task<Answer> create_url_config(Services& services, Exchange& exchange) {
  auto function = function_for_url(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  if (!body->contains("AuthType")) {
    co_return fail(ErrorCode::validation,
                   "1 validation error detected: Value null at 'authType' failed to satisfy "
                   "constraint: Member must not be null");
  }
  exchange.note = note_of(*body);
  const auto arn = services.catalog.function_arn((*function)->name);
  UrlChange make = [arn, body = *body](function::UrlConfig before) -> Result<function::UrlConfig> {
    if (has_url(before)) {
      return fail(ErrorCode::conflict,
                  "Failed to create function url config for [functionArn = {}]. Error message:  "
                  "FunctionUrlConfig exists for this "
                  "Lambda function",
                  arn);
    }
    return apply_url({}, body);
  };
  auto url = co_await store_url(services, (*function)->name, std::move(make));
  if (!url) co_return fail(std::move(url.error()));
  co_return json_response(201, url_json(services, **function, *url, true));
}

Task<Answer> get_url_config(Services& services, Exchange& exchange) {
  auto function = function_for_url(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  if (!has_url((*function)->url)) co_return no_such_resource();
  co_return json_response(200, url_json(services, **function, (*function)->url, false));
}

Task<Answer> update_url_config(Services& services, Exchange& exchange) {
  auto function = function_for_url(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  if (!has_url((*function)->url)) co_return no_such_resource();
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  exchange.note = note_of(*body);
  UrlChange update = [body = *body](function::UrlConfig before) -> Result<function::UrlConfig> {
    if (!has_url(before)) return no_such_resource();
    return apply_url(std::move(before), body);
  };
  auto url = co_await store_url(services, (*function)->name, std::move(update));
  if (!url) co_return fail(std::move(url.error()));
  co_return json_response(200, url_json(services, **function, *url, false));
}

Task<Answer> delete_url_config(Services& services, Exchange& exchange) {
  auto function = function_for_url(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  if (!has_url((*function)->url)) co_return no_such_resource();
  UrlChange close = [](function::UrlConfig before) -> Result<function::UrlConfig> {
    if (!has_url(before)) return no_such_resource();
    return function::UrlConfig();
  };
  auto closed = co_await store_url(services, (*function)->name, std::move(close));
  if (!closed) co_return fail(std::move(closed.error()));
  co_return http::Response(204);
}

Task<Answer> list_url_configs(Services& services, Exchange& exchange) {
  auto function = function_for_url(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  json::array configs;
  if (has_url((*function)->url))
    configs.push_back(url_json(services, **function, (*function)->url, false));
  co_return json_response(200, json::object{{"FunctionUrlConfigs", std::move(configs)}});
}

}  // namespace lambda::api
