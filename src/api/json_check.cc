#include "api/json_check.h"

#include "invoke/json_scan.h"

namespace lambda::api {
namespace {

constexpr std::size_t kDeepest = 1000;

}  // namespace

Result<Done> check_json(std::string_view text) {
  const auto fault = invoke::find_json_fault(text, kDeepest);
  if (!fault) return Done{};
  return fail(ErrorCode::bad_content, "Could not parse request body into json: {} at byte {}",
              fault->reason, fault->position);
}

Result<Done> check_json_member(std::string_view member, std::string_view text) {
  const auto fault = invoke::find_json_fault(text, kDeepest);
  if (!fault) return Done{};
  return fail(ErrorCode::bad_content, "{} is not JSON: {} at byte {}", member, fault->reason,
              fault->position);
}

}  // namespace lambda::api
