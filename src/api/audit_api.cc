#include "api/audit_api.h"

#include "api/time_json.h"
#include "base/moment.h"
#include "store/audit_table.h"

#include <charconv>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostEntries = 1'000;

template <class Number>
Result<Number> number_of(const Exchange& exchange, std::string_view name, Number standard,
                         Number most) {
  const auto text = exchange.request.query_value(name);
  if (!text) return standard;
  Number number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size() && number > 0 && number <= most)
    return number;
  return fail(ErrorCode::invalid, "{} must be a number from 1 to {}, not \"{}\"", name, most,
              *text);
}

Result<store::AuditTable::Query> read_query(const Services& services, const Exchange& exchange) {
  store::AuditTable::Query query;
  query.function = exchange.request.query_value("function").value_or("");
  query.who = exchange.request.query_value("key").value_or("");
  if (const auto since = exchange.request.query_value("since")) {
    auto moment = parse_moment(*since, services.clock.now());
    if (!moment) return fail(std::move(moment.error()), "since");
    query.since = *moment;
  }
  auto limit = number_of<std::size_t>(exchange, "limit", 50, kMostEntries);
  if (!limit) return fail(std::move(limit.error()));
  query.limit = *limit;
  auto before = number_of<std::int64_t>(exchange, "before", 0, INT64_MAX);
  if (!before) return fail(std::move(before.error()));
  query.before = *before;
  return query;
}

json::object entry_json(const store::AuditEntry& entry) {
  const auto& row = entry.row;
  json::object object;
  object["id"] = row.seq;
  object["time"] = iso_z(row.time);
  object["by"] = row.kind;
  object["who"] = row.actor;
  object["name"] = row.name;
  object["address"] = row.address;
  object["operation"] = row.operation;
  object["function"] = row.function;
  object["note"] = row.note;
  object["requestId"] = row.request_id;
  object["status"] = nullptr;
  if (entry.finished) object["status"] = row.status;
  object["error"] = row.error;
  return object;
}

}  // namespace

Task<Answer> list_audit(Services& services, Exchange& exchange) {
  auto query = read_query(services, exchange);
  if (!query) co_return fail(std::move(query.error()));
  auto look = [&table = services.audit, query = std::move(*query)]() -> Result<http::Response> {
    auto entries = table.list(query);
    if (!entries) return fail(std::move(entries.error()));
    json::array shown;
    for (const auto& entry : *entries) shown.push_back(entry_json(entry));
    return json_response(200, json::object{{"entries", std::move(shown)}});
  };
  auto response = co_await run_blocking(services.disk, std::move(look));
  if (!response) co_return fail(std::move(response.error()));
  co_return std::move(*response);
}

Task<Answer> verify_audit(Services& services, Exchange&) {
  auto look = [&table = services.audit] { return table.verify(); };
  auto verdict = co_await run_blocking(services.disk, std::move(look));
  if (!verdict) co_return fail(std::move(verdict.error()));
  json::object reply;
  reply["rows"] = verdict->rows;
  reply["first"] = verdict->first;
  reply["last"] = verdict->last;
  reply["lastHash"] = verdict->last_hash;
  reply["problem"] = verdict->problem;
  co_return json_response(200, reply);
}

}  // namespace lambda::api
