#include "api/keys_api.h"

#include "api/time_json.h"
#include "base/moment.h"
#include "base/time_text.h"
#include "store/key_table.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

json::array words_json(std::string_view words) {
  json::array array;
  while (!words.empty()) {
    const auto end = words.find(',');
    array.emplace_back(words.substr(0, end));
    words.remove_prefix(end == std::string_view::npos ? words.size() : end + 1);
  }
  return array;
}

// Never the secret.
json::object key_json(const store::Key& key, WallTime now) {
  const auto& patterns = key.grants.patterns();
  json::object object;
  object["id"] = key.id;
  object["name"] = key.name;
  object["scopes"] = words_json(key.grants.scopes().text());
  object["functions"] = json::array(patterns.begin(), patterns.end());
  object["created"] = time_json(key.created);
  object["expires"] = time_json(key.expires);
  object["state"] = key.revoked ? "revoked" : key.is_expired(now) ? "expired" : "live";
  return object;
}

Result<Done> check_members(const json::object& body) {
  constexpr std::array<std::string_view, 4> kKnown = {"name", "scopes", "functions", "expires"};
  for (const auto& member : body) {
    if (std::ranges::find(kKnown, std::string_view(member.key())) != kKnown.end()) continue;
    // One that is passed over may have been the one that limits the key.
    return fail(ErrorCode::invalid, "a key has no \"{}\"; it has name, scopes, functions, expires",
                std::string_view(member.key()));
  }
  return Done{};
}

struct NewKey {
  std::string name;
  store::Grants grants;
  std::optional<WallTime> expires;
};

// A key that ends makes none that lives longer: its holder would be an administrator for ever.
Result<Done> check_end(const access::Caller& caller, const NewKey& wanted) {
  if (!caller.expires) return Done{};
  if (wanted.expires && *wanted.expires <= *caller.expires) return Done{};
  return fail(ErrorCode::denied,
              "the key \"{}\" ends at {}Z and makes no key that lives longer: give the new one an "
              "earlier end, or use a key without one",
              caller.name, format_iso(*caller.expires));
}

Result<NewKey> read_new_key(const Services& services, const json::object& body) {
  if (auto good = check_members(body); !good) return fail(std::move(good.error()));
  NewKey key;
  auto name = text_member(body, "name");
  if (!name) return fail(std::move(name.error()));
  key.name = name->value_or("");
  if (key.name == store::kAdminName) {
    return fail(ErrorCode::invalid,
                "\"{}\" is the name of the key that lambdad makes for itself: choose another",
                key.name);
  }
  auto scopes = list_member(body, "scopes");
  if (!scopes) return fail(std::move(scopes.error()));
  auto patterns = list_member(body, "functions");
  if (!patterns) return fail(std::move(patterns.error()));
  auto words = fmt::format("{}", fmt::join(scopes->value_or(std::vector<std::string>()), ","));
  auto grants = store::Grants::make(words, patterns->value_or(std::vector<std::string>()));
  if (!grants) return fail(std::move(grants.error()));
  key.grants = std::move(*grants);
  auto expires = text_member(body, "expires");
  if (!expires) return fail(std::move(expires.error()));
  if (*expires) {
    auto end = parse_until(**expires, services.clock.now());
    if (!end) return fail(std::move(end.error()), "expires");
    key.expires = *end;
  }
  return key;
}

// Nobody is locked out without one: say what still works.
bool is_last_admin(const Services& services) {
  const auto now = services.clock.now();
  return std::ranges::none_of(services.keys.list(), [now](const auto& listed) {
    return listed.key->is_live(now) && listed.key->grants.is_whole_admin();
  });
}

}  // namespace

Task<Answer> create_key(Services& services, Exchange& exchange) {
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  // Of one that is refused, too.
  if (const auto name = text_member(*body, "name"); name && *name)
    exchange.note = fmt::format("key \"{}\"", **name);
  auto wanted = read_new_key(services, *body);
  if (!wanted) co_return fail(std::move(wanted.error()));
  if (auto good = check_end(exchange.caller, *wanted); !good)
    co_return fail(std::move(good.error()));
  auto job = [&keys = services.keys, wanted = std::move(*wanted)] {
    return keys.create(wanted.name, wanted.grants, wanted.expires);
  };
  auto made = co_await change(services, std::move(job));
  if (!made) co_return fail(std::move(made.error()));
  const auto& key = **made;
  exchange.note = fmt::format(
      "key {} \"{}\": {}{}{}", key.id, key.name, key.grants.scopes().text(),
      key.grants.is_limited() ? fmt::format(" on {}", fmt::join(key.grants.patterns(), " ")) : "",
      key.expires ? fmt::format(", until {}Z", format_iso(*key.expires)) : "");
  auto object = key_json(key, services.clock.now());
  object["token"] = key.token();
  object["accessKeyId"] = key.id;
  object["secretAccessKey"] = key.secret;
  auto response = json_response(201, object);
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

Task<Answer> list_keys(Services& services, Exchange& exchange) {
  const auto all = exchange.request.query_value("all");
  if (all && *all != "true")
    co_return fail(ErrorCode::invalid, "all must be true, not \"{}\"", *all);
  const auto now = services.clock.now();
  json::array keys;
  for (const auto& [key, used, address] : services.keys.list()) {
    if (key->revoked && !all) continue;
    auto object = key_json(*key, now);
    object["lastUsed"] = time_json(used);
    object["lastAddress"] = address;
    keys.push_back(std::move(object));
  }
  co_return json_response(200, json::object{{"keys", std::move(keys)}});
}

Task<Answer> revoke_key(Services& services, Exchange& exchange) {
  const auto& wanted = exchange.captures.at(0);
  const auto key = services.keys.find_named(wanted);
  if (!key) {
    co_return fail(ErrorCode::not_found,
                   "there is no key \"{}\"; `lambda keys list` shows those that there are", wanted);
  }
  auto job = [&keys = services.keys, id = key->id] { return keys.revoke(id); };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  exchange.note = fmt::format("key {} \"{}\"", key->id, key->name);
  json::object reply;
  reply["id"] = key->id;
  reply["name"] = key->name;
  reply["lastAdmin"] = is_last_admin(services);
  co_return json_response(200, reply);
}

}  // namespace lambda::api
