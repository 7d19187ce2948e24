#include "access/authorize.h"

#include <spdlog/fmt/ranges.h>

namespace lambda::access {
namespace {

tl::unexpected<Error> refuse(const Caller& caller, const Want& want, std::string_view why) {
  return fail(ErrorCode::denied,
              "User: {} is not authorized to perform: {} on resource: {} because no identity-based "
              "policy allows the {} action: {}",
              caller.user_arn, want.action, want.resource, want.action, why);
}

std::string key_text(const Caller& caller) {
  return fmt::format("the key \"{}\"", caller.name);
}

// "deploy or invoke"; who has the larger ones may, too.
std::string needed_text(store::Scopes needed) {
  auto text = needed.text();
  for (auto at = text.find(','); at != std::string::npos; at = text.find(','))
    text.replace(at, 1, " or ");
  return text;
}

}  // namespace

Result<Done> authorize(const Caller& caller, const Want& want) {
  const auto& grants = caller.grants;
  if (!grants.may(want.needed)) {
    return refuse(caller, want,
                  fmt::format("{} has the scope {}, and this needs {}", key_text(caller),
                              grants.scopes().empty() ? "of nothing" : grants.scopes().text(),
                              needed_text(want.needed)));
  }
  if (want.function.empty() || grants.covers(want.function)) return Done{};
  return refuse(caller, want,
                fmt::format("{} is for the functions {}", key_text(caller),
                            fmt::join(grants.patterns(), ", ")));
}

Result<Done> authorize_whole(const Caller& caller, const Want& want, std::string_view why) {
  auto may = authorize(caller, want);
  if (!may || !caller.grants.is_limited()) return may;
  return refuse(caller, want,
                fmt::format("{} is for the functions {}, and {}", key_text(caller),
                            fmt::join(caller.grants.patterns(), ", "), why));
}

}  // namespace lambda::access
