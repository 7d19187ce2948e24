// BuildProxy: all that a sandbox which installs dependencies can reach, served on its Runtime API
// socket (127.0.0.1:9001 inside): a way to the registries, and the place where the result goes.
//
//   CONNECT host:port     a tunnel, for https
//   GET http://host/...   passed on (any method), for http
//   PUT /result           what was installed, a tar; once
//   PUT /failure          why nothing was, in words for people
//
// Where it goes is decided by egress::AddressRules, as for webhooks: the address that was checked
// is the one that is connected to. Ports 80 and 443 alone, but every port in networks that the
// configuration names. What is inside the sandbox is hostile: connections, bytes and silence are
// bounded.
//
// Threads: one loop. Connections share what they need, so it may be destroyed at any time; close()
// waits until the last one is gone.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "egress/address_rules.h"
#include "egress/system_addresses.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace lambda::deploy {

inline constexpr egress::Purpose kBuilds{"builds go", "build_networks"};

class BuildProxy {
 public:
  // The addresses of a host that may be connected to. Errors: denied, unavailable, timeout.
  using FindAddresses =
      std::function<Task<Result<egress::Addresses>>(std::string host, SteadyTime deadline)>;
  // Keeps a piece of the result. Errors end the build.
  using TakeResult = std::function<Task<Result<Done>>(std::string piece)>;

  struct Parts {
    FindAddresses find;
    egress::AddressRules rules;
    TakeResult take;
    // What was asked for and is not allowed (denied) or was not reached (unavailable, timeout), in
    // one line.
    std::function<void(const Error& why)> on_unreached;
    std::function<void()> on_error;  // error() is set: the build can come to nothing
  };
  struct Limits {
    std::size_t connections = 32;  // more wait
    std::uint64_t fetched_bytes = 2ull << 30;
    std::uint64_t result_bytes = 320ull << 20;  // a package's 250 MB, and tar's own
    std::chrono::seconds connect_time{20};
    std::chrono::seconds silence{60};
  };
  // Takes the listening socket of the sandbox and serves it on the loop of `executor`. Errors:
  // internal (the loop cannot watch it).
  static Result<std::unique_ptr<BuildProxy>> open(LoopExecutor executor, UniqueFd listener,
                                                  Parts parts, Limits limits);
  ~BuildProxy();
  BuildProxy(const BuildProxy&) = delete;
  BuildProxy& operator=(const BuildProxy&) = delete;

  // The result came whole.
  [[nodiscard]] bool has_result() const;
  // What the sandbox says went wrong; printable, of one line.
  [[nodiscard]] const std::optional<std::string>& failure() const;
  // What of ours ended it: a limit, a disk that is full.
  [[nodiscard]] const std::optional<Error>& error() const;
  // Ends every connection and the listener; resolves when nothing of it runs any more.
  Task<void> close();

 private:
  struct Impl;
  explicit BuildProxy(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lambda::deploy
