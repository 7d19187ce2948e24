#include "gateway/gateway.h"

namespace lambda::gateway {

Task<void> Gateway::handle(http::Request& request, http::BodyReader& body,
                           http::ResponseWriter& writer) {
  const auto route = router_.route(request);
  if (route.door == Door::api) {
    co_await api_.handle(request, body, writer);
  } else {
    co_await door_.handle(route, request, body, writer);
  }
}

}  // namespace lambda::gateway
