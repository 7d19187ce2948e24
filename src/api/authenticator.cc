#include "api/authenticator.h"

#include "api/sigv4.h"
#include "base/crypto.h"
#include "base/encoding.h"

#include <algorithm>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace lambda::api {
namespace {

tl::unexpected<Error> unknown_key() {
  return fail(
      Error(ErrorCode::unauthenticated, "The security token included in the request is invalid.")
          .with_aws_type("UnrecognizedClientException"));
}

constexpr std::string_view kBearer = "Bearer ";

}  // namespace

Authenticator::Authenticator(const store::KeyTable& keys, const Clock& clock, Options options)
    : keys_(keys), clock_(clock), options_(std::move(options)) {}

bool Authenticator::needs_body(const http::Request& request) {
  const auto header = request.headers.get("Authorization");
  return header.starts_with("AWS4-") || request.query_value("X-Amz-Algorithm").has_value();
}

gateway::Caller Authenticator::caller_of(std::string_view key_id) const {
  gateway::Caller caller;
  caller.access_key = key_id;
  caller.account = options_.account;
  caller.user_arn = fmt::format("arn:aws:iam::{}:user/{}", options_.account, key_id);
  caller.user_id = key_id;
  return caller;
}

Result<Done> Authenticator::check_transport(const http::Request& request) const {
  if (request.peer.loopback || request.peer.tls || options_.insecure) return Done{};
  return fail(ErrorCode::denied,
              "keys are not taken over plain HTTP from another machine, because they could be read "
              "on the way: put TLS "
              "in front, use an SSH tunnel, or start lambdad with --insecure");
}

Result<gateway::Caller> Authenticator::check_key(const http::Request& request,
                                                 std::string_view token) const {
  auto safe = check_transport(request);
  if (!safe) return fail(std::move(safe.error()));
  const auto parsed = store::KeyTable::parse_token(token);
  if (!parsed) return unknown_key();
  const auto key = keys_.find(parsed->first);
  if (!key || !equals_in_constant_time(key->secret, parsed->second)) return unknown_key();
  return caller_of(key->id);
}

Result<Authenticator::Signer> Authenticator::find_signer(const http::Request& request) const {
  auto safe = check_transport(request);
  if (!safe) return fail(std::move(safe.error()));
  auto signature = find_signature(request);
  if (!signature) return fail(std::move(signature.error()));
  if (!*signature) {
    return fail(Error(ErrorCode::unauthenticated, "Missing Authentication Token")
                    .with_aws_type("MissingAuthenticationTokenException"));
  }
  const auto key = keys_.find((*signature)->key_id);
  // Session tokens are AWS's; who sends one has the settings of two servers mixed up.
  const bool session = !request.headers.get("X-Amz-Security-Token").empty() ||
                       request.query_value("X-Amz-Security-Token").has_value();
  if (!key || session) return unknown_key();
  return Signer{std::move(**signature), *key};
}

Result<Done> Authenticator::check_before_body(const http::Request& request) const {
  const auto signer = find_signer(request);
  if (!signer) return fail(Error(signer.error()));
  return Done{};
}

Result<gateway::Caller> Authenticator::check_signature(const http::Request& request,
                                                       std::string_view body) const {
  auto signer = find_signer(request);
  if (!signer) return fail(std::move(signer.error()));
  auto verified =
      verify_signature(request, signer->signature, signer->key.secret, body, clock_.now());
  if (!verified) return fail(std::move(verified.error()));
  return caller_of(signer->key.id);
}

Result<gateway::Caller> Authenticator::verify(const http::Request& request,
                                              std::string_view body) const {
  const auto header = request.headers.get("Authorization");
  if (equals_ignoring_case(header.substr(0, kBearer.size()), kBearer)) {
    return check_key(request, header.substr(kBearer.size()));
  }
  return check_signature(request, body);
}

Result<gateway::Caller> Authenticator::admit_socket_peer(const http::Peer& peer) const {
  const auto uid = peer.unix_uid.value_or(65534);
  if (uid == 0 || uid == ::geteuid()) return caller_of("root");
  if (options_.group) {
    char buffer[16384];
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) {
      std::vector<gid_t> groups(256);
      int count = static_cast<int>(groups.size());
      if (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) >= 0) {
        groups.resize(static_cast<std::size_t>(count));
        if (std::ranges::find(groups, *options_.group) != groups.end())
          return caller_of(entry.pw_name);
      }
    }
  }
  return fail(ErrorCode::denied, "the user with id {} is not a member of the group lambda", uid);
}

}  // namespace lambda::api
