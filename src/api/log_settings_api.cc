#include "api/log_settings_api.h"

#include "api/own_api.h"
#include "base/deploy_rules.h"

#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

using Number = std::optional<std::int64_t>;

// Nothing where it is absent; nothing in it where it is null.
Result<std::optional<Number>> read_limit(const json::object& settings, const char* name,
                                         Result<Done> (*check)(std::int64_t)) {
  if (!settings.contains(name)) return std::optional<Number>();
  auto number = number_member(settings, name);
  if (!number) return fail(std::move(number.error()));
  if (*number) {
    if (auto good = check(**number); !good) return fail(std::move(good.error()));
  }
  return std::optional<Number>(*number);
}

// For the audit: "size 8, age the server's".
std::string note_of(const function::LogSettingsChange& change) {
  std::string note;
  const auto add = [&note](const char* what, const Number& value) {
    note += fmt::format("{}{} {}", note.empty() ? "" : ", ", what,
                        value ? std::to_string(*value) : "the server's");
  };
  if (change.size_mb) add("size", *change.size_mb);
  if (change.age) add("age", *change.age ? Number((*change.age)->count()) : Number());
  return note;
}

}  // namespace

Result<function::LogSettingsChange> read_log_settings(const json::object& settings) {
  for (const auto& member : settings) {
    const std::string_view name = member.key();
    if (name == "size" || name == "age") continue;
    return fail(ErrorCode::invalid,
                "a log has no setting \"{}\"; it has size (MB) and age (seconds)", name);
  }
  function::LogSettingsChange change;
  auto size = read_limit(settings, "size", check_log_size);
  if (!size) return fail(std::move(size.error()));
  change.size_mb = *size;
  auto age = read_limit(settings, "age", check_log_age);
  if (!age) return fail(std::move(age.error()));
  if (*age) {
    std::optional<std::chrono::seconds> seconds;
    if (**age) seconds = std::chrono::seconds(***age);
    change.age = seconds;
  }
  return change;
}

json::object log_settings_json(Services& services, const function::Function& function) {
  const auto limits = services.logs.limits_of(function.name);
  const auto& own = function.logs;
  json::array named;
  if (own.size_mb) named.emplace_back("size");
  if (own.age) named.emplace_back("age");
  json::object object;
  object["size"] = own.size_mb.value_or(static_cast<std::int64_t>(limits.bytes() >> 20));
  object["age"] = own.age.value_or(limits.age).count();
  object["own"] = std::move(named);
  return object;
}

Task<Answer> put_log_settings(Services& services, Exchange& exchange) {
  auto name = known_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto wanted = read_log_settings(*body);
  if (!wanted) co_return fail(std::move(wanted.error()));
  exchange.note = note_of(*wanted);
  auto job = [&catalog = services.catalog, name = *name, wanted = *wanted] {
    return catalog.set_log_settings(name, wanted);
  };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  co_return co_await own_get_function(services, exchange);
}

}  // namespace lambda::api
