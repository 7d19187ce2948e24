// Steps: match the path -> find out who calls (a signature needs the whole body) -> may they ->
// where something is changed, the audit says so -> run the operation -> answer.
#include "api/api_handler.h"

#include "access/signed_body.h"
#include "api/code_request.h"
#include "api/doorkeeper.h"
#include "api/error_response.h"
#include "base/crypto.h"
#include "base/encoding.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

namespace lambda::api {

namespace {

// What a path names, and what an operation says of a change: of many variables at once, say.
constexpr std::size_t kLongestName = 200;
constexpr std::size_t kLongestNote = 1'000;

// Paths and bodies may hold any bytes, and people read the audit at terminals.
std::string fit_for_audit(std::string_view text, std::size_t most) {
  std::string fit(text.substr(0, most));
  if (fit.size() < text.size()) fit += " ...";
  for (char& c : fit) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return is_valid_utf8(fit) ? fit : repair_utf8(fit);
}

}  // namespace

// A request that is not signed.
Task<Result<access::Caller>> ApiHandler::authenticate(http::Request& request) {
  if (request.peer.unix_uid && !request.headers.has("Authorization")) {
    if (auto known = authenticator_.find_socket_peer(request.peer)) co_return std::move(*known);
    auto look = [this, peer = request.peer] { return authenticator_.admit_socket_peer(peer); };
    co_return co_await run_blocking(services_.users, std::move(look));
  }
  co_return authenticator_.verify(request, {});
}

Task<Answer> ApiHandler::run(http::Request& request, http::BodyReader& body,
                             http::ResponseWriter& writer, const std::string& request_id) {
  auto matched = router_.match(request);
  const bool signed_request = access::Authenticator::is_signed(request);
  if (matched && !matched->rule->needs_key()) {
    Exchange exchange{
        request, body, writer, request_id, {}, *matched->rule, std::move(matched->captures),
        {},      {},   {}};
    co_return co_await (*matched->operation)(services_, exchange);
  }
  // A caller without a key learns nothing, not even which operations there are.
  std::string whole;
  Result<access::Caller> caller = access::Caller{};
  if (signed_request) {
    auto read = co_await access::read_signed(authenticator_, services_.disk, request, body,
                                             kMaxRequestBytes);
    if (!read) {
      if (read.error().code() != ErrorCode::too_large) co_return fail(std::move(read.error()));
      co_return fail(Error(ErrorCode::too_large,
                           fmt::format("Request must be smaller than {} bytes", kMaxRequestBytes))
                         .with_aws_type("RequestEntityTooLargeException"));
    }
    whole = std::move(read->bytes);
    caller = std::move(read->caller);
  } else {
    caller = co_await authenticate(request);
  }
  if (!caller) co_return fail(std::move(caller.error()));
  if (!matched) co_return fail(std::move(matched.error()));
  http::BufferedBody buffered(std::move(whole));
  http::BodyReader& readable = signed_request ? static_cast<http::BodyReader&>(buffered) : body;
  Exchange exchange{request,
                    readable,
                    writer,
                    request_id,
                    std::move(*caller),
                    *matched->rule,
                    std::move(matched->captures),
                    {},
                    {},
                    {}};
  co_return co_await run_admitted(exchange, *matched->operation);
}

Task<Answer> ApiHandler::run_admitted(Exchange& exchange, const Operation& operation) {
  auto function = co_await check_access(services_, exchange);
  if (!function) {
    if (function.error().code() == ErrorCode::denied) {
      auto row = audit_row(exchange);
      row.status = static_cast<int>(shape_of(function.error()).status);
      row.error = shape_of(function.error()).type;
      co_await services_.trail.refused(std::move(row));
    }
    co_return fail(std::move(function.error()));
  }
  exchange.function = std::move(*function);
  if (exchange.rule.changes()) co_return co_await run_audited(exchange, operation);
  co_return co_await operation(services_, exchange);
}

store::AuditRow ApiHandler::audit_row(const Exchange& exchange) const {
  const auto& captures = exchange.captures;
  const bool of_function = exchange.rule.subject() == Subject::function;
  auto row = services_.trail.row_of(exchange.caller, exchange.request.peer);
  row.operation = exchange.rule.operation();
  row.request_id = exchange.request_id;
  row.function = exchange.function;
  if (row.function.empty() && of_function) row.function = captures.at(0);
  row.note = fit_for_audit(exchange.note, kLongestNote);
  // What else the path names: an alias, a schedule, a key.
  if (row.note.empty() && captures.size() > (of_function ? 1u : 0u))
    row.note = fit_for_audit(captures.back(), kLongestName);
  row.function = fit_for_audit(row.function, kLongestName);
  return row;
}

Task<Answer> ApiHandler::run_audited(Exchange& exchange, const Operation& operation) {
  auto begun = co_await services_.trail.begin(audit_row(exchange));
  if (!begun) co_return fail(std::move(begun.error()));
  Answer answer = std::nullopt;
  std::exception_ptr thrown;
  try {
    answer = co_await operation(services_, exchange);
  } catch (...) {
    thrown = std::current_exception();
  }
  auto row = audit_row(exchange);
  const auto* error = !answer ? &answer.error() : exchange.failed ? &*exchange.failed : nullptr;
  if (thrown) {
    row.status = 500;
  } else if (error != nullptr) {
    row.status = static_cast<int>(shape_of(*error).status);
    row.error = shape_of(*error).type;
  } else {
    row.status = *answer ? static_cast<int>((*answer)->status) : 200;
  }
  co_await services_.trail.end(*begun, std::move(row));
  if (thrown) std::rethrow_exception(thrown);
  co_return answer;
}

Task<void> ApiHandler::handle(http::Request& request, http::BodyReader& body,
                              http::ResponseWriter& writer) {
  const auto request_id = random_uuid();
  auto answer = co_await run(request, body, writer, request_id);
  if (answer && !*answer) co_return;  // written already
  const bool own = request.path().starts_with("/_lambda/");
  http::Response response;
  if (answer) {
    response = std::move(**answer);
  } else {
    const auto& error = answer.error();
    // A full server says so by its answers; a line for each would fill the log, too.
    if (shape_of(error).status >= 500 && error.code() != ErrorCode::no_room)
      spdlog::error("{} {}: {}", request.method, request.path(), error.message());
    response = own ? own_error(error, request_id) : aws_error(error);
    if (writer.started()) co_return;
  }
  if (!response.headers.has("x-amzn-RequestId"))
    response.headers.add("x-amzn-RequestId", request_id);
  if (!response.headers.has("Content-Type"))
    response.headers.add("Content-Type", "application/json");
  co_await writer.send(std::move(response));
}

}  // namespace lambda::api
