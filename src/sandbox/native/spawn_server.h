// SpawnServer: lambda-spawn's loop. One thread; it never waits for one sandbox while another has
// something to do: setup runs in the children, and ends are events. What a call waits for comes
// first (fills, thaws; then starts, a few at a time); what nobody waits for is done when nothing
// else is there, or has waited for too long, in batches: removing what ended sandboxes had, and
// making cgroups and network namespaces for those to come.
//
//   start -> starting --exec'd--> running --stop--> stopping --pid 1 gone--> removing its cgroup
//               |                    |                                       -> (gone)
//               | setup failed       | died of itself, or over its memory
//               v                    v
//             (gone)               dead --stop--> (gone)
//
// A stem runs without a function; fill gives it one, once.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/native/cgroup_stock.h"
#include "sandbox/native/cgroups.h"
#include "sandbox/native/network_pool.h"
#include "sandbox/native/seccomp_filter.h"
#include "sandbox/native/spawn_protocol.h"
#include "sandbox/native/uid_block.h"
#include "sandbox/native/walls.h"
#include "sandbox/native/zygotes.h"
#include "sandbox/uplink/uplink.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace lambda::sandbox::native {

struct SpawnServerParts {
  UniqueFd socket;
  UniqueFd epoll;
  UniqueFd init_program;
  Cgroups cgroups;
  SeccompFilter filter;
  UniqueFd workspace;  // the mount namespace that we work in
  UidClaim uids;
  // How many files a sandbox's init may open, as lambdad was started; our own limit is higher.
  rlimit open_files{};
  Walls walls;
  ZygoteSettings zygotes;
  // The sandboxes' way out; or why there is none.
  Result<uplink::Uplink> uplink = fail(ErrorCode::unavailable, "sandboxes have no way out here");
};

// How many sandboxes a lambda-spawn that may open so many files can hold.
[[nodiscard]] std::uint32_t sandboxes_within(rlim_t open_files);

class SpawnServer {
 public:
  explicit SpawnServer(SpawnServerParts parts);
  ~SpawnServer();
  SpawnServer(const SpawnServer&) = delete;
  SpawnServer& operator=(const SpawnServer&) = delete;

  // Until lambdad's end of the socket closes; then everything is killed and removed. Fails when the
  // socket cannot be watched.
  Result<Done> run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { starting, running, stopping, dead, removing };
  struct Sandbox;

  void take_requests();
  void take(const SpawnRequest& request, UniqueFd control);
  void handle(const SpawnRequest& request);
  void begin_starts();
  [[nodiscard]] bool is_asked() const;
  void do_what_can_wait();
  void refuse_for_descriptors(const SpawnRequest& request);
  Result<Done> start(const SpawnRequest& request, const UniqueFd& control);
  Result<Done> launch(Sandbox& sandbox, const SpawnRequest& request, const UniqueFd& control);
  Result<Done> let_out(Sandbox& sandbox, const SpawnRequest& request);
  void shut_in(Sandbox& sandbox);
  void look_after_uplink(std::uint64_t tag);
  void watch_uplink(std::string trouble);
  [[nodiscard]] CgroupLimits limits_of(const SpawnRequest& request) const;
  void fill(Sandbox& sandbox, const SpawnRequest& request);
  void set_frozen(Sandbox& sandbox, const SpawnRequest& request);
  void answer_freezes();
  void limit_cpu(Sandbox& sandbox, const SpawnRequest& request);
  void stop(Sandbox& sandbox);
  void answer_status(const Sandbox& sandbox, const SpawnRequest& request);
  void setup_ended(Sandbox& sandbox);
  Result<Done> begin_running(Sandbox& sandbox);
  bool runtime_forked(std::uint32_t number);
  void pid_one_ended(Sandbox& sandbox);
  void let_go_of_tmp(Sandbox& sandbox);
  void finish_removals();
  bool finish_removal(Sandbox& sandbox);
  void tell_of_removal(Sandbox& sandbox, bool removed);
  void look_at_memory();
  void check_memory(Sandbox& sandbox);
  void end_all();
  void dispatch(std::uint64_t tag);
  Result<Done> watch(int fd, std::uint64_t tag);
  void unwatch(UniqueFd& fd);
  void give_up_unwatched(Sandbox& sandbox, const Error& error);
  void bury(Sandbox& sandbox);
  [[nodiscard]] int wait_time() const;

  void reply(const SpawnReply& reply);
  void tell(const std::string& words);
  void reply_done(Operation operation, std::uint32_t request, const std::string& text = {});
  void reply_failed(Operation operation, std::uint32_t request, const Error& error);

  SpawnServerParts parts_;
  CgroupStock cgroups_;
  NetworkPool networks_;
  UidBlock uids_;
  Zygotes zygotes_;
  std::optional<Clock::time_point> look_at_zygotes_;
  std::map<std::string, std::unique_ptr<Sandbox>, std::less<>> sandboxes_;
  std::map<std::uint32_t, Sandbox*> by_number_;
  std::uint32_t last_number_ = 0;
  // Freezes whose processes do not all stand still yet.
  struct Freezing {
    std::uint32_t number;
    std::uint32_t request;
    Clock::time_point until;
  };
  std::vector<Freezing> freezing_;
  // Not begun yet.
  struct Asked {
    SpawnRequest request;
    UniqueFd control;
  };
  std::deque<Asked> starts_;
  std::deque<SpawnRequest> stops_;
  Clock::time_point stops_began_;       // when the first of them came
  std::deque<std::uint32_t> removing_;  // those that ended first in front
  int watched_carrier_ = -1;
  unsigned watched_ = 0;  // running, not frozen
  bool hot_ = false;      // some sandbox is near its memory limit
  bool ending_ = false;
  Clock::time_point next_look_;
};

}  // namespace lambda::sandbox::native
