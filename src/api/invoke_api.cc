#include "api/invoke_api.h"

#include "api/json_check.h"
#include "base/encoding.h"
#include "invoke/trace_id.h"

#include <spdlog/fmt/fmt.h>

namespace lambda::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxClientContext = 3583;

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

tl::unexpected<Error> no_queue() {
  return fail(ErrorCode::invalid,
              "asynchronous invocation (Event) needs the event queue, which this build does not "
              "have yet: invoke with "
              "RequestResponse");
}

// Steps that both spellings share, once the target is known.
Task<Answer> run(Services& services, Exchange& exchange, function::Resolved target, bool timing) {
  const auto& request = exchange.request;
  const auto type = request.headers.get("X-Amz-Invocation-Type", "RequestResponse");
  if (type == "DryRun") co_return http::Response(204);
  if (type == "Event") co_return no_queue();
  if (type != "RequestResponse") {
    co_return fail(ErrorCode::validation,
                   "1 validation error detected: Value '{}' at 'invocationType' failed to satisfy "
                   "constraint: Member must satisfy "
                   "enum value set: [Event, RequestResponse, DryRun]",
                   type);
  }
  auto context = read_client_context(request);
  if (!context) co_return fail(std::move(context.error()));
  auto payload = co_await http::read_all(exchange.body, invoke::kMaxEventBytes);
  if (!payload) {
    if (payload.error().code() != ErrorCode::too_large) co_return fail(std::move(payload.error()));
    const auto declared = exchange.body.declared_length();
    co_return fail(
        ErrorCode::too_large,
        "{} byte payload is too large for the RequestResponse invocation type (limit {} bytes)",
        declared ? std::to_string(*declared) : "more than 6291456", invoke::kMaxEventBytes);
  }
  if (payload->empty()) *payload = "{}";
  auto fits = check_json(*payload);
  if (!fits) co_return fail(std::move(fits.error()));
  invoke::Call call;
  call.invoked_arn = services.catalog.function_arn(target.function->name, target.qualifier);
  call.target = std::move(target);
  call.payload = std::move(*payload);
  call.request_id = exchange.request_id;
  call.trace_id =
      invoke::trace_id_for(request.headers.get("X-Amzn-Trace-Id"), services.clock.now());
  call.client_context = std::move(*context);
  auto outcome = co_await services.invoker.invoke(std::move(call));
  if (!outcome) co_return fail(std::move(outcome.error()));
  http::Response response(200, "application/json", std::move(outcome->payload));
  response.headers.add("X-Amz-Executed-Version", outcome->executed_version);
  if (outcome->error != invoke::FunctionError::none)
    response.headers.add("X-Amz-Function-Error", "Unhandled");
  if (request.headers.get("X-Amz-Log-Type") == "Tail")
    response.headers.add("X-Amz-Log-Result", base64_encode(outcome->log_tail));
  response.headers.add("X-Amzn-Trace-Id", outcome->trace_id);
  if (timing) response.headers.add("X-Lambda-Timing", timing_text(outcome->timing));
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
  co_return co_await run(services, exchange, std::move(*target), false);
}

Task<Answer> invoke_async(Services&, Exchange&) {
  co_return no_queue();
}

Task<Answer> invoke_live(Services& services, Exchange& exchange) {
  const auto& name = exchange.captures.at(0);
  const auto qualifier = exchange.request.query_value("qualifier").value_or("");
  auto target = qualifier.empty() ? services.catalog.resolve_live(name)
                                  : services.catalog.resolve(name, qualifier);
  if (!target) {
    const bool known = services.catalog.snapshot()->functions.contains(name);
    if (!known && target.error().code() == ErrorCode::not_found)
      co_return no_function(services, name);
    co_return fail(std::move(target.error()));
  }
  co_return co_await run(services, exchange, std::move(*target), true);
}

}  // namespace lambda::api
