#include "api/metrics_api.h"

#include "observe/metrics/prometheus_text.h"

#include <utility>

namespace lambda::api {

Task<Answer> get_metrics(Services& services, Exchange&) {
  auto text = co_await services.metrics.prometheus();
  if (!text) co_return fail(std::move(text.error()));
  co_return http::Response(200, std::string(observe::kPrometheusContentType), std::move(*text));
}

Task<Answer> get_stats(Services& services, Exchange& exchange) {
  auto stats = co_await services.metrics.stats();
  if (!stats) co_return fail(std::move(stats.error()));
  if (auto* functions = stats->if_contains("functions"); functions && functions->is_array()) {
    const auto hidden = [&exchange](const boost::json::value& one) {
      return !exchange.may_see(std::string_view(one.at("name").as_string()));
    };
    auto& all = functions->as_array();
    boost::json::array shown;
    for (auto& one : all) {
      if (!hidden(one)) shown.push_back(std::move(one));
    }
    all = std::move(shown);
  }
  co_return json_response(200, *stats);
}

Task<Answer> get_function_stats(Services& services, Exchange& exchange) {
  auto name = known_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  auto stats = co_await services.metrics.stats_of(std::move(*name));
  if (!stats) co_return fail(std::move(stats.error()));
  co_return json_response(200, *stats);
}

}  // namespace lambda::api
