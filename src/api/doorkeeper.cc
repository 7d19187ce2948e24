#include "api/doorkeeper.h"

#include "access/authorize.h"

#include <utility>

namespace lambda::api {
namespace {

// As the operations read it. What is no function's name is none of theirs either: they refuse it,
// each in its own words.
std::string named_function(const Services& services, const std::string& spelling) {
  auto name = parse_function_name(spelling, std::nullopt, services.catalog.tenant());
  return name ? name->name : spelling;
}

// Asked for where it makes a difference: a look at the database for every look at an event is much.
Task<Result<std::string>> function_of_event(Services& services, const Exchange& exchange) {
  const bool matters = exchange.caller.grants.is_limited() || exchange.rule.changes();
  if (!matters) co_return std::string();
  auto event = co_await services.events.find(exchange.captures.at(0));
  if (!event) co_return fail(std::move(event.error()));
  co_return std::move(event->function);
}

}  // namespace

Task<Result<std::string>> check_access(Services& services, const Exchange& exchange) {
  const auto subject = exchange.rule.subject();
  std::string function;
  if (subject == Subject::function) {
    function = named_function(services, exchange.captures.at(0));
  } else if (subject == Subject::query || subject == Subject::owner) {
    function = exchange.request.query_value("function").value_or("");
  } else if (subject == Subject::event) {
    // The scope first: who has none learns nothing of events.
    auto scope = exchange.authorize(services, "");
    if (!scope) co_return fail(std::move(scope.error()));
    auto of_event = co_await function_of_event(services, exchange);
    if (!of_event) co_return of_event;
    function = std::move(*of_event);
  }
  const bool whole = subject == Subject::whole || (subject == Subject::owner && function.empty());
  auto may = whole ? exchange.authorize_whole() : exchange.authorize(services, function);
  if (!may) co_return fail(std::move(may.error()));
  co_return function;
}

}  // namespace lambda::api
