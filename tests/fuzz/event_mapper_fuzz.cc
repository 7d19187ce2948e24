// A request of any bytes becomes an event that is JSON, and any bytes as a function's result become
// a response or an error.
#include "gateway/event_mapper.h"
#include "gateway/result_mapper.h"

#include <boost/json/parse.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&rest] {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return std::string(line);
  };
  static_cast<void>(lambda::gateway::make_response(rest));
  lambda::http::Request request;
  request.method = next();
  request.target = "/" + next();
  request.headers.add("Host", next());
  request.headers.add("Cookie", next());
  request.headers.add("Content-Type", next());
  request.headers.add("X-Any", next());
  request.headers.add(next(), next());
  const auto route = lambda::gateway::Router("localhost").route(request);
  const lambda::gateway::EventContext context;
  const auto event = lambda::gateway::make_event(request, route, rest, context);
  boost::system::error_code error;
  boost::json::parse(boost::json::string_view(event.data(), event.size()), error);
  if (error) std::abort();
  return 0;
}
