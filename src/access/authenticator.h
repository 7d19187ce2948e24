// Who may call the control API, and functions whose URL wants a key: bearer tokens and SigV4 over
// the same keys, and people on the unix socket. Any thread. admit_socket_peer() alone does I/O: it
// reads the group database, on a worker thread.
#pragma once

#include "access/failure_limit.h"
#include "access/key_checker.h"
#include "access/sigv4.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "store/key_table.h"

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace lambda::access {

class Authenticator final : public KeyChecker {
 public:
  struct Options {
    bool insecure = false;  // keys over plain HTTP from beyond loopback
    std::string account;
    std::optional<gid_t> group;  // "lambda": its members may use the unix socket
  };
  // `keys` and `clock` outlive it. Blocking: looks up the name of the server's own user.
  Authenticator(store::KeyTable& keys, const Clock& clock, Options options);

  // True for a signed request, whose body read_signed() reads: a signature covers it.
  [[nodiscard]] static bool is_signed(const http::Request& request);
  // A key by either spelling; `body` is that of a signed request. Errors: unauthenticated with
  // AWS's texts, denied (plain HTTP from afar), overloaded (too many wrong ones).
  [[nodiscard]] Result<Caller> verify(const http::Request& request, std::string_view body) const;
  // root and the server's own user; nothing for others, whom admit_socket_peer() may know.
  [[nodiscard]] std::optional<Caller> find_socket_peer(const http::Peer& peer) const;
  // Blocking. root, the server's own user, and members of the group as the machine's database has
  // them now; of a user whom it does not know, the group that the caller runs in.
  [[nodiscard]] Result<Caller> admit_socket_peer(const http::Peer& peer) const;

  [[nodiscard]] Result<Caller> check_key(const http::Request& request,
                                         std::string_view token) const override;
  [[nodiscard]] Result<Done> check_before_body(const http::Request& request) const override;
  [[nodiscard]] Result<Caller> check_signature(const http::Request& request,
                                               std::string_view body) const override;
  [[nodiscard]] std::unique_ptr<KeyWatch> watch(
      const Caller& caller, LoopExecutor executor,
      std::function<void(const Error&)> on_end) const override;

 private:
  struct Signer {
    Signature signature;
    store::KeyPtr key;  // null: unknown
    std::string_view secret;
  };
  [[nodiscard]] Result<Signer> find_signer(const http::Request& request) const;
  [[nodiscard]] Result<Done> check_transport(const http::Request& request) const;
  // `error`, or that there were too many of its kind.
  [[nodiscard]] Error wrong(const http::Request& request, Error error) const;
  [[nodiscard]] Caller holder_of(const store::Key& key, const http::Request& request) const;
  [[nodiscard]] Caller person(std::string_view user) const;

  store::KeyTable& keys_;
  const Clock& clock_;
  Options options_;
  std::string own_user_;
  // Compared with where there is no such key: that takes as long.
  std::string decoy_;
  mutable FailureLimit failures_;
};

}  // namespace lambda::access
