#include "access/signed_body.h"

#include <utility>

namespace lambda::access {

Task<Result<SignedBody>> read_signed(const KeyChecker& keys, BlockingPool& disk,
                                     const http::Request& request, http::BodyReader& body,
                                     std::size_t limit) {
  auto so_far = keys.check_before_body(request);
  if (!so_far) co_return fail(std::move(so_far.error()));
  auto bytes = co_await http::read_all(body, limit);
  if (!bytes) co_return fail(std::move(bytes.error()));
  auto check = [&keys, &request, &bytes] { return keys.check_signature(request, *bytes); };
  auto caller = co_await run_sized(disk, bytes->size(), std::move(check));
  if (!caller) co_return fail(std::move(caller.error()));
  SignedBody read{std::move(*caller), std::move(*bytes)};
  co_return read;
}

}  // namespace lambda::access
