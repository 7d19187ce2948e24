#include "access/key_checker.h"

#include "base/encoding.h"
#include "store/key_table.h"

namespace lambda::access {

std::optional<std::string_view> bearer_token(std::string_view authorization) {
  constexpr std::string_view kBearer = "Bearer ";
  if (!equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) return std::nullopt;
  return authorization.substr(kBearer.size());
}

bool carries_key(std::string_view authorization) {
  auto token = bearer_token(authorization);
  if (!token) return false;
  while (token->starts_with(' ')) token->remove_prefix(1);
  while (token->ends_with(' ')) token->remove_suffix(1);
  return store::KeyTable::parse_token(*token).has_value();
}

}  // namespace lambda::access
