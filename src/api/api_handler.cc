// Steps: match the path -> find out who calls (a signature needs the whole body) -> run the
// operation -> answer.
#include "api/api_handler.h"

#include "access/signed_body.h"
#include "api/code_request.h"
#include "api/error_response.h"
#include "base/crypto.h"

#include <spdlog/spdlog.h>

namespace lambda::api {

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
  if (matched && !matched->needs_key) {
    Exchange exchange{request, body, writer, request_id, {}, std::move(matched->captures)};
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
  Exchange exchange{request,    readable,           writer,
                    request_id, std::move(*caller), std::move(matched->captures)};
  co_return co_await (*matched->operation)(services_, exchange);
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
