// A Host and a target of any bytes: the router always finds a door, and what the function sees is a
// path.
#include "gateway/router.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto split = bytes.find('\n');
  if (split == std::string_view::npos) return 0;
  lambda::http::Request request;
  request.method = "GET";
  request.target = "/" + std::string(bytes.substr(split + 1));
  request.headers.add("Host", std::string(bytes.substr(0, split)));
  const auto route = lambda::gateway::Router("localhost").route(request);
  using lambda::gateway::Door;
  const bool fine = route.target.starts_with('/') && route.path().starts_with('/') &&
                    (route.door == Door::api || !route.name.empty()) &&
                    (route.door == Door::function_path) == !route.prefix.empty() &&
                    (route.prefix.empty() || request.target.starts_with(route.prefix));
  if (!fine) std::abort();
  return 0;
}
