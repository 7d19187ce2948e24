#include "access/authenticator.h"

#include "access/caller_watch.h"
#include "access/sigv4.h"
#include "access/standing.h"
#include "base/crypto.h"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace lambda::access {
namespace {

Error unknown_key() {
  return Error(ErrorCode::unauthenticated, std::string(kInvalidToken))
      .with_aws_type("UnrecognizedClientException");
}

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

std::string name_or_number(uid_t uid) {
  const auto found = name_of(uid);
  return found && *found ? (*found)->name : fmt::format("uid-{}", uid);
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

Authenticator::Authenticator(store::KeyTable& keys, const Clock& clock, Options options)
    : keys_(keys),
      clock_(clock),
      options_(std::move(options)),
      own_user_(name_or_number(::geteuid())),
      decoy_(random_bytes(store::kSecretLength)),
      failures_(clock) {}

bool Authenticator::is_signed(const http::Request& request) {
  const auto header = request.headers.get("Authorization");
  return header.starts_with("AWS4-") || request.query_value("X-Amz-Algorithm").has_value();
}

Caller Authenticator::holder_of(const store::Key& key, const http::Request& request) const {
  keys_.note_use(key.id, request.peer.unix_uid ? "socket" : request.peer.address);
  Caller caller;
  caller.access_key = key.id;
  caller.account = options_.account;
  caller.user_arn = fmt::format("arn:aws:iam::{}:user/{}", options_.account, key.id);
  caller.user_id = key.id;
  caller.name = key.name;
  caller.has_key = true;
  caller.grants = key.grants;
  caller.expires = key.expires;
  return caller;
}

Caller Authenticator::person(std::string_view user) const {
  Caller caller;
  caller.access_key = user;
  caller.account = options_.account;
  caller.user_arn = fmt::format("arn:aws:iam::{}:user/{}", options_.account, user);
  caller.user_id = user;
  caller.name = user;
  caller.grants = store::Grants::everything();
  return caller;
}

Error Authenticator::wrong(const http::Request& request, Error error) const {
  if (failures_.note(request.peer)) return error;
  return Error(ErrorCode::overloaded,
               fmt::format("there were too many wrong keys and signatures from {}: the next is "
                           "looked at in {} s; right ones are taken all the time",
                           request.peer.address, kFailurePause.count()))
      .with_aws_type(std::string(kTooManyFailures));
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
  if (!parsed) return fail(wrong(request, unknown_key()));
  const auto key = keys_.find(parsed->first);
  const bool right = equals_in_constant_time(key ? key->secret : decoy_, parsed->second);
  if (!key || !right) return fail(wrong(request, unknown_key()));
  if (auto good = check_standing(*key, clock_.now()); !good)
    return fail(wrong(request, std::move(good.error())));
  return holder_of(*key, request);
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
  // Somebody whose clock is wrong is no guesser.
  if (auto good = check_time(**signature, clock_.now()); !good)
    return fail(std::move(good.error()));
  Signer signer;
  signer.key = keys_.find((*signature)->key_id);
  signer.secret = signer.key ? signer.key->secret : decoy_;
  signer.signature = std::move(**signature);
  // Session tokens are AWS's; who sends one has the settings of two servers mixed up.
  const bool session = !request.headers.get("X-Amz-Security-Token").empty() ||
                       request.query_value("X-Amz-Security-Token").has_value();
  if (session) return fail(wrong(request, unknown_key()));
  return signer;
}

Result<Done> Authenticator::check_before_body(const http::Request& request) const {
  auto signer = find_signer(request);
  if (!signer) return fail(std::move(signer.error()));
  auto good = verify_before_body(request, signer->signature, signer->secret, clock_.now());
  if (!signer->key) return fail(wrong(request, unknown_key()));
  const bool proven = request.headers.has("X-Amz-Content-Sha256");
  if (good)
    good = proven ? check_standing(*signer->key, clock_.now())
                  : check_standing_unproven(*signer->key, clock_.now());
  if (!good) return fail(wrong(request, std::move(good.error())));
  return Done{};
}

Result<Caller> Authenticator::check_signature(const http::Request& request,
                                              std::string_view body) const {
  auto signer = find_signer(request);
  if (!signer) return fail(std::move(signer.error()));
  auto good = verify_signature(request, signer->signature, signer->secret, body, clock_.now());
  if (!signer->key) return fail(wrong(request, unknown_key()));
  // It may have been revoked while its body came.
  if (good) good = check_standing(*signer->key, clock_.now());
  if (!good) return fail(wrong(request, std::move(good.error())));
  return holder_of(*signer->key, request);
}

std::unique_ptr<KeyWatch> Authenticator::watch(const Caller& caller, LoopExecutor executor,
                                               std::function<void(const Error&)> on_end) const {
  return std::make_unique<CallerWatch>(keys_, clock_, caller, executor, std::move(on_end));
}

Result<Caller> Authenticator::verify(const http::Request& request, std::string_view body) const {
  if (const auto token = bearer_token(request.headers.get("Authorization")))
    return check_key(request, *token);
  return check_signature(request, body);
}

std::optional<Caller> Authenticator::find_socket_peer(const http::Peer& peer) const {
  if (peer.unix_uid != 0u && peer.unix_uid != ::geteuid()) return std::nullopt;
  return person(peer.unix_uid == 0u ? "root" : own_user_);
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
      return person(name ? name->name : fmt::format("uid-{}", uid));
  }
  return fail(
      ErrorCode::denied,
      "{} is not a member of the group lambda: as root, `adduser {} lambda`, then log in again; "
      "or give a key (`lambda config set-key`)",
      name ? "the user " + name->name : fmt::format("the user with id {}", uid),
      name ? name->name : "NAME");
}

}  // namespace lambda::access
