// What an operation of the control API gets, and how it answers. One coroutine a request, on the
// connection's loop.
#pragma once

#include "access/key_checker.h"
#include "api/function_name.h"
#include "api/json_members.h"
#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "deploy/deployer.h"
#include "events/queue/event_queue.h"
#include "events/scheduler/scheduler.h"
#include "function/catalog.h"
#include "function/package_store.h"
#include "http/body.h"
#include "http/message.h"
#include "http/server.h"
#include "invoke/invoker.h"
#include "observe/log_store.h"

#include <boost/json.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::api {

// Code on its way to a version; what it lies in is not deleted while `kept` lives.
struct TakenCode {
  function::Code code;
  std::shared_ptr<const void> kept;
};

// The code of a local image that ImageUri names, ready for this driver. Errors: not_found,
// unavailable.
using ResolveImage =
    std::function<Task<Result<TakenCode>>(std::string reference, function::DriverName driver)>;

// How a function's URL is written on this server.
struct Addresses {
  std::string domain;
  std::uint16_t port = 80;
  std::string base;  // "http://127.0.0.1:8080": the API

  // "http://greet.localhost:8080", or base + "/fn/NAME/" for a name that is no host label.
  [[nodiscard]] std::string url_of(const function::Function& function) const;
};

// Everything that operations work with. All of it outlives the API.
struct Services {
  function::Catalog& catalog;
  function::PackageStore& packages;
  invoke::Invoker& invoker;
  deploy::Deployer& deployer;
  events::EventQueue& events;
  events::Scheduler& scheduler;
  observe::LogStore& logs;
  BlockingPool& store_thread;
  BlockingPool& disk;
  BlockingPool& users;  // the machine's user and group database
  const Clock& clock;
  Addresses addresses;
  function::DriverName standard_driver;  // of functions that are made here
  ResolveImage resolve_image;
  // Done when this server can run the runtime; else says why not and what to do.
  std::function<Result<Done>(std::string_view runtime)> check_runtime;
  // What GET /_lambda/status says. `look`: of Docker as it is now, else as it was seen last.
  std::function<Task<boost::json::object>(bool look)> status;
  // Signs links for downloads; new at each start.
  std::string link_secret;
};

// One request on its way through an operation.
struct Exchange {
  http::Request& request;
  http::BodyReader& body;
  http::ResponseWriter& writer;
  std::string request_id;
  access::Caller caller;
  std::vector<std::string> captures;  // the path's variable parts, decoded

  // The function that the first capture names, with ?Qualifier=.
  [[nodiscard]] Result<FunctionName> function_name(const Services& services) const;
  // The same where the operation is about the whole function: a version or alias (other than
  // $LATEST, which means the same) is refused instead of changing something else than was named.
  [[nodiscard]] Result<FunctionName> unqualified_name(const Services& services) const;
};

// The answer, or nothing when the operation has written it itself (streams).
using Answer = Result<std::optional<http::Response>>;
using Operation = std::function<Task<Answer>(Services& services, Exchange& exchange)>;

// --- what most operations need

// For operations of our own: there is none of that name, and what to do: the name that was meant,
// or where they are listed.
[[nodiscard]] tl::unexpected<Error> no_function(const Services& services, std::string_view name);
// The name, when a function has it; else no_function's error.
[[nodiscard]] Result<std::string> known_function(const Services& services, const std::string& name);
// The same for the first capture.
[[nodiscard]] Result<std::string> known_function(const Services& services,
                                                 const Exchange& exchange);

// AWS gives no more items than this in one page.
inline constexpr std::size_t kPageSize = 50;

// The body as a JSON object; an empty body is {}. A large one is parsed on the disk's threads.
// Errors: invalid (SerializationException), too_large.
Task<Result<boost::json::object>> read_object(Services& services, Exchange& exchange,
                                              std::size_t limit = 1 << 20);
[[nodiscard]] http::Response json_response(unsigned status, const boost::json::value& value);

// Runs a change of the catalog on the store's thread.
template <class Job>
auto change(Services& services, Job job) {
  return run_blocking(services.store_thread, std::move(job));
}

}  // namespace lambda::api
