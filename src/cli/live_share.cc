#include "cli/live_share.h"

#include "cli/connection/json_fields.h"

#include <spdlog/fmt/fmt.h>

namespace lambda::cli {
namespace {

// At most two decimals, and none that says nothing: "25 %", "0.5 %".
std::string percent_text(double share) {
  auto text = fmt::format("{:.2f}", share * 100);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + " %";
}

std::optional<LiveShare> share_in(const boost::json::object& object, const char* member) {
  const auto* second = object.if_contains(member);
  if (second == nullptr || !second->is_object()) return std::nullopt;
  const auto* weight = second->as_object().if_contains("weight");
  if (weight == nullptr || !weight->is_number()) return std::nullopt;
  const auto share = weight->to_number<double>();
  return LiveShare{text_in(second->as_object(), "version"), percent_text(share),
                   percent_text(1 - share)};
}

}  // namespace

std::optional<LiveShare> live_share(const boost::json::object& function) {
  for (const auto& item : array_in(function, "aliases")) {
    const auto& alias = item.as_object();
    if (text_in(alias, "name") == "live") return share_of_alias(alias);
  }
  return std::nullopt;
}

std::optional<LiveShare> share_of_alias(const boost::json::object& alias) {
  return share_in(alias, "additional");
}

std::string ended_share_text(const boost::json::object& answer, std::int64_t now) {
  const auto share = share_in(answer, "shared");
  if (!share) return {};
  return fmt::format(
      "live was shared: {} of the calls went to version {}; all of them go to version {} now",
      share->percent, share->version, now);
}

}  // namespace lambda::cli
