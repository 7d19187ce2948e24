#include "api/cors_request.h"

#include "api/json_members.h"
#include "function/validation.h"

#include <algorithm>
#include <array>

namespace lambda::api {
namespace {

namespace json = boost::json;

struct List {
  const char* member;
  const char* field;
  std::size_t most;  // items
};
constexpr std::array<List, 4> kLists = {{
    {"AllowHeaders", "cors.allowHeaders", 100},
    {"AllowMethods", "cors.allowMethods", 6},
    {"AllowOrigins", "cors.allowOrigins", 100},
    {"ExposeHeaders", "cors.exposeHeaders", 100},
}};
constexpr std::int64_t kMostAge = 86'400;

}  // namespace

Result<std::string> read_cors(const json::object& given) {
  json::object kept;
  function::ValidationErrors errors;
  auto credentials = flag_member(given, "AllowCredentials");
  if (!credentials) return fail(std::move(credentials.error()));
  if (*credentials) kept["AllowCredentials"] = **credentials;
  for (const auto& [member, field, most] : kLists) {
    auto list = list_member(given, member);
    if (!list) return fail(std::move(list.error()));
    if (!*list) continue;
    if ((*list)->size() > most) {
      errors.add(field, fmt::format("{} items", (*list)->size()),
                 fmt::format("Member must have length less than or equal to {}", most));
    }
    for (const auto& item : **list) {
      // They become header lines of every response.
      if (std::ranges::any_of(item, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        errors.add(field, "...", "Member must satisfy regular expression pattern: .*");
    }
    kept[member] = json::array((*list)->begin(), (*list)->end());
  }
  auto age = number_member(given, "MaxAge");
  if (!age) return fail(std::move(age.error()));
  if (*age) {
    errors.check_range("cors.maxAge", **age, 0, kMostAge);
    kept["MaxAge"] = **age;
  }
  if (auto good = errors.result(); !good) return fail(std::move(good.error()));
  return kept.empty() ? std::string() : json::serialize(kept);
}

}  // namespace lambda::api
