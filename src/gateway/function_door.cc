#include "gateway/function_door.h"

#include "access/authorize.h"
#include "access/signed_body.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "gateway/event_mapper.h"
#include "gateway/http_proxy.h"
#include "gateway/result_mapper.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace lambda::gateway {
namespace {

constexpr std::string_view kKeyHeader = "X-Lambda-Key";
// A function may give its error any type it likes; this much of it is passed on.
constexpr std::size_t kLongestErrorType = 128;

// Of a presigned URL, what lets nobody who reads the event, or a log of it, call once more.
std::string without_signature(std::string_view target) {
  const auto begin = target.find('?');
  if (begin == std::string_view::npos) return std::string(target);
  std::string kept(target.substr(0, begin));
  char joint = '?';
  for (auto rest = target.substr(begin + 1); !rest.empty();) {
    const auto end = rest.find('&');
    const auto pair = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (percent_decode(pair.substr(0, pair.find('='))) == "X-Amz-Signature") continue;
    kept += std::exchange(joint, '&');
    kept += pair;
  }
  return kept;
}

// What a client that sent a bad body is told; nothing where it is gone.
std::optional<http::Response> body_failure(const Reply& reply, const Error& error) {
  if (error.code() == ErrorCode::unavailable) return std::nullopt;
  if (error.code() == ErrorCode::timeout) return reply.failure(408, error.message());
  return reply.failure(error);
}

bool wants_queue(const http::Request& request) {
  return equals_ignoring_case(request.headers.get("X-Lambda-Async"), "true");
}

// Somebody who writes "yes" does not want to wait for an answer either.
bool is_unclear(const http::Request& request) {
  const auto text = request.headers.get("X-Lambda-Async");
  return !text.empty() && !wants_queue(request) && !equals_ignoring_case(text, "false");
}

// A body that is read already, for its signature; its room is its source's to give back.
class SignedRequestBody final : public http::BodyReader {
 public:
  SignedRequestBody(std::string bytes, http::BodyReader& source)
      : rest_(std::move(bytes)), source_(source) {}
  Task<Result<std::string>> read_some() override { return rest_.read_some(); }
  void let_go() override { source_.let_go(); }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override {
    return rest_.declared_length();
  }

 private:
  http::BufferedBody rest_;
  http::BodyReader& source_;
};

}  // namespace

struct FunctionDoor::Admitted {
  explicit Admitted(function::Resolved its_target) : target(std::move(its_target)) {}
  function::Resolved target;
  std::optional<access::Caller> caller;  // of a signed request
  std::optional<access::Caller> holder;  // of the key, by either spelling
  std::optional<std::string> body;       // where it is read already
};

struct FunctionDoor::Admission {
  std::optional<http::Response> refusal;
  bool client_gone = false;
  std::optional<access::Caller> caller;
  std::optional<access::Caller> holder;
  std::optional<std::string> body;  // where it had to be read to decide
};

Result<function::Resolved> FunctionDoor::find(const Route& route) const {
  const auto now = catalog_.snapshot();
  std::string name = route.name;
  if (route.door == Door::function_host) {
    const auto entry = now->names_by_label.find(route.name);
    if (entry != now->names_by_label.end()) name = entry->second;
  }
  const bool known = route.door == Door::function_host ? now->names_by_label.contains(route.name)
                                                       : now->functions.contains(name);
  if (known) {
    auto found = catalog_.resolve_live(name);
    if (found || found.error().code() != ErrorCode::not_found) return found;
  }
  constexpr std::size_t kShown = 64;
  auto nearest = catalog_.nearest_name(route.name);
  // Anybody may ask here: of those that do not answer everybody the name is nobody's to learn.
  const auto meant = now->functions.find(nearest);
  if (meant != now->functions.end() && meant->second->url.auth != function::UrlAuth::open)
    nearest.clear();
  return fail(ErrorCode::not_found, "there is no function named \"{}\"{}",
              route.name.substr(0, kShown),
              nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?");
}

Task<void> FunctionDoor::handle(const Route& route, http::Request& request, http::BodyReader& body,
                                http::ResponseWriter& writer) {
  Reply reply(request, route, random_uuid(), failures_);
  auto target = find(route);
  if (!target) {
    auto answer = reply.failure(target.error());
    co_await writer.send(std::move(answer));
    co_return;
  }
  const auto& function = *target->function;
  reply.set_function(function.name);
  request.answerer = function.name;
  request.answerer_version = target->version->label();
  if (auto cors = Cors::parse(function.url.cors_json)) {
    if (auto answer = cors->preflight(request)) {
      answer->headers.set("x-amzn-RequestId", reply.request_id());
      co_await writer.send(std::move(*answer));
      co_return;
    }
    reply.set_cors(std::move(cors));
  }
  auto admission = co_await admit(function, request, body, reply);
  if (admission.refusal) {
    co_await writer.send(std::move(*admission.refusal));
    co_return;
  }
  if (admission.client_gone) co_return;
  Route seen = route;
  if (admission.caller) seen.target = without_signature(route.target);
  Admitted admitted(std::move(*target));
  admitted.caller = std::move(admission.caller);
  admitted.holder = std::move(admission.holder);
  admitted.body = std::move(admission.body);
  co_await pass_on(seen, request, body, reply, std::move(admitted), writer);
}

// A key calls what it may invoke.
Result<Done> FunctionDoor::check_caller(const access::Caller& caller,
                                        const std::string& function) const {
  access::Want want;
  want.action = "lambda:InvokeFunctionUrl";
  want.needed = store::Scope::invoke;
  want.function = function;
  want.resource = catalog_.function_arn(function);
  return access::authorize(caller, want);
}

// Applies the URL's rule, and takes from the request what the function must not see.
Task<FunctionDoor::Admission> FunctionDoor::admit(const function::Function& function,
                                                  http::Request& request, http::BodyReader& body,
                                                  const Reply& reply) {
  Admission admission;
  if (function.url.auth == function::UrlAuth::closed) {
    admission.refusal = reply.failure(
        403,
        fmt::format("the URL of {0} is closed. Open it with `lambda url {0} open` or "
                    "`aws lambda create-function-url-config --function-name {0} --auth-type NONE`",
                    function.name));
  } else if (function.url.auth == function::UrlAuth::key) {
    const auto* token = request.headers.find(kKeyHeader);
    if (token == nullptr) {
      admission.refusal =
          reply.failure(403, "this URL takes an API key in the header X-Lambda-Key");
    } else if (auto caller = keys_.check_key(request, *token); !caller) {
      admission.refusal = reply.failure(caller.error());
    } else if (auto may = check_caller(*caller, function.name); !may) {
      admission.refusal = reply.failure(may.error());
    } else {
      admission.holder = std::move(*caller);
    }
  } else if (function.url.auth == function::UrlAuth::iam) {
    auto read = co_await access::read_signed(keys_, disk_, request, body, invoke::kMaxPayloadBytes);
    if (!read) {
      admission.refusal = body_failure(reply, read.error());
      admission.client_gone = !admission.refusal;
      co_return admission;
    }
    if (auto may = check_caller(read->caller, function.name); !may) {
      admission.refusal = reply.failure(may.error());
      co_return admission;
    }
    admission.holder = read->caller;
    admission.caller = std::move(read->caller);
    request.headers.remove("Authorization");
    admission.body = std::move(read->bytes);
  }
  request.headers.remove(kKeyHeader);
  // Sent here by mistake, a key of the control API is no function's to know.
  const auto is_key = [](const auto& field) {
    return equals_ignoring_case(field.name, "Authorization") && access::carries_key(field.value);
  };
  if (std::ranges::any_of(request.headers, is_key)) request.headers.remove("Authorization");
  co_return admission;
}

Task<void> FunctionDoor::pass_on(const Route& route, const http::Request& request,
                                 http::BodyReader& body, const Reply& reply, Admitted admitted,
                                 http::ResponseWriter& writer) {
  if (is_unclear(request)) {
    auto refusal = reply.failure(400, "X-Lambda-Async is true or false");
    co_await writer.send(std::move(refusal));
    co_return;
  }
  if (admitted.target.version->configuration.kind == function::Kind::http) {
    if (wants_queue(request)) {
      auto refusal = reply.failure(
          400,
          "X-Lambda-Async is for handlers; an event for an HTTP function is queued with "
          "`lambda invoke --async`");
      co_await writer.send(std::move(refusal));
      co_return;
    }
    auto trace = traces_.begin(request.headers, clock_.now());
    std::optional<SignedRequestBody> whole;
    if (admitted.body) whole.emplace(std::move(*admitted.body), body);
    http::BodyReader& sent = whole ? static_cast<http::BodyReader&>(*whole) : body;
    ProxiedRequest proxied(request, sent, route, reply, std::move(admitted.target),
                           std::move(trace));
    if (admitted.holder) {
      proxied.watch_key = [this, holder = std::move(*admitted.holder)](
                              LoopExecutor executor, std::function<void(const Error&)> on_end) {
        return keys_.watch(holder, executor, std::move(on_end));
      };
    }
    co_await proxy(invoker_, std::move(proxied), writer);
    co_return;
  }
  if (!admitted.body) {
    auto bytes = co_await http::read_all(body, invoke::kMaxPayloadBytes);
    if (!bytes) {
      if (auto answer = body_failure(reply, bytes.error())) {
        co_await writer.send(std::move(*answer));
      }
      co_return;
    }
    admitted.body = std::move(*bytes);
  }
  auto answer = co_await call_handler(route, request, body, reply, std::move(admitted));
  co_await writer.send(std::move(answer));
}

Task<http::Response> FunctionDoor::call_handler(const Route& route, const http::Request& request,
                                                http::BodyReader& source, const Reply& reply,
                                                Admitted admitted) {
  std::string body = std::move(*admitted.body);
  const auto& function = *admitted.target.function;
  const int timeout = admitted.target.version->configuration.timeout_seconds;
  EventContext context;
  context.time = clock_.now();
  context.request_id = reply.request_id();
  auto trace = traces_.begin(request.headers, context.time);
  context.trace_id = trace.amzn;
  context.url_id = function.host_label.empty() ? function.name : function.host_label;
  context.caller = std::move(admitted.caller);
  invoke::Call call;
  auto map = [&request, &route, &body, &context] {
    return make_event(request, route, body, context);
  };
  call.payload = co_await run_sized(disk_, body.size(), std::move(map));
  // It waits for its turn, and for the function, as the event alone.
  std::string().swap(body);
  if (auto room = source.hold(call.payload.size()); !room) co_return reply.failure(room.error());
  if (wants_queue(request)) {
    auto lasting = invoke::kept(trace);
    co_return co_await queue_call(request, reply, function, std::move(call.payload),
                                  std::move(lasting));
  }
  call.request_id = reply.request_id();
  call.source = observe::CallSource::url;
  call.trace = trace.context;
  call.trace_id = std::move(trace.amzn);
  call.trace_state = std::move(trace.state);
  call.invoked_arn = catalog_.function_arn(function.name, admitted.target.qualifier);
  call.target = std::move(admitted.target);
  auto outcome = co_await invoker_.invoke(std::move(call));
  if (!outcome) co_return reply.failure(outcome.error());
  co_return co_await answer_of(std::move(*outcome), reply, timeout);
}

// 202 once the event is on disk; what comes of it is asked for by the request id.
Task<http::Response> FunctionDoor::queue_call(const http::Request& request, const Reply& reply,
                                              const function::Function& function, std::string event,
                                              invoke::KeptTrace trace) {
  if (function.url.auth == function::UrlAuth::open && !async_.on_open_urls) {
    co_return reply.failure(403,
                            "the URL of this function is open to everybody: it takes no "
                            "X-Lambda-Async unless the server says async_open_urls = true");
  }
  AsyncCall call;
  call.function = function.name;
  call.payload = std::move(event);
  call.request_id = reply.request_id();
  call.trace = std::move(trace);
  call.token = std::string(request.headers.get("X-Lambda-Idempotency-Key"));
  auto accepted = co_await async_.submit(std::move(call));
  if (!accepted) co_return reply.failure(accepted.error());
  http::Response response(202);
  reply.complete(response.headers);
  response.headers.set("x-amzn-RequestId", *accepted);
  co_return response;
}

Task<http::Response> FunctionDoor::answer_of(invoke::Outcome outcome, const Reply& reply,
                                             int timeout_seconds) {
  if (outcome.error == invoke::FunctionError::timeout) {
    co_return reply.failure(
        504, fmt::format("the function {} timed out after {} s", reply.function(), timeout_seconds),
        outcome.error_type);
  }
  if (outcome.error != invoke::FunctionError::none) {
    co_return reply.failure(502,
                            fmt::format("the function {} failed; `lambda logs {}` shows why",
                                        reply.function(), reply.function()),
                            std::string_view(outcome.error_type).substr(0, kLongestErrorType));
  }
  const auto size = outcome.payload.size();
  auto map = [payload = std::move(outcome.payload)]() mutable {
    return make_response(std::move(payload));
  };
  auto response = co_await run_sized(disk_, size, std::move(map));
  if (!response) {
    co_return reply.failure(502, fmt::format("the function {} gave no HTTP response: {}",
                                             reply.function(), response.error().message()));
  }
  reply.complete(response->headers);
  co_return std::move(*response);
}

}  // namespace lambda::gateway
