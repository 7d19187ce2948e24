// Instance: one execution environment of one version, from its cold start to its end.
//
//   starting -> ready <-> busy (slots in use)
//      |          |         |
//      +-> failed +-> ended +        (exit, crash, timeout, retired)
//
// Between calls a ready one may be frozen: its processes stand still until wake().
//
// Threads: the loop it was started on. Held by shared_ptr: the pool, and the coroutines that start,
// watch and end it.
#pragma once

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "function/function.h"
#include "observe/log_store.h"
#include "pool/instance_log.h"
#include "sandbox/runtime_api.h"
#include "sandbox/sandbox.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lambda::pool {

// AWS gives the initialisation 10 s.
inline constexpr std::chrono::seconds kInitLimit{10};
// An error in a sandbox shows first as a closed connection, then as an exit: wait so long for the
// reason.
inline constexpr std::chrono::milliseconds kExitGrace{200};

// Why an instance cannot serve, in the words of section 2.4 of the contract less the request id,
// which the caller of the failing invocation adds.
struct Failure {
  enum class Kind { init, timeout, exit, out_of_memory };
  Kind kind = Kind::exit;
  std::string type;     // "Runtime.ExitError"
  std::string reason;   // "Runtime exited with error: exit status 1"
  std::string detail;   // what AWS's words leave out: why a program could not be executed; else ""
  std::string payload;  // the runtime's own error object, verbatim, where it sent one; else ""
};

// It took longer than this.
[[nodiscard]] Failure timed_out(std::chrono::duration<double> limit);

// Where the time of a cold start went. Of steady time.
struct StartTimes {
  SteadyTime begin{};
  std::chrono::microseconds sandbox{0};  // until the driver gave the sandbox out
  std::chrono::microseconds init{0};
  std::vector<sandbox::StartStepTime> sandbox_steps;
  [[nodiscard]] SteadyTime end() const { return begin + sandbox + init; }
};

// What one event came to.
struct CallResult {
  std::optional<sandbox::RuntimeReply> reply;
  std::optional<Failure> failure;
  std::string log_tail;
  SteadyTime begin{};  // when the event was given to the runtime
  std::chrono::microseconds handler{0};
  std::uint64_t memory_peak_bytes = 0;  // of the instance so far; 0: not known
};

class Instance : public std::enable_shared_from_this<Instance> {
 public:
  struct Services {
    observe::LogSourcePtr
        log;  // null: what it writes is not the function's log (a built-in program)
    const Clock& clock;
  };
  Instance(LoopExecutor executor, function::VersionPtr version, std::string id, Services services);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Starts the sandbox and initialises the function's code. Errors: the driver's. A function that
  // fails to initialise is no Error: see init_failure().
  Task<Result<Done>> start(sandbox::Driver& driver, sandbox::SandboxSpec spec);
  // Instead of start(): it cannot be started for a reason that is the function's own, which becomes
  // its init_failure() and a line of its log.
  void refuse_start(Failure failure);
  // It was started before anybody wanted it: its first call is no cold start, and reports no
  // initialisation.
  void make_provisioned() { served = init_reported_ = true; }
  [[nodiscard]] const std::optional<Failure>& init_failure() const { return init_failure_; }
  [[nodiscard]] std::string init_log() const { return init_log_; }

  // One event. After a failure the instance has ended.
  Task<CallResult> call(sandbox::RuntimeEvent event, std::chrono::milliseconds limit);
  // True when the runtime asked for its next event, false when it ended instead.
  Task<bool> wait_until_ready_again();
  // HTTP functions: a new connection to $PORT. A call's log lines carry no request id: several may
  // run at once.
  Task<Result<UniqueFd>> connect();
  // Why one of them failed, into the function's log.
  Task<void> note_failure(std::string request_id, std::string reason);

  // Its processes stand still, from a moment later on. For one that serves no call.
  void freeze();
  // They go on; to be called before anything is asked of an instance that does not run. False: they
  // do not, and it is to be ended. A freeze that is under way ends first.
  Task<bool> wake();
  // Neither frozen nor about to be, nor on the way back.
  [[nodiscard]] bool runs() const { return !frozen_ && !moving_; }
  [[nodiscard]] bool moving() const { return moving_; }
  [[nodiscard]] bool can_freeze() const { return can_freeze_; }

  // Ends everything; resolves when nothing is left. May be called more than once.
  Task<void> end();
  // Set as soon as the runtime's process ended or end() was called.
  AsyncEvent& ended() { return ended_; }

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const function::VersionPtr& version() const { return version_; }
  [[nodiscard]] const StartTimes& start_times() const { return start_times_; }
  // The end of what it wrote outside of calls; for messages.
  Task<std::string> recent_log();
  // Asks the kernel what its processes hold; memory_bytes() says it from then on.
  void sample_memory();
  [[nodiscard]] std::uint64_t memory_bytes() const { return memory_bytes_; }
  // What its process came to, once ended() is set.
  [[nodiscard]] Failure exit_failure() const;

  // Kept by the pool.
  unsigned slots_used = 0;
  unsigned slots = 1;
  bool retired = false;  // no new calls; ends with the last one
  bool served = false;   // a call was given to it before: the next one is warm
  bool ending = false;   // on its way out; its room in the budget comes back soon
  SteadyTime idle_since{};

 private:
  Task<void> watch_exit(std::shared_ptr<Instance> self);
  static Task<void> end_one(std::shared_ptr<Instance> self);
  void start_moving();
  Task<void> move(std::shared_ptr<Instance> self);
  void motion_failed(const Error& error);
  Task<Result<Done>> initialise_handler();
  Task<Result<Done>> initialise_http();
  Task<void> note_failed_init();
  Task<Result<Done>> limit_cpu();
  Task<std::optional<Failure>> settle(std::optional<sandbox::RuntimeReply>& reply,
                                      std::chrono::milliseconds limit);
  [[nodiscard]] std::string failure_line(std::string_view request_id,
                                         std::string_view reason) const;
  [[nodiscard]] std::string failure_line(std::string_view request_id, const Failure& failure) const;
  [[nodiscard]] std::string report(std::string_view request_id, std::chrono::microseconds duration,
                                   const std::optional<Failure>& failure,
                                   std::uint64_t memory_peak_bytes);

  LoopExecutor executor_;
  function::VersionPtr version_;
  std::string id_;
  Services services_;
  std::unique_ptr<sandbox::Sandbox> sandbox_;
  std::unique_ptr<sandbox::RuntimeApi> api_;
  std::unique_ptr<InstanceLog> log_;
  std::optional<sandbox::ExitStatus> exit_;
  std::optional<Failure> init_failure_;
  std::string init_log_;
  std::string command_;  // what the sandbox runs, for messages
  StartTimes start_times_;
  std::uint64_t memory_bytes_ = 0;
  bool init_reported_ = false;
  bool initialised_ = false;
  bool calls_ = false;  // a handler's call runs
  bool ending_ = false;
  bool frozen_ = false;
  bool wants_frozen_ = false;
  bool moving_ = false;  // move() is on its way from the one to the other
  bool can_freeze_ = true;
  AsyncEvent settled_;  // it is not
  AsyncEvent watch_done_;
  AsyncEvent ended_;
  AsyncEvent gone_;
};

}  // namespace lambda::pool
