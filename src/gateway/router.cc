#include "gateway/router.h"

#include "base/encoding.h"

namespace lambda::gateway {
namespace {

constexpr std::string_view kPathDoor = "/fn/";

// "/fn/greet/a?b" -> greet, /fn/greet, /a?b. False where no name follows /fn/.
bool split_path(std::string_view target, Route& route) {
  const auto behind = target.substr(kPathDoor.size());
  const auto end = behind.find_first_of("/?");
  const auto name = behind.substr(0, end);
  if (name.empty()) return false;
  route.door = Door::function_path;
  route.name = percent_decode(name);
  route.prefix = target.substr(0, kPathDoor.size() + name.size());
  route.target = end == std::string_view::npos ? std::string_view() : behind.substr(end);
  if (!route.target.starts_with('/')) route.target.insert(0, "/");
  return true;
}

}  // namespace

std::string_view Route::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view Route::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

std::string host_name(std::string_view host) {
  if (host.starts_with('[')) return to_lower(host.substr(0, host.find(']') + 1));
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return to_lower(host);
}

Router::Router(std::string_view domain) : suffix_("." + host_name(domain)) {}

Route Router::route(const http::Request& request) const {
  Route route;
  auto host = host_name(request.headers.get("Host"));
  if (host.size() > suffix_.size() && host.ends_with(suffix_)) {
    host.resize(host.size() - suffix_.size());
    route.door = Door::function_host;
    route.name = std::move(host);
    route.target = request.target;
    return route;
  }
  if (request.target.starts_with(kPathDoor) && split_path(request.target, route)) return route;
  route.target = request.target;
  return route;
}

}  // namespace lambda::gateway
