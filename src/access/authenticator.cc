#include "access/authenticator.h"

#include "access/sigv4.h"
#include "base/crypto.h"
#include "base/encoding.h"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace lambda::access {
namespace {

tl::unexpected<Error> unknown_key() {
  return fail(
      Error(ErrorCode::unauthenticated, "The security token included in the request is invalid.")
          .with_aws_type("UnrecognizedClientException"));
}

constexpr std::string_view kBearer = "Bearer ";

struct UserName {
  std::string name;
  gid_t group = 0;
};

// Nothing where the machine knows no such user. Errors: unavailable, where it cannot say.
Result<std::optional<UserName>> name_of(uid_t uid) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  // Several numbers mean "there is none", says getpwuid_r(3).
  const bool none =
      error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
  if (found == nullptr && !none) {
    return fail(Error::from_errno(fmt::format("look up the user with id {}", uid), error)
                    .as(ErrorCode::unavailable));
  }
  if (found == nullptr) return std::optional<UserName>();
  return std::optional<UserName>(UserName{entry.pw_name, entry.pw_gid});
}

bool is_member(const std::string& user, gid_t own, gid_t group) {
  std::vector<gid_t> groups(256);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(user.c_str(), own, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(user.c_str(), own, groups.data(), &count) < 0) return false;
  }
  groups.resize(static_cast<std::size_t>(count));
  return std::ranges::find(groups, group) != groups.end();
}

}  // namespace

Authenticator::Authenticator(const store::KeyTable& keys, const Clock& clock, Options options)
    : keys_(keys), clock_(clock), options_(std::move(options)) {}

bool Authenticator::is_signed(const http::Request& request) {
  const auto header = request.headers.get("Authorization");
  return header.starts_with("AWS4-") || request.query_value("X-Amz-Algorithm").has_value();
}

Caller Authenticator::caller_of(std::string_view key_id) const {
  Caller caller;
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

Result<Caller> Authenticator::check_key(const http::Request& request,
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
  return verify_before_body(request, signer->signature, signer->key.secret, clock_.now());
}

Result<Caller> Authenticator::check_signature(const http::Request& request,
                                              std::string_view body) const {
  auto signer = find_signer(request);
  if (!signer) return fail(std::move(signer.error()));
  auto verified =
      verify_signature(request, signer->signature, signer->key.secret, body, clock_.now());
  if (!verified) return fail(std::move(verified.error()));
  return caller_of(signer->key.id);
}

Result<Caller> Authenticator::verify(const http::Request& request, std::string_view body) const {
  const auto header = request.headers.get("Authorization");
  if (equals_ignoring_case(header.substr(0, kBearer.size()), kBearer)) {
    return check_key(request, header.substr(kBearer.size()));
  }
  return check_signature(request, body);
}

std::optional<Caller> Authenticator::find_socket_peer(const http::Peer& peer) const {
  if (peer.unix_uid != 0u && peer.unix_uid != ::geteuid()) return std::nullopt;
  return caller_of("root");
}

Result<Caller> Authenticator::admit_socket_peer(const http::Peer& peer) const {
  if (auto known = find_socket_peer(peer)) return std::move(*known);
  const auto uid = peer.unix_uid.value_or(65534);
  auto looked_up = name_of(uid);
  if (!looked_up) return fail(std::move(looked_up.error()));
  const auto& name = *looked_up;
  if (options_.group) {
    const gid_t group = *options_.group;
    // A process keeps the group that it had: of who has a name here, the group database alone
    // decides. Who has none is what it runs as.
    if (name ? is_member(name->name, name->group, group) : peer.unix_gid == group)
      return caller_of(name ? name->name : fmt::format("uid-{}", uid));
  }
  return fail(
      ErrorCode::denied,
      "{} is not a member of the group lambda: as root, `adduser {} lambda`, then log in again; "
      "or give a key (`lambda config set-key`)",
      name ? "the user " + name->name : fmt::format("the user with id {}", uid),
      name ? name->name : "NAME");
}

}  // namespace lambda::access
