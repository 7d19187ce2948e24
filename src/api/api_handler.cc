// Steps: match the path -> find out who calls (a signature needs the whole body) -> run the
// operation -> answer.
#include "api/api_handler.h"

#include "api/code_request.h"
#include "api/error_response.h"
#include "base/crypto.h"

#include <spdlog/spdlog.h>

namespace lambda::api {

Task<Result<access::Caller>> ApiHandler::authenticate(http::Request& request,
                                                      std::string_view body) {
  const bool credentials =
      request.headers.has("Authorization") || access::Authenticator::needs_body(request);
  if (request.peer.unix_uid && !credentials) {
    if (auto known = authenticator_.find_socket_peer(request.peer)) co_return std::move(*known);
    auto look = [this, peer = request.peer] { return authenticator_.admit_socket_peer(peer); };
    co_return co_await run_blocking(services_.users, std::move(look));
  }
  auto verify = [this, &request, body] { return authenticator_.verify(request, body); };
  co_return co_await run_sized(services_.disk, body.size(), std::move(verify));
}

Task<Answer> ApiHandler::run(http::Request& request, http::BodyReader& body,
                             http::ResponseWriter& writer, const std::string& request_id) {
  auto matched = router_.match(request);
  const bool signed_request = access::Authenticator::needs_body(request);
  if (matched && !matched->needs_key) {
    Exchange exchange{request, body, writer, request_id, {}, std::move(matched->captures)};
    co_return co_await (*matched->operation)(services_, exchange);
  }
  // A caller without a key learns nothing, not even which operations there are.
  std::string whole;
  if (signed_request) {
    auto known = authenticator_.check_before_body(request);
    if (!known) co_return fail(std::move(known.error()));
    auto text = co_await http::read_all(body, kMaxRequestBytes);
    if (!text) {
      if (text.error().code() != ErrorCode::too_large) co_return fail(std::move(text.error()));
      co_return fail(Error(ErrorCode::too_large,
                           fmt::format("Request must be smaller than {} bytes", kMaxRequestBytes))
                         .with_aws_type("RequestEntityTooLargeException"));
    }
    whole = std::move(*text);
  }
  auto caller = co_await authenticate(request, whole);
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
    if (shape_of(error).status >= 500)
      spdlog::error("{} {}: {}", request.method, request.path(), error.message());
    response = own ? own_error(error, request_id) : aws_error(error);
    if (writer.started()) co_return;
  }
  response.headers.add("x-amzn-RequestId", request_id);
  if (!response.headers.has("Content-Type"))
    response.headers.add("Content-Type", "application/json");
  co_await writer.send(std::move(response));
}

}  // namespace lambda::api
