#include "api/own_api.h"

#include "api/functions_api.h"
#include "api/log_settings_api.h"
#include "api/time_json.h"
#include "deploy/live_move.h"

#include <algorithm>

namespace lambda::api {
namespace {

namespace json = boost::json;

Result<function::FunctionPtr> find(Services& services, const Exchange& exchange) {
  const auto& name = exchange.captures.at(0);
  const auto snapshot = services.catalog.snapshot();
  const auto found = snapshot->functions.find(name);
  if (found != snapshot->functions.end()) return found->second;
  return no_function(services, exchange, name);
}

void add_own_settings(json::object& object, const function::Configuration& configuration) {
  if (configuration.egress) {
    object["egress"] = *configuration.egress;
  } else {
    object["egress"] = nullptr;
  }
  if (configuration.idle_seconds) {
    object["idleTime"] = *configuration.idle_seconds;
  } else {
    object["idleTime"] = nullptr;
  }
  object["minInstances"] = configuration.min_instances;
  object["isolation"] = function::to_string(configuration.isolation);
  if (configuration.cpu_thousandths != 0) {
    object["cpus"] = configuration.cpu_thousandths / 1000.0;
  } else {
    object["cpus"] = nullptr;
  }
}

json::object function_json(Services& services, const function::Function& function) {
  const auto version = function.answering();
  const auto& configuration = version->configuration;
  json::object object;
  object["name"] = function.name;
  object["url"] = services.addresses.url_of(function);
  object["urlAuth"] = function::to_string(function.url.auth);
  if (function.reserved_concurrency) {
    object["reservedConcurrency"] = *function.reserved_concurrency;
  } else {
    object["reservedConcurrency"] = nullptr;
  }
  const auto* live = function.live();
  if (live != nullptr && live->version != 0) {
    object["live"] = live->version;
  } else {
    object["live"] = nullptr;
  }
  object["latestNewerThanLive"] = function.draft_is_news();
  object["runtime"] = configuration.runtime;
  object["packageType"] = function::to_string(configuration.package_type);
  object["kind"] = function::to_string(configuration.kind);
  if (configuration.kind == function::Kind::http)
    object["concurrency"] = configuration.concurrency.value_or(function::kHttpConcurrency);
  add_own_settings(object, configuration);
  object["handler"] = configuration.handler;
  object["timeout"] = configuration.timeout_seconds;
  object["memory"] = configuration.memory_mb;
  object["driver"] = configuration.driver ? function::to_string(*configuration.driver) : "";
  object["versions"] = function.versions.size();
  json::array aliases;
  for (const auto& [name, alias] : function.aliases) {
    json::object shown = {
        {"name", name},
        {"version", alias.version == 0 ? "$LATEST" : std::to_string(alias.version)},
        {"description", alias.description}};
    if (alias.additional) shown["additional"] = share_json(*alias.additional);
    aliases.push_back(std::move(shown));
  }
  object["aliases"] = std::move(aliases);
  object["codeSize"] = version->code.size;
  object["codeSha256"] = version->code.sha256;
  object["lastModified"] = iso_z(version->last_modified);
  object["state"] = function::to_string(version->state);
  object["logs"] = log_settings_json(services, function);
  return object;
}

// What the URL follows. Null where that is $LATEST.
json::value live_json(const function::Function& function) {
  const auto* live = function.live();
  const auto version = live == nullptr ? nullptr : function.version(live->version);
  if (version == nullptr || version->is_latest()) return nullptr;
  json::object object;
  object["version"] = version->number;
  object["message"] = version->message;
  object["weighted"] = live->additional.has_value();
  object["sameAsLatest"] = function.is_as_draft(*version);
  return object;
}

// {"version": n} or {}. Versions may be written as text too.
Result<std::optional<std::uint64_t>> wanted_version(const json::object& body) {
  const auto* value = body.if_contains("version");
  if (value == nullptr || value->is_null()) return std::optional<std::uint64_t>();
  boost::system::error_code error;
  if (const auto number = value->to_number<std::uint64_t>(error); !error && number > 0)
    return number;
  return fail(ErrorCode::invalid, "version must be the number of a published version");
}

Task<Answer> move_live(Services& services, Exchange& exchange, deploy::Direction direction) {
  auto found = find(services, exchange);
  if (!found) co_return fail(std::move(found.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto version = wanted_version(*body);
  if (!version) co_return fail(std::move(version.error()));
  deploy::LiveMoveParts parts{services.catalog, services.invoker, services.store_thread,
                              services.secrets};
  auto moved = co_await deploy::move_live(parts, (*found)->name, *version, direction);
  if (!moved) co_return fail(std::move(moved.error()));
  json::object reply;
  if (moved->from) {
    reply["from"] = moved->from->number;
  } else {
    reply["from"] = nullptr;
  }
  reply["to"] = moved->to->number;
  exchange.note = moved->from
                      ? fmt::format("version {} to {}", moved->from->number, moved->to->number)
                      : fmt::format("to version {}", moved->to->number);
  if (moved->shared) reply["shared"] = share_json(*moved->shared);
  reply["url"] = services.addresses.url_of(**found);
  reply["urlAuth"] = function::to_string((*found)->url.auth);
  co_return json_response(200, reply);
}

}  // namespace

json::object share_json(const function::VersionShare& share) {
  return {{"version", std::to_string(share.first)}, {"weight", share.second}};
}

// Who comes to the server itself by a browser. It names no function: nobody has shown a key.
Task<Answer> get_root(Services& services, Exchange& exchange) {
  const auto& [domain, port, base] = services.addresses;
  const auto by_name =
      fmt::format("http://NAME.{}{}", domain, port == 80 ? "" : fmt::format(":{}", port));
  const auto by_path = base + "/fn/NAME/";
  const auto text = fmt::format(
      "This is a Lambda server. The function NAME answers at {} and at {}; the control API wants a "
      "key",
      by_name, by_path);
  if (exchange.request.headers.get("Accept").find("text/html") == std::string_view::npos)
    co_return json_response(200, json::object{{"message", text}});
  http::Response page(200);
  page.headers.add("Content-Type", "text/html; charset=utf-8");
  page.headers.add("Content-Security-Policy", "default-src 'none'");
  page.body = fmt::format(
      "<!doctype html>\n<title>Lambda</title>\n<h1>Lambda</h1>\n<p>This is a Lambda server. The "
      "function <i>NAME</i> answers at</p>\n<ul>\n<li><code>{}</code></li>\n<li><code>{}</code>"
      "</li>\n</ul>\n<p><code>lambda list</code> shows the functions; the control API wants a "
      "key.</p>\n",
      by_name, by_path);
  co_return page;
}

Task<Answer> get_health(Services&, Exchange&) {
  co_return json_response(200, json::object{{"status", "ok"}});
}

Task<Answer> get_status(Services& services, Exchange& exchange) {
  const auto docker = exchange.request.query_value("docker");
  if (docker && *docker != "now")
    co_return fail(ErrorCode::invalid, "docker must be now, not \"{}\"", *docker);
  const auto status = co_await services.status(docker.has_value());
  co_return json_response(200, status);
}

Task<Answer> get_doctor(Services& services, Exchange&) {
  const auto found = co_await services.doctor();
  co_return json_response(200, found);
}

Task<Answer> own_list_functions(Services& services, Exchange& exchange) {
  const auto snapshot = services.catalog.snapshot();
  json::array functions;
  for (const auto& [name, function] : snapshot->functions) {
    if (exchange.may_see(name)) functions.push_back(function_json(services, *function));
  }
  co_return json_response(200, json::object{{"functions", std::move(functions)}});
}

Task<Answer> own_get_function(Services& services, Exchange& exchange) {
  auto found = find(services, exchange);
  if (!found) co_return fail(std::move(found.error()));
  co_return json_response(200, function_json(services, **found));
}

Task<Answer> own_list_versions(Services& services, Exchange& exchange) {
  auto found = find(services, exchange);
  if (!found) co_return fail(std::move(found.error()));
  const auto& function = **found;
  const auto* live = function.live();
  json::array versions;
  for (auto at = function.versions.rbegin(); at != function.versions.rend(); ++at) {
    const auto& version = *at->second;
    json::object item;
    item["version"] = version.number;
    item["created"] = iso_z(version.last_modified);
    item["codeSize"] = version.code.size;
    item["codeSha256"] = version.code.sha256;
    item["message"] = version.message;
    item["description"] = version.configuration.description;
    item["live"] = live != nullptr && live->version == version.number;
    if (version.live_since) {
      item["liveSince"] = iso_z(*version.live_since);
    } else {
      item["liveSince"] = nullptr;
    }
    item["deployed"] = version.deployed;
    item["runtime"] = version.configuration.runtime;
    item["packageType"] = function::to_string(version.configuration.package_type);
    add_own_settings(item, version.configuration);
    versions.push_back(std::move(item));
  }
  json::object reply{{"versions", std::move(versions)}};
  reply["live"] = live_json(function);
  reply["latestNewerThanLive"] = function.draft_is_news();
  reply["logs"] = log_settings_json(services, function);
  co_return json_response(200, reply);
}

Task<Answer> own_delete_function(Services& services, Exchange& exchange) {
  auto found = find(services, exchange);
  if (!found) co_return fail(std::move(found.error()));
  auto done = co_await delete_whole_function(services, (*found)->name);
  if (!done) co_return fail(std::move(done.error()));
  json::array aliases;
  for (const auto& [name, alias] : (*found)->aliases) aliases.emplace_back(name);
  json::object reply;
  reply["versions"] = (*found)->versions.size();
  reply["aliases"] = std::move(aliases);
  co_return json_response(200, reply);
}

Task<Answer> rollback(Services& services, Exchange& exchange) {
  co_return co_await move_live(services, exchange, deploy::Direction::back);
}
Task<Answer> promote(Services& services, Exchange& exchange) {
  co_return co_await move_live(services, exchange, deploy::Direction::forward);
}

Task<Answer> put_url(Services& services, Exchange& exchange) {
  auto found = find(services, exchange);
  if (!found) co_return fail(std::move(found.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto text = text_member(*body, "auth");
  if (!text) co_return fail(std::move(text.error()));
  const auto auth = function::parse_url_auth(text->value_or(""));
  exchange.note = "auth " + text->value_or("").substr(0, 8);
  if (!auth)
    co_return fail(ErrorCode::invalid, "auth must be open, iam, key or none, not \"{}\"",
                   text->value_or(""));
  auto job = [&catalog = services.catalog, name = (*found)->name, auth = *auth] {
    const auto set = [auth](function::UrlConfig url) -> Result<function::UrlConfig> {
      url.auth = auth;
      return url;
    };
    return catalog.update_url(name, set);
  };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  co_return co_await own_get_function(services, exchange);
}

}  // namespace lambda::api
