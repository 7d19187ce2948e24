#include "api/operation_router.h"

#include "api/code_link.h"
#include "api/deploy_api.h"
#include "api/deploy_check_api.h"
#include "api/events/invoke_config_api.h"
#include "api/events/queue_api.h"
#include "api/events/schedule_api.h"
#include "api/functions_api.h"
#include "api/invoke_api.h"
#include "api/own_api.h"
#include "api/settings_api.h"
#include "api/url_api.h"
#include "api/versions_api.h"
#include "base/encoding.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <set>

namespace lambda::api {
namespace {

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  while (true) {
    const auto end = path.find('/');
    segments.emplace_back(path.substr(0, end));
    if (end == std::string_view::npos) return segments;
    path.remove_prefix(end + 1);
  }
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  return std::ranges::equal(pattern, segments,
                            [](const std::string& wanted, const std::string& given) {
                              return wanted == "*" ? !given.empty() : wanted == given;
                            });
}

// A word that is passed over may have been the one that spares something.
Result<Done> check_parameters(const OperationRouter::Route& route, const http::Request& request) {
  if (!route.parameters) return Done{};
  for (const auto& [name, value] : http::parse_query(request.query())) {
    const bool of_signature = name.starts_with("X-Amz-");
    if (of_signature || std::ranges::find(*route.parameters, name) != route.parameters->end())
      continue;
    return fail(
        ErrorCode::invalid, "{} {} has no parameter \"{}\"; it takes {}", request.method,
        request.path(), name,
        route.parameters->empty() ? "none" : fmt::format("{}", fmt::join(*route.parameters, ", ")));
  }
  return Done{};
}

}  // namespace

OperationRouter::OperationRouter() {
  add_aws();
  add_refused();
  add_own();
}

void OperationRouter::add(std::string method, std::string_view path, Operation operation,
                          std::string when_query) {
  Route route;
  route.method = std::move(method);
  route.segments = segments_of(path);
  route.when_query = std::move(when_query);
  route.operation = std::move(operation);
  routes_.push_back(std::move(route));
}

void OperationRouter::add_own(std::string method, std::string_view path, Operation operation,
                              std::vector<std::string> parameters) {
  add(std::move(method), path, std::move(operation));
  routes_.back().parameters = std::move(parameters);
}

void OperationRouter::add_aws() {
  add("POST", "/2015-03-31/functions", create_function);
  add("GET", "/2015-03-31/functions", list_functions);
  add("GET", "/2015-03-31/functions/*", get_function);
  add("DELETE", "/2015-03-31/functions/*", delete_function);
  add("GET", "/2015-03-31/functions/*/configuration", get_function_configuration);
  add("PUT", "/2015-03-31/functions/*/configuration", update_function_configuration);
  add("PUT", "/2015-03-31/functions/*/code", update_function_code);
  add("POST", "/2015-03-31/functions/*/invocations", invoke_function);
  add("POST", "/2014-11-13/functions/*/invoke-async", invoke_async);
  add("POST", "/2015-03-31/functions/*/versions", publish_version);
  add("GET", "/2015-03-31/functions/*/versions", list_versions);
  add("POST", "/2015-03-31/functions/*/aliases", create_alias);
  add("GET", "/2015-03-31/functions/*/aliases", list_aliases);
  add("GET", "/2015-03-31/functions/*/aliases/*", get_alias);
  add("PUT", "/2015-03-31/functions/*/aliases/*", update_alias);
  add("DELETE", "/2015-03-31/functions/*/aliases/*", delete_alias);
  add("GET", "/2017-03-31/tags/*", list_tags);
  add("POST", "/2017-03-31/tags/*", tag_resource);
  add("DELETE", "/2017-03-31/tags/*", untag_resource);
  add("PUT", "/2017-10-31/functions/*/concurrency", put_concurrency);
  add("DELETE", "/2017-10-31/functions/*/concurrency", delete_concurrency);
  add("GET", "/2019-09-30/functions/*/concurrency", get_concurrency);
  add("POST", "/2021-10-31/functions/*/url", create_url_config);
  add("GET", "/2021-10-31/functions/*/url", get_url_config);
  add("PUT", "/2021-10-31/functions/*/url", update_url_config);
  add("DELETE", "/2021-10-31/functions/*/url", delete_url_config);
  add("GET", "/2021-10-31/functions/*/urls", list_url_configs);
  add("GET", "/2016-08-19/account-settings", get_account_settings);
  add("GET", "/2020-06-30/functions/*/code-signing-config", get_code_signing_config);
  add("GET", "/2021-07-20/functions/*/runtime-management-config", get_runtime_management_config);
  add("GET", "/2024-08-31/functions/*/recursion-config", get_recursion_config);
  add("GET", "/2015-03-31/event-source-mappings", list_event_source_mappings);
  add("GET", "/2015-03-31/functions/*/policy", get_policy);
  add("PUT", "/2019-09-25/functions/*/event-invoke-config", put_event_invoke_config);
  add("POST", "/2019-09-25/functions/*/event-invoke-config", update_event_invoke_config);
  add("GET", "/2019-09-25/functions/*/event-invoke-config", get_event_invoke_config);
  add("DELETE", "/2019-09-25/functions/*/event-invoke-config", delete_event_invoke_config);
  add("GET", "/2019-09-25/functions/*/event-invoke-config/list", list_event_invoke_configs);
}

// What AWS has and this server does not: refused by name, never half done. Where reading is all a
// client wants, it is told that there is none.
void OperationRouter::add_refused() {
  add_refused_families();
  const auto provisioned =
      refuse_operation("provisioned concurrency is not supported in this build");
  for (const char* method : {"PUT", "DELETE"})
    add(method, "/2019-09-30/functions/*/provisioned-concurrency", provisioned);
  add("GET", "/2019-09-30/functions/*/provisioned-concurrency", list_provisioned_concurrency,
      "List");
  add("GET", "/2019-09-30/functions/*/provisioned-concurrency", get_provisioned_concurrency);
  const auto policy = refuse_operation(
      "resource policies are not supported: keys decide who may call the API, and `lambda deploy "
      "--url` who may call a function's URL");
  add("POST", "/2015-03-31/functions/*/policy", policy);
  add("DELETE", "/2015-03-31/functions/*/policy/*", policy);
  for (const char* method : {"GET", "PUT", "DELETE"})
    add(method, "/2026-07-09/resource-policy/*", policy);
  add("POST", "/2021-11-15/functions/*/response-streaming-invocations",
      refuse_operation("response streaming is not supported in this build: use Invoke"));
  add("PUT", "/2024-08-31/functions/*/recursion-config",
      refuse_operation("recursion is not detected here: the setting cannot be changed"));
  add("PUT", "/2021-07-20/functions/*/runtime-management-config",
      refuse_operation("runtimes are updated by runtimes/build: the setting cannot be changed"));
}

void OperationRouter::add_refused_families() {
  const auto layers =
      refuse_operation("layers are not supported: put their files into the function's package");
  add("GET", "/2018-10-31/layers", layers, "find");
  add("GET", "/2018-10-31/layers", list_layers);
  add("GET", "/2018-10-31/layers/*/versions", list_layer_versions);
  add("POST", "/2018-10-31/layers/*/versions", layers);
  for (const char* path :
       {"/2018-10-31/layers/*/versions/*", "/2018-10-31/layers/*/versions/*/policy",
        "/2018-10-31/layers/*/versions/*/policy/*"}) {
    for (const char* method : {"POST", "GET", "DELETE"}) add(method, path, layers);
  }
  const auto sources = refuse_operation(
      "event source mappings are not supported: there is no stream or queue service here");
  add("POST", "/2015-03-31/event-source-mappings", sources);
  for (const char* method : {"GET", "PUT", "DELETE"})
    add(method, "/2015-03-31/event-source-mappings/*", sources);
  const auto signing =
      refuse_operation("code signing is not supported: keys decide who may change code");
  add("GET", "/2020-04-22/code-signing-configs", list_code_signing_configs);
  add("POST", "/2020-04-22/code-signing-configs", signing);
  for (const char* method : {"GET", "PUT", "DELETE"})
    add(method, "/2020-04-22/code-signing-configs/*", signing);
  add("GET", "/2020-04-22/code-signing-configs/*/functions", signing);
  for (const char* method : {"PUT", "DELETE"})
    add(method, "/2020-06-30/functions/*/code-signing-config", signing);
}

void OperationRouter::add_own() {
  for (const char* method : {"GET", "HEAD"}) {
    add(method, "/", get_root);
    routes_.back().needs_key = false;
  }
  add("GET", "/_lambda/health", get_health);
  routes_.back().needs_key = false;
  add("GET", "/_lambda/code/*", download_code);
  routes_.back().needs_key = false;
  add_own("GET", "/_lambda/status", get_status, {"docker"});
  add_own("GET", "/_lambda/functions", own_list_functions);
  add_own("GET", "/_lambda/functions/*", own_get_function);
  add_own("DELETE", "/_lambda/functions/*", own_delete_function);
  add_own("GET", "/_lambda/functions/*/versions", own_list_versions);
  add_own("POST", "/_lambda/functions/*/deploy", deploy_function);
  add_own("POST", "/_lambda/functions/*/deploy/check", check_deploy);
  add_own("POST", "/_lambda/functions/*/rollback", rollback);
  add_own("POST", "/_lambda/functions/*/promote", promote);
  add_own("PUT", "/_lambda/functions/*/url", put_url);
  add_own("POST", "/_lambda/functions/*/invocations", invoke_live, {"qualifier"});
  add_own("GET", "/_lambda/functions/*/logs", get_logs, {"limit", "requestId", "version"});
  add_own("GET", "/_lambda/queue", get_queue, {"function"});
  add_own("GET", "/_lambda/functions/*/events", list_events, {"state", "limit", "before"});
  add_own("DELETE", "/_lambda/functions/*/events", purge_events, {"state"});
  add_own("POST", "/_lambda/functions/*/events/redrive", redrive_events);
  add_own("GET", "/_lambda/functions/*/event-settings", get_event_settings);
  add_own("GET", "/_lambda/functions/*/webhook-secret", get_webhook_secret);
  add_own("GET", "/_lambda/events/*", get_event);
  add_own("DELETE", "/_lambda/events/*", cancel_event);
  add_own("GET", "/_lambda/events/*/payload", get_event_payload);
  add_own("GET", "/_lambda/events/*/result", get_event_result);
  add_own("POST", "/_lambda/events/*/redrive", redrive_event);
  add_schedules();
}

void OperationRouter::add_schedules() {
  add_own("GET", "/_lambda/schedules", list_schedules);
  add_own("POST", "/_lambda/schedules/check", check_schedules);
  add_own("GET", "/_lambda/functions/*/schedules", list_function_schedules);
  add_own("PUT", "/_lambda/functions/*/schedules", declare_schedules);
  add_own("GET", "/_lambda/functions/*/schedules/*", get_schedule);
  add_own("PUT", "/_lambda/functions/*/schedules/*", put_schedule);
  add_own("DELETE", "/_lambda/functions/*/schedules/*", delete_schedule);
  add_own("POST", "/_lambda/functions/*/schedules/*/pause", pause_schedule);
  add_own("POST", "/_lambda/functions/*/schedules/*/resume", resume_schedule);
  add_own("POST", "/_lambda/functions/*/schedules/*/run", run_schedule);
}

Result<Matched> OperationRouter::match(const http::Request& request) const {
  const auto segments = segments_of(request.path());
  std::set<std::string> methods;
  for (const auto& route : routes_) {
    if (!matches(route.segments, segments)) continue;
    methods.insert(route.method);
    if (route.method != request.method) continue;
    if (!route.when_query.empty() && !request.query_value(route.when_query)) continue;
    if (auto good = check_parameters(route, request); !good) return fail(std::move(good.error()));
    Matched matched;
    matched.operation = &route.operation;
    matched.needs_key = route.needs_key;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (route.segments[i] == "*") matched.captures.push_back(percent_decode(segments[i]));
    }
    return matched;
  }
  if (!methods.empty()) {
    return fail(Error(ErrorCode::invalid, fmt::format("{} is not possible here: {}", request.method,
                                                      fmt::join(methods, ", ")))
                    .with_aws_type("MethodNotAllowedException"));
  }
  return fail(
      Error(ErrorCode::not_found,
            fmt::format(
                "there is no operation at {} {}; a function is reached at its host name or at "
                "/fn/NAME/",
                request.method, request.path()))
          .with_aws_type("UnknownOperationException"));
}

}  // namespace lambda::api
