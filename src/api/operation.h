// What an operation of the control API gets, and how it answers. One coroutine a request, on the
// connection's loop.
#pragma once

#include "access/key_checker.h"
#include "api/access_rule.h"
#include "api/audit_trail.h"
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
#include "function/secret_table.h"
#include "http/body.h"
#include "http/message.h"
#include "http/server.h"
#include "invoke/call_trace.h"
#include "invoke/invoker.h"
#include "observe/log_store.h"
#include "observe/metrics/metrics_source.h"
#include "observe/trace/trace_store.h"
#include "store/audit_table.h"
#include "store/key_table.h"

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
  function::SecretTable& secrets;
  invoke::Invoker& invoker;
  deploy::Deployer& deployer;
  events::EventQueue& events;
  events::Scheduler& scheduler;
  observe::LogStore& logs;
  observe::TraceStore& traces;
  store::KeyTable& keys;
  store::AuditTable& audit;
  AuditTrail& trail;
  BlockingPool& store_thread;
  BlockingPool& disk;
  BlockingPool& log_readers;
  BlockingPool& users;  // the machine's user and group database
  const Clock& clock;
  invoke::TraceRules trace_rules;
  Addresses addresses;
  function::DriverName standard_driver;  // of functions that are made here
  ResolveImage resolve_image;
  // Done when this server can run the runtime; else says why not and what to do.
  std::function<Result<Done>(std::string_view runtime)> check_runtime;
  // What GET /_lambda/status says. `look`: of Docker as it is now, else as it was seen last.
  std::function<Task<boost::json::object>(bool look)> status;
  // What GET /_lambda/doctor says: the same, and checks of the machine.
  std::function<Task<boost::json::object>()> doctor;
  // Signs links for downloads; new at each start.
  std::string link_secret;
  observe::MetricsSource& metrics;
  bool metrics_open = false;  // /metrics wants no key
};

// One request on its way through an operation.
struct Exchange {
  http::Request& request;
  http::BodyReader& body;
  http::ResponseWriter& writer;
  std::string request_id;
  access::Caller caller;
  const AccessRule& rule;
  std::vector<std::string> captures;  // the path's variable parts, decoded
  std::string function;               // that it concerns; "" where it is none, or none is known yet
  // What was done, in some words without secrets, for the audit; an operation may say more.
  std::string note;
  // What an operation that writes its answer itself has come to, where that is no success.
  std::optional<Error> failed;

  // Whether the caller may do this to the function ("": to none in particular). The doorkeeper has
  // asked for the one that the path names; what the body names the operation asks for.
  [[nodiscard]] Result<Done> authorize(const Services& services, std::string_view name) const;
  // Whether the caller may do this to the server as a whole.
  [[nodiscard]] Result<Done> authorize_whole() const;
  // Whether the caller may name an image of this machine as code: it may hold another function's,
  // or anything else that Docker Engine has here.
  [[nodiscard]] Result<Done> authorize_image() const;
  // Whether the caller may know of the function, in a list and in words.
  [[nodiscard]] bool may_see(std::string_view name) const { return caller.grants.covers(name); }
  // Whether the caller may know the values of its environment variables: who may deploy it can read
  // them anyhow.
  [[nodiscard]] bool may_see_values(std::string_view name) const {
    return may_see(name) && caller.grants.may(store::Scope::deploy);
  }

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
[[nodiscard]] tl::unexpected<Error> no_function(const Services& services, const Exchange& exchange,
                                                std::string_view name);
// The name, when a function has it; else no_function's error.
[[nodiscard]] Result<std::string> known_function(const Services& services, const Exchange& exchange,
                                                 const std::string& name);
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
