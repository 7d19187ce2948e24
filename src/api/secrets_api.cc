#include "api/secrets_api.h"

#include "api/time_json.h"
#include "base/crypto.h"
#include "function/secret_users.h"

#include <algorithm>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;
using function::Secret;

json::object secret_json(const Exchange& exchange, const function::Snapshot& now,
                         const Secret& secret) {
  json::object object;
  object["name"] = secret.name;
  if (secret.function.empty()) {
    object["function"] = nullptr;
  } else {
    object["function"] = secret.function;
  }
  object["as"] = function::to_string(secret.form);
  object["digest"] = secret.digest;
  object["changed"] = iso_z(secret.changed);
  auto& users = object["usedBy"].emplace_array();
  for (const auto& user : function::users_of_secret(now, secret.function, secret.name)) {
    if (exchange.may_see(user)) users.emplace_back(user);
  }
  auto& resting = object["askedForBy"].emplace_array();
  for (const auto& [user, versions] :
       function::resting_users_of_secret(now, secret.function, secret.name)) {
    if (!exchange.may_see(user)) continue;
    const json::array numbers(versions.begin(), versions.end());
    resting.push_back(json::object{{"function", user}, {"versions", numbers}});
  }
  return object;
}

// ?function=, which must be there; "" without.
Result<std::string> wanted_function(const Services& services, const Exchange& exchange) {
  const auto name = exchange.request.query_value("function");
  if (!name || name->empty()) return std::string();
  if (services.catalog.snapshot()->functions.contains(*name)) return *name;
  auto missing = no_function(services, exchange, *name);
  const auto& said = missing.value().message();
  return fail(
      ErrorCode::not_found,
      "{}{} A secret for a function that is still to be deployed is put without --function, "
      "and asked for by its lambda.toml: secrets = [\"NAME\"]",
      said, said.ends_with('?') ? "" : ".");
}

Result<std::optional<function::SecretForm>> wanted_form(const Exchange& exchange) {
  const auto text = exchange.request.query_value("as");
  if (!text) return std::optional<function::SecretForm>();
  const auto form = function::parse_secret_form(*text);
  if (!form) return fail(ErrorCode::invalid, "as must be env or file, not \"{}\"", *text);
  return form;
}

std::optional<Secret> find(const function::SecretTable& secrets, const std::string& function,
                           const std::string& name) {
  auto all = secrets.list();
  const auto found = std::ranges::find_if(all, [&](const Secret& secret) {
    return secret.function == function && secret.name == name;
  });
  return found == all.end() ? std::nullopt : std::optional(std::move(*found));
}

struct Change {
  Secret secret;
  bool replaced = false;   // there was one
  bool unchanged = false;  // and it was the same
};

Result<Change> put(function::SecretTable& secrets, const std::string& function,
                   const std::string& name, std::optional<function::SecretForm> form,
                   const std::string& value) {
  const auto before = find(secrets, function, name);
  Change change;
  change.replaced = before.has_value();
  change.unchanged = before && (!form || *form == before->form) && !value.empty() &&
                     before->digest == secrets.digest(function, name, value);
  if (change.unchanged) {
    change.secret = *before;
    return change;
  }
  auto saved = secrets.put(function, name, form, value);
  if (!saved) return fail(std::move(saved.error()));
  change.secret = std::move(*saved);
  return change;
}

// Functions that get it by what is live, whose settings there have a variable of that name: it is
// hidden.
json::array hiding(const Exchange& exchange, const function::Snapshot& now, const Secret& secret) {
  json::array functions;
  for (const auto& name : function::users_of_secret(now, secret.function, secret.name)) {
    const auto found = now.functions.find(name);
    if (found == now.functions.end() || !exchange.may_see(name)) continue;
    const auto& configuration = found->second->answering()->configuration;
    if (secret.function.empty() && !configuration.secrets.contains(secret.name)) continue;
    if (!function::hidden_variables(configuration, {secret}).empty()) functions.emplace_back(name);
  }
  return functions;
}

}  // namespace

Task<Answer> list_secrets(Services& services, Exchange& exchange) {
  auto function = wanted_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  const auto now = services.catalog.snapshot();
  json::array shown;
  for (const auto& secret : services.secrets.list()) {
    if (!secret.function.empty() && !exchange.may_see(secret.function)) continue;
    const auto users = function::users_of_secret(*now, secret.function, secret.name);
    if (function->empty() || std::ranges::find(users, *function) != users.end())
      shown.push_back(secret_json(exchange, *now, secret));
  }
  co_return json_response(200, json::object{{"secrets", std::move(shown)}});
}

Task<Answer> put_secret(Services& services, Exchange& exchange) {
  const auto& name = exchange.captures.at(0);
  auto named = function::check_secret_name(name);
  if (!named) co_return fail(std::move(named.error()));
  auto function = wanted_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto form = wanted_form(exchange);
  if (!form) co_return fail(std::move(form.error()));
  auto value = co_await http::read_all(exchange.body, function::kMaxSecretBytes);
  if (!value && value.error().code() == ErrorCode::too_large) {
    const std::string longer(function::kMaxSecretBytes + 1, ' ');
    auto told = function::check_secret_value(name, longer, function::SecretForm::file);
    co_return fail(std::move(told.error()));
  }
  if (!value) co_return fail(std::move(value.error()));
  // Deletions run on the same thread: one that came first leaves no function to put it for.
  auto job = [&services, &exchange, function = *function, name, form = *form,
              value = std::move(*value)]() mutable -> Result<Change> {
    if (!function.empty() && !services.catalog.snapshot()->functions.contains(function))
      return no_function(services, exchange, function);
    auto changed = put(services.secrets, function, name, form, value);
    wipe(value);
    return changed;
  };
  auto changed = co_await change(services, std::move(job));
  if (!changed) co_return fail(std::move(changed.error()));
  const auto now = services.catalog.snapshot();
  if (!changed->unchanged)
    services.invoker.retire(function::versions_with_secret(*now, *function, name));
  auto reply = secret_json(exchange, *now, changed->secret);
  reply["replaced"] = changed->replaced;
  reply["unchanged"] = changed->unchanged;
  reply["hidesVariableOf"] = hiding(exchange, *now, changed->secret);
  co_return json_response(200, reply);
}

Task<Answer> delete_secret(Services& services, Exchange& exchange) {
  const auto& name = exchange.captures.at(0);
  auto function = wanted_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto job = [&secrets = services.secrets, function = *function, name] {
    return secrets.remove(function, name);
  };
  auto removed = co_await change(services, std::move(job));
  if (!removed) co_return fail(std::move(removed.error()));
  const auto now = services.catalog.snapshot();
  services.invoker.retire(function::versions_with_secret(*now, *function, name));
  co_return http::Response(204);
}

}  // namespace lambda::api
