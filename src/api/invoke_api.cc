#include "api/invoke_api.h"

#include "api/json_check.h"
#include "base/encoding.h"

#include <spdlog/fmt/fmt.h>

namespace lambda::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxClientContext = 3583;
constexpr std::string_view kJson = "application/json";

Result<std::string> read_client_context(const http::Request& request) {
  const auto encoded = request.headers.get("X-Amz-Client-Context");
  if (encoded.empty()) return std::string();
  if (encoded.size() > kMaxClientContext) {
    return fail(ErrorCode::bad_content,
                "Client context must be no more than {} bytes when base64-encoded",
                kMaxClientContext);
  }
  auto text = base64_decode(encoded);
  boost::system::error_code error;
  if (text) static_cast<void>(json::parse(*text, error));
  if (!text || error)
    return fail(ErrorCode::bad_content,
                "Client context must be a valid Base64-encoded JSON object.");
  // It travels in a header line.
  std::erase_if(*text, [](char c) { return c == '\n' || c == '\r'; });
  return text;
}

std::string timing_text(const invoke::Timing& timing) {
  return fmt::format("waiting={};start={};init={};handler={};total={};cold={}",
                     timing.waiting.count(), timing.start.count(), timing.init.count(),
                     timing.handler.count(), timing.total.count(), timing.cold ? 1 : 0);
}

// A function may report an error in words of its own (AWS's contract: error bodies are passed on).
std::string payload_type(const invoke::Outcome& outcome) {
  if (outcome.error == invoke::FunctionError::handled && outcome.content_type == kJson &&
      !check_json(outcome.payload)) {
    return "application/octet-stream";
  }
  return outcome.content_type;
}

// The payload of a call: JSON, {} where there is none. Errors: too_large, bad_content.
Task<Result<std::string>> read_payload(Exchange& exchange, std::string_view type,
                                       std::size_t limit) {
  auto payload = co_await http::read_all(exchange.body, limit);
  if (!payload && payload.error().code() == ErrorCode::too_large) {
    const auto declared = exchange.body.declared_length();
    co_return fail(ErrorCode::too_large,
                   "{} byte payload is too large for the {} invocation type (limit {} bytes)",
                   declared ? std::to_string(*declared) : "more than " + std::to_string(limit),
                   type, limit);
  }
  if (!payload) co_return fail(std::move(payload.error()));
  if (payload->empty()) *payload = "{}";
  auto fits = check_json(*payload);
  if (!fits) co_return fail(std::move(fits.error()));
  co_return payload;
}

// Answered once the event is on disk. `qualifier` "" follows `live` at each attempt.
Task<Answer> accept(Services& services, Exchange& exchange, std::string function,
                    std::string qualifier) {
  const auto& request = exchange.request;
  auto context = read_client_context(request);
  if (!context) co_return fail(std::move(context.error()));
  events::NewEvent event;
  event.token = std::string(request.headers.get("X-Lambda-Idempotency-Key"));
  auto payload = co_await read_payload(exchange, "Event", events::kMaxEventBytes);
  if (!payload) co_return fail(std::move(payload.error()));
  event.id = exchange.request_id;
  event.function = std::move(function);
  event.qualifier = std::move(qualifier);
  event.payload = std::move(*payload);
  event.trace = invoke::kept(services.trace_rules.begin(request.headers, services.clock.now()));
  event.client_context = std::move(*context);
  auto accepted = co_await services.events.accept(std::move(event));
  if (!accepted) co_return fail(std::move(accepted.error()));
  // A repeated submission is the earlier event, by the earlier id.
  http::Response response(202);
  response.headers.add("x-amzn-RequestId", accepted->id);
  co_return response;
}

// AWS's Invoke means the draft where no qualifier is given; ours follows `live`, and tells the
// timing.
enum class Spelling { aws, own };

// Of an event, which is resolved anew at each attempt; "" follows `live`.
std::string event_qualifier(const function::Resolved& target, Spelling spelling) {
  if (spelling == Spelling::aws) return target.qualifier.empty() ? "$LATEST" : target.qualifier;
  return target.qualifier == function::kLiveAlias ? "" : target.qualifier;
}

// Steps that both spellings share, once the target is known.
Task<Answer> run(Services& services, Exchange& exchange, function::Resolved target,
                 Spelling spelling) {
  const auto& request = exchange.request;
  const auto type = request.headers.get("X-Amz-Invocation-Type", "RequestResponse");
  if (type == "DryRun") co_return http::Response(204);
  if (type == "Event") {
    auto qualifier = event_qualifier(target, spelling);
    co_return co_await accept(services, exchange, target.function->name, std::move(qualifier));
  }

  if (type != "RequestResponse") {
    co_return fail(ErrorCode::validation,
                   "1 validation error detected: Value '{}' at 'invocationType' failed to satisfy "
                   "constraint: Member must satisfy "
                   "enum value set: [Event, RequestResponse, DryRun]",
                   type);
  }
  auto context = read_client_context(request);
  if (!context) co_return fail(std::move(context.error()));
  auto payload = co_await read_payload(exchange, "RequestResponse", invoke::kMaxPayloadBytes);
  if (!payload) co_return fail(std::move(payload.error()));
  const bool http = target.version->configuration.kind == function::Kind::http;
  invoke::Call call;
  call.invoked_arn = services.catalog.function_arn(target.function->name, target.qualifier);
  call.target = std::move(target);
  call.payload = std::move(*payload);
  call.request_id = exchange.request_id;
  auto trace = services.trace_rules.begin(request.headers, services.clock.now());
  call.trace = trace.context;
  call.trace_id = std::move(trace.amzn);
  call.trace_state = std::move(trace.state);
  call.client_context = std::move(*context);
  auto outcome = co_await services.invoker.invoke(std::move(call));
  if (!outcome) co_return fail(std::move(outcome.error()));
  auto content_type = payload_type(*outcome);
  http::Response response(200, std::move(content_type), std::move(outcome->payload));
  response.headers.add("X-Amz-Executed-Version", outcome->executed_version);
  if (outcome->error != invoke::FunctionError::none)
    response.headers.add("X-Amz-Function-Error", "Unhandled");
  if (request.headers.get("X-Amz-Log-Type") == "Tail")
    response.headers.add("X-Amz-Log-Result", base64_encode(outcome->log_tail));
  response.headers.add("X-Amzn-Trace-Id", outcome->trace_id);
  if (spelling == Spelling::own)
    response.headers.add("X-Lambda-Timing", timing_text(outcome->timing));
  // Of a handler its payload says so, and may call itself what it likes.
  if (spelling == Spelling::own && http && !outcome->error_type.empty())
    response.headers.add("X-Lambda-Error-Type", outcome->error_type);
  co_return response;
}

}  // namespace

Task<Answer> invoke_function(Services& services, Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto target = services.catalog.resolve(name->name, name->qualifier);
  if (!target) {
    // AWS names the draft here even when no qualifier was given.
    if (name->qualifier.empty() && target.error().code() == ErrorCode::not_found) {
      co_return fail(ErrorCode::not_found, "Function not found: {}",
                     services.catalog.function_arn(name->name, "$LATEST"));
    }
    co_return fail(std::move(target.error()));
  }
  co_return co_await run(services, exchange, std::move(*target), Spelling::aws);
}

Task<Answer> invoke_async(Services& services, Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto target = services.catalog.resolve(name->name, name->qualifier);
  if (!target) co_return fail(std::move(target.error()));
  auto qualifier = event_qualifier(*target, Spelling::aws);
  auto answer = co_await accept(services, exchange, target->function->name, std::move(qualifier));
  if (!answer) co_return answer;
  auto response = json_response(202, json::object{{"Status", 202}});
  response.headers.add("x-amzn-RequestId", std::string((*answer)->headers.get("x-amzn-RequestId")));
  co_return response;
}

Task<Answer> invoke_live(Services& services, Exchange& exchange) {
  const auto& text = exchange.captures.at(0);
  auto name = parse_function_name(text, exchange.request.query_value("qualifier"),
                                  services.catalog.tenant());
  if (!name && name.error().code() == ErrorCode::validation)
    co_return no_function(services, exchange, text);
  if (!name) co_return fail(std::move(name.error()));
  auto target = name->qualifier.empty() ? services.catalog.resolve_live(name->name)
                                        : services.catalog.resolve(name->name, name->qualifier);
  if (!target) {
    const bool known = services.catalog.snapshot()->functions.contains(name->name);
    if (!known && target.error().code() == ErrorCode::not_found)
      co_return no_function(services, exchange, name->name);
    co_return fail(std::move(target.error()));
  }
  co_return co_await run(services, exchange, std::move(*target), Spelling::own);
}

}  // namespace lambda::api
