#include "api/traces_api.h"

#include <charconv>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostTraces = 1'000;
constexpr std::size_t kLongestId = 128;

Result<std::size_t> parse_limit(const http::Request& request, std::size_t standard) {
  const auto text = request.query_value("limit");
  if (!text) return standard;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size() || limit == 0 ||
      limit > kMostTraces) {
    return fail(ErrorCode::invalid, "limit must be a number from 1 to {}, not \"{}\"", kMostTraces,
                *text);
  }
  return limit;
}

// "?slow" and "?slow=true" alike.
Result<bool> parse_flag(const http::Request& request, std::string_view name) {
  const auto text = request.query_value(name);
  if (!text || *text == "false") return false;
  if (text->empty() || *text == "true") return true;
  return fail(ErrorCode::invalid, "{} is true or false, not \"{}\"", name, *text);
}

json::object calls_json(std::vector<json::object> calls) {
  json::array shown;
  for (auto& call : calls) shown.emplace_back(std::move(call));
  return {{"calls", std::move(shown)}};
}

}  // namespace

Task<Answer> get_trace(Services& services, Exchange& exchange) {
  const auto& id = exchange.captures.at(0);
  std::vector<json::object> calls;
  if (id.size() <= kLongestId) calls = co_await services.traces.find(id);
  std::erase_if(calls, [&exchange](const json::object& call) {
    return !exchange.may_see(std::string_view(call.at("function").as_string()));
  });
  if (calls.empty()) {
    co_return fail(
        ErrorCode::not_found,
        "no call with the request id \"{}\" is known: it is older than what is kept (all "
        "recent calls, and the slow and failed ones of the last days), still runs or "
        "waits, or never came here. `lambda trace --function NAME` lists those that "
        "there are",
        id.substr(0, kLongestId));
  }
  co_return json_response(200, calls_json(std::move(calls)));
}

Task<Answer> list_traces(Services& services, Exchange& exchange) {
  auto name = known_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  observe::TraceStore::Query query;
  query.function = std::move(*name);
  auto limit = parse_limit(exchange.request, query.limit);
  if (!limit) co_return fail(std::move(limit.error()));
  query.limit = *limit;
  auto slow = parse_flag(exchange.request, "slow");
  if (!slow) co_return fail(std::move(slow.error()));
  query.slow = *slow;
  auto failed = parse_flag(exchange.request, "failed");
  if (!failed) co_return fail(std::move(failed.error()));
  query.failed = *failed;
  auto calls = co_await services.traces.list(std::move(query));
  co_return json_response(200, calls_json(std::move(calls)));
}

}  // namespace lambda::api
