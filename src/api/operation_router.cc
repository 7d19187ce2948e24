#include "api/operation_router.h"

#include "api/audit_api.h"
#include "api/code_link.h"
#include "api/deploy_api.h"
#include "api/deploy_check_api.h"
#include "api/environment_api.h"
#include "api/events/invoke_config_api.h"
#include "api/events/queue_api.h"
#include "api/events/schedule_api.h"
#include "api/functions_api.h"
#include "api/invoke_api.h"
#include "api/keys_api.h"
#include "api/log_settings_api.h"
#include "api/logs_api.h"
#include "api/metrics_api.h"
#include "api/own_api.h"
#include "api/secrets_api.h"
#include "api/settings_api.h"
#include "api/traces_api.h"
#include "api/url_api.h"
#include "api/versions_api.h"
#include "base/encoding.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <set>

namespace lambda::api {
namespace {

// What came of an event is also for who may submit it.
constexpr auto kCaller = store::Scope::read | store::Scope::invoke;

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

OperationRouter::OperationRouter(bool metrics_open) {
  add_aws();
  add_refused();
  add_own();
  // Prometheus may be configured to send parameters with every scrape.
  add("GET", "/metrics", get_metrics,
      metrics_open ? open_to_all() : reads("GetMetrics", Subject::whole));
}

void OperationRouter::add(std::string method, std::string_view path, Operation operation,
                          AccessRule rule, std::string when_query) {
  Route route(std::move(rule));
  route.method = std::move(method);
  route.segments = segments_of(path);
  route.when_query = std::move(when_query);
  route.operation = std::move(operation);
  routes_.push_back(std::move(route));
}

void OperationRouter::add_own(std::string method, std::string_view path, Operation operation,
                              AccessRule rule, std::vector<std::string> parameters) {
  add(std::move(method), path, std::move(operation), std::move(rule));
  routes_.back().parameters = std::move(parameters);
}

void OperationRouter::add_aws() {
  add("POST", "/2015-03-31/functions", create_function, changes("CreateFunction", Subject::body));
  add("GET", "/2015-03-31/functions", list_functions, reads("ListFunctions", Subject::listing));
  add("GET", "/2015-03-31/functions/*", get_function, reads("GetFunction"));
  add("DELETE", "/2015-03-31/functions/*", delete_function, changes("DeleteFunction"));
  add("GET", "/2015-03-31/functions/*/configuration", get_function_configuration,
      reads("GetFunctionConfiguration"));
  add("PUT", "/2015-03-31/functions/*/configuration", update_function_configuration,
      changes("UpdateFunctionConfiguration"));
  add("PUT", "/2015-03-31/functions/*/code", update_function_code, changes("UpdateFunctionCode"));
  add("POST", "/2015-03-31/functions/*/invocations", invoke_function, invokes("InvokeFunction"));
  add("POST", "/2014-11-13/functions/*/invoke-async", invoke_async, invokes("InvokeAsync"));
  add("POST", "/2015-03-31/functions/*/versions", publish_version, changes("PublishVersion"));
  add("GET", "/2015-03-31/functions/*/versions", list_versions, reads("ListVersionsByFunction"));
  add("POST", "/2015-03-31/functions/*/aliases", create_alias, changes("CreateAlias"));
  add("GET", "/2015-03-31/functions/*/aliases", list_aliases, reads("ListAliases"));
  add("GET", "/2015-03-31/functions/*/aliases/*", get_alias, reads("GetAlias"));
  add("PUT", "/2015-03-31/functions/*/aliases/*", update_alias, changes("UpdateAlias"));
  add("DELETE", "/2015-03-31/functions/*/aliases/*", delete_alias, changes("DeleteAlias"));
  add("GET", "/2017-03-31/tags/*", list_tags, reads("ListTags"));
  add("POST", "/2017-03-31/tags/*", tag_resource, changes("TagResource"));
  add("DELETE", "/2017-03-31/tags/*", untag_resource, changes("UntagResource"));
  add("PUT", "/2017-10-31/functions/*/concurrency", put_concurrency,
      changes("PutFunctionConcurrency"));
  add("DELETE", "/2017-10-31/functions/*/concurrency", delete_concurrency,
      changes("DeleteFunctionConcurrency"));
  add("GET", "/2019-09-30/functions/*/concurrency", get_concurrency,
      reads("GetFunctionConcurrency"));
  add("POST", "/2021-10-31/functions/*/url", create_url_config, changes("CreateFunctionUrlConfig"));
  add("GET", "/2021-10-31/functions/*/url", get_url_config, reads("GetFunctionUrlConfig"));
  add("PUT", "/2021-10-31/functions/*/url", update_url_config, changes("UpdateFunctionUrlConfig"));
  add("DELETE", "/2021-10-31/functions/*/url", delete_url_config,
      changes("DeleteFunctionUrlConfig"));
  add("GET", "/2021-10-31/functions/*/urls", list_url_configs, reads("ListFunctionUrlConfigs"));
  add("GET", "/2016-08-19/account-settings", get_account_settings,
      reads("GetAccountSettings", Subject::server));
  add("GET", "/2020-06-30/functions/*/code-signing-config", get_code_signing_config,
      reads("GetFunctionCodeSigningConfig"));
  add("GET", "/2021-07-20/functions/*/runtime-management-config", get_runtime_management_config,
      reads("GetRuntimeManagementConfig"));
  add("GET", "/2024-08-31/functions/*/recursion-config", get_recursion_config,
      reads("GetFunctionRecursionConfig"));
  add("GET", "/2015-03-31/event-source-mappings", list_event_source_mappings,
      reads("ListEventSourceMappings", Subject::server));
  add("GET", "/2015-03-31/functions/*/policy", get_policy, reads("GetPolicy"));
  add("PUT", "/2019-09-25/functions/*/event-invoke-config", put_event_invoke_config,
      changes("PutFunctionEventInvokeConfig"));
  add("POST", "/2019-09-25/functions/*/event-invoke-config", update_event_invoke_config,
      changes("UpdateFunctionEventInvokeConfig"));
  add("GET", "/2019-09-25/functions/*/event-invoke-config", get_event_invoke_config,
      reads("GetFunctionEventInvokeConfig"));
  add("DELETE", "/2019-09-25/functions/*/event-invoke-config", delete_event_invoke_config,
      changes("DeleteFunctionEventInvokeConfig"));
  add("GET", "/2019-09-25/functions/*/event-invoke-config/list", list_event_invoke_configs,
      reads("ListFunctionEventInvokeConfigs"));
}

// What AWS has and this server does not: refused by name, never half done. Where reading is all a
// client wants, it is told that there is none.
void OperationRouter::add_refused() {
  add_refused_families();
  const auto provisioned =
      refuse_operation("provisioned concurrency is not supported in this build");
  for (const char* method : {"PUT", "DELETE"})
    add(method, "/2019-09-30/functions/*/provisioned-concurrency", provisioned,
        refuses("PutProvisionedConcurrencyConfig"));
  add("GET", "/2019-09-30/functions/*/provisioned-concurrency", list_provisioned_concurrency,
      reads("ListProvisionedConcurrencyConfigs"), "List");
  add("GET", "/2019-09-30/functions/*/provisioned-concurrency", get_provisioned_concurrency,
      reads("GetProvisionedConcurrencyConfig"));
  const auto policy = refuse_operation(
      "resource policies are not supported: keys decide who may call the API, and `lambda deploy "
      "--url` who may call a function's URL");
  add("POST", "/2015-03-31/functions/*/policy", policy, refuses("AddPermission"));
  add("DELETE", "/2015-03-31/functions/*/policy/*", policy, refuses("AddPermission"));
  for (const char* method : {"GET", "PUT", "DELETE"})
    add(method, "/2026-07-09/resource-policy/*", policy, refuses("AddPermission"));
  add("POST", "/2021-11-15/functions/*/response-streaming-invocations",
      refuse_operation("response streaming is not supported in this build: use Invoke"),
      refuses("InvokeWithResponseStream"));
  add("PUT", "/2024-08-31/functions/*/recursion-config",
      refuse_operation("recursion is not detected here: the setting cannot be changed"),
      refuses("PutFunctionRecursionConfig"));
  add("PUT", "/2021-07-20/functions/*/runtime-management-config",
      refuse_operation("runtimes are updated by runtimes/build: the setting cannot be changed"),
      refuses("PutRuntimeManagementConfig"));
}

void OperationRouter::add_refused_families() {
  const auto layers =
      refuse_operation("layers are not supported: put their files into the function's package");
  add("GET", "/2018-10-31/layers", layers, refuses("GetLayerVersion"), "find");
  add("GET", "/2018-10-31/layers", list_layers, reads("ListLayers", Subject::server));
  add("GET", "/2018-10-31/layers/*/versions", list_layer_versions,
      reads("ListLayerVersions", Subject::server));
  add("POST", "/2018-10-31/layers/*/versions", layers, refuses("GetLayerVersion"));
  for (const char* path :
       {"/2018-10-31/layers/*/versions/*", "/2018-10-31/layers/*/versions/*/policy",
        "/2018-10-31/layers/*/versions/*/policy/*"}) {
    for (const char* method : {"POST", "GET", "DELETE"})
      add(method, path, layers, refuses("GetLayerVersion"));
  }
  const auto sources = refuse_operation(
      "event source mappings are not supported: there is no stream or queue service here");
  add("POST", "/2015-03-31/event-source-mappings", sources, refuses("CreateEventSourceMapping"));
  for (const char* method : {"GET", "PUT", "DELETE"})
    add(method, "/2015-03-31/event-source-mappings/*", sources,
        refuses("CreateEventSourceMapping"));
  const auto signing =
      refuse_operation("code signing is not supported: keys decide who may change code");
  add("GET", "/2020-04-22/code-signing-configs", list_code_signing_configs,
      reads("ListCodeSigningConfigs", Subject::server));
  add("POST", "/2020-04-22/code-signing-configs", signing, refuses("CreateCodeSigningConfig"));
  for (const char* method : {"GET", "PUT", "DELETE"})
    add(method, "/2020-04-22/code-signing-configs/*", signing, refuses("CreateCodeSigningConfig"));
  add("GET", "/2020-04-22/code-signing-configs/*/functions", signing,
      refuses("CreateCodeSigningConfig"));
  for (const char* method : {"PUT", "DELETE"})
    add(method, "/2020-06-30/functions/*/code-signing-config", signing,
        refuses("CreateCodeSigningConfig"));
}

void OperationRouter::add_own() {
  for (const char* method : {"GET", "HEAD"}) {
    add(method, "/", get_root, open_to_all());
  }
  add("GET", "/_lambda/health", get_health, open_to_all());
  add("GET", "/_lambda/code/*", download_code, open_to_all());
  add_own("GET", "/_lambda/status", get_status,
          AccessRule("GetStatus", kAnyKey, Subject::server, false), {"docker"});
  add_own("GET", "/_lambda/doctor", get_doctor,
          AccessRule("GetDoctor", store::Scope::read, Subject::server, false));
  add_own("GET", "/_lambda/functions", own_list_functions,
          reads("ListFunctions", Subject::listing));
  add_own("GET", "/_lambda/functions/*", own_get_function, reads("GetFunction"));
  add_own("DELETE", "/_lambda/functions/*", own_delete_function, changes("DeleteFunction"));
  add_own("GET", "/_lambda/functions/*/versions", own_list_versions,
          reads("ListVersionsByFunction"));
  add_own("POST", "/_lambda/functions/*/deploy", deploy_function, changes("Deploy"));
  add_own("POST", "/_lambda/functions/*/deploy/check", check_deploy,
          AccessRule("CheckDeploy", store::Scope::deploy, Subject::function, false));
  add_own("POST", "/_lambda/functions/*/rollback", rollback, changes("Rollback"));
  add_own("POST", "/_lambda/functions/*/promote", promote, changes("Promote"));
  add_own("PUT", "/_lambda/functions/*/aliases/*", own_set_alias, changes("UpdateAlias"));
  add_own("PUT", "/_lambda/functions/*/url", put_url, changes("UpdateFunctionUrlConfig"));
  add_own("PUT", "/_lambda/functions/*/log-settings", put_log_settings,
          changes("ChangeLogSettings"));
  add_own("POST", "/_lambda/functions/*/invocations", invoke_live, invokes("InvokeFunction"),
          {"qualifier"});
  add_own("GET", "/_lambda/functions/*/logs", get_logs, reads("GetLogs"),
          {"limit", "since", "until", "search", "level", "requestId", "version", "after", "before",
           "follow"});
  add("GET", "/_lambda/functions/*/environment", get_environment,
      AccessRule("GetEnvironmentValues", store::Scope::deploy, Subject::function, false), "values");
  routes_.back().parameters = {"values"};
  add_own("GET", "/_lambda/functions/*/environment", get_environment, reads("GetEnvironment"));
  add_own("PUT", "/_lambda/functions/*/environment", change_environment,
          changes("ChangeEnvironment"));
  add_own("GET", "/_lambda/secrets", list_secrets, reads("ListSecrets", Subject::query),
          {"function"});
  add_own("PUT", "/_lambda/secrets/*", put_secret, changes("PutSecret", Subject::owner),
          {"function", "as"});
  add_own("DELETE", "/_lambda/secrets/*", delete_secret, changes("DeleteSecret", Subject::owner),
          {"function"});
  add_own("GET", "/_lambda/functions/*/traces", list_traces, reads("ListTraces"),
          {"limit", "slow", "failed"});
  add_own("GET", "/_lambda/traces/*", get_trace, reads("GetTrace", Subject::listing));
  add_own("GET", "/_lambda/stats", get_stats, reads("GetStats", Subject::listing));
  add_own("GET", "/_lambda/functions/*/stats", get_function_stats, reads("GetFunctionStats"));
  add_own("GET", "/_lambda/queue", get_queue, reads("GetQueue", Subject::query), {"function"});
  add_own("GET", "/_lambda/functions/*/events", list_events, reads("ListEvents"),
          {"state", "limit", "before"});
  add_own("DELETE", "/_lambda/functions/*/events", purge_events, changes("PurgeEvents"), {"state"});
  add_own("POST", "/_lambda/functions/*/events/redrive", redrive_events,
          runs_again("RedriveEvents"));
  add_own("GET", "/_lambda/functions/*/event-settings", get_event_settings,
          reads("GetEventSettings"));
  add_own("GET", "/_lambda/functions/*/webhook-secret", get_webhook_secret,
          AccessRule("GetWebhookSecret", store::Scope::deploy, Subject::function, false));
  add_own("GET", "/_lambda/events/*", get_event,
          AccessRule("GetEvent", kCaller, Subject::event, false));
  add_own("DELETE", "/_lambda/events/*", cancel_event, changes("CancelEvent", Subject::event));
  add_own("GET", "/_lambda/events/*/payload", get_event_payload,
          reads("GetEventPayload", Subject::event));
  add_own("GET", "/_lambda/events/*/result", get_event_result,
          AccessRule("GetEventResult", kCaller, Subject::event, false));
  add_own("POST", "/_lambda/events/*/redrive", redrive_event,
          runs_again("RedriveEvent", Subject::event));
  add_schedules();
  add_administration();
}

void OperationRouter::add_administration() {
  add_own("POST", "/_lambda/keys", create_key, administers("CreateKey", true));
  add_own("GET", "/_lambda/keys", list_keys, administers("ListKeys", false), {"all"});
  add_own("DELETE", "/_lambda/keys/*", revoke_key, administers("RevokeKey", true));
  add_own("GET", "/_lambda/audit", list_audit, administers("ListAudit", false),
          {"function", "key", "since", "limit", "before"});
  add_own("GET", "/_lambda/audit/verify", verify_audit, administers("VerifyAudit", false));
}

void OperationRouter::add_schedules() {
  add_own("GET", "/_lambda/schedules", list_schedules, reads("ListSchedules", Subject::listing));
  add_own("POST", "/_lambda/schedules/check", check_schedules,
          reads("CheckSchedules", Subject::server));
  add_own("GET", "/_lambda/functions/*/schedules", list_function_schedules, reads("ListSchedules"));
  add_own("PUT", "/_lambda/functions/*/schedules", declare_schedules, changes("DeclareSchedules"));
  add_own("GET", "/_lambda/functions/*/schedules/*", get_schedule, reads("GetSchedule"));
  add_own("PUT", "/_lambda/functions/*/schedules/*", put_schedule, changes("PutSchedule"));
  add_own("DELETE", "/_lambda/functions/*/schedules/*", delete_schedule, changes("DeleteSchedule"));
  add_own("POST", "/_lambda/functions/*/schedules/*/pause", pause_schedule,
          changes("PauseSchedule"));
  add_own("POST", "/_lambda/functions/*/schedules/*/resume", resume_schedule,
          changes("ResumeSchedule"));
  add_own("POST", "/_lambda/functions/*/schedules/*/run", run_schedule, runs_again("RunSchedule"));
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
    matched.rule = &route.rule;
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
