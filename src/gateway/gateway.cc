#include "gateway/gateway.h"

namespace lambda::gateway {

std::uint8_t counted_as(Door door) {
  switch (door) {
    case Door::api:
      return 1;
    case Door::function_host:
      return 2;
    case Door::function_path:
      return 3;
  }
  return 0;
}

Task<void> Gateway::handle(http::Request& request, http::BodyReader& body,
                           http::ResponseWriter& writer) {
  const auto route = router_.route(request);
  request.door = counted_as(route.door);
  if (route.door == Door::api) {
    co_await api_.handle(request, body, writer);
  } else {
    co_await door_.handle(route, request, body, writer);
  }
}

}  // namespace lambda::gateway
