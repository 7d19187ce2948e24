// InstancePool: the instances of one version on one loop. Hands out slots, starts instances when
// waiting would cost more than a start, and gives idle ones up.
//
// A call takes the instance used last (it is the warmest). When none has a free slot it waits in
// line, and another instance is started once the expected wait exceeds the usual cost of a start
// and no start under way will serve the call anyway. A start that fails fails the call at the head
// of the line; the others wait for the next start.
// Threads: one loop. Held by shared_ptr: the shard's table, running calls (Lease) and running
// starts.
#pragma once

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "function/function.h"
#include "observe/metrics/gauges.h"
#include "pool/instance.h"
#include "pool/start_gate.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::pool {

struct PoolLimits {
  std::size_t instances_per_version = 1000;
  std::size_t waiting_calls = 1000;  // in line for one version; more are refused
  std::chrono::milliseconds longest_wait{30'000};
  std::chrono::milliseconds idle_time{300'000};  // then an instance is given up
  std::chrono::milliseconds freeze_after{0};     // idle for so long, it is frozen; 0: never
  // Requests at once in one instance of an HTTP function that names no number.
  unsigned http_slots = function::kHttpConcurrency;
};

// The server's instances altogether; shared by all loops.
class InstanceBudget {
 public:
  explicit InstanceBudget(std::size_t limit) : limit_(limit) {}
  [[nodiscard]] bool is_used_up() const { return used_ >= limit_; }
  [[nodiscard]] bool take() {
    auto used = used_.load();
    while (used < limit_) {
      if (used_.compare_exchange_weak(used, used + 1)) return true;
    }
    return false;
  }
  void give_back() { --used_; }
  // Memory is short: nothing is started but for calls, and each start gives up an idle instance.
  void set_short_of_memory(bool is_short) { short_of_memory_ = is_short; }
  [[nodiscard]] bool short_of_memory() const { return short_of_memory_; }
  [[nodiscard]] std::size_t used() const { return used_.load(); }
  [[nodiscard]] std::size_t limit() const { return limit_; }
  // How many of them are being started at once.
  [[nodiscard]] StartGate& starts() { return starts_; }

 private:
  std::size_t limit_;
  StartGate starts_;
  std::atomic<std::size_t> used_{0};
  std::atomic<bool> short_of_memory_{false};
};

// Who wants room: for a call also instances that are to be kept are given up, where no others are
// left; not to have another such instance ready.
enum class RoomFor { call, ahead };
using MakeRoom = std::function<void(RoomFor)>;

// Takes room for one instance, making some where there is none. False at the deadline.
Task<bool> take_room(InstanceBudget& budget, MakeRoom make_room, SteadyTime deadline,
                     RoomFor who = RoomFor::call);

// Makes one started instance (or says why not); given by the owner of the drivers.
using StartInstance =
    std::function<Task<Result<std::shared_ptr<Instance>>>(function::VersionPtr version)>;

class InstancePool;

// A slot of an instance; given back when destroyed. Its loop only.
class Lease {
 public:
  Lease() = default;
  Lease(std::shared_ptr<InstancePool> pool, std::shared_ptr<Instance> instance, bool cold,
        std::chrono::microseconds waited, SteadyTime taken)
      : pool_(std::move(pool)),
        instance_(std::move(instance)),
        cold_(cold),
        waited_(waited),
        taken_(taken) {}
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { give_back(); }

  explicit operator bool() const { return instance_ != nullptr; }
  [[nodiscard]] Instance& instance() const { return *instance_; }
  // The first call of this instance.
  [[nodiscard]] bool cold() const { return cold_; }
  [[nodiscard]] std::chrono::microseconds waited() const { return waited_; }
  // It was frozen, and took so long to come back; of steady time.
  struct Thaw {
    SteadyTime begin{};
    std::chrono::microseconds duration{0};
  };
  [[nodiscard]] const std::optional<Thaw>& thaw() const { return thaw_; }
  void thawed(Thaw thaw) { thaw_ = thaw; }
  void give_back();
  // The instance misbehaved: it gets no new calls, and ends with the last of those it has. The
  // others that it serves at this moment are not to suffer.
  void discard();

 private:
  std::shared_ptr<InstancePool> pool_;
  std::shared_ptr<Instance> instance_;
  bool cold_ = false;
  std::chrono::microseconds waited_{0};
  SteadyTime taken_{};
  std::optional<Thaw> thaw_;
};

class InstancePool : public std::enable_shared_from_this<InstancePool> {
 public:
  InstancePool(LoopExecutor executor, function::VersionPtr version, PoolLimits limits,
               InstanceBudget& budget, StartInstance start, MakeRoom make_room, const Clock& clock);

  // A slot. Errors: overloaded (line too long, or nothing free in time), the driver's; an instance
  // whose init failed is reported through `init_failure` (and an empty lease).
  struct InitFailure {
    Failure failure;
    std::string log;
    StartTimes start;
  };
  Task<Result<Lease>> acquire(std::optional<InitFailure>& init_failure);

  // Starts one instance ahead of any call. Nothing on success. One that is not for a call waits for
  // no room.
  Task<Result<std::optional<InitFailure>>> start_ahead(RoomFor who = RoomFor::call);

  // The same code under its published number (see Invoker::adopt_prepared).
  void rename(function::VersionPtr version) { version_ = std::move(version); }
  // Nobody comes any more but calls that had this version already. Idle instances end now, busy
  // ones after their last call, and all that is left, connections without end included, once the
  // version's timeout is over: counted from now, or from when the last in line must have its slot.
  void retire();
  // So many of them are kept from now on: idle, they are given up only where a call needs the room
  // and no others are left. keep_up() starts what is missing of them, one after the other; called
  // every second, it replaces what ended, and tries again where a start failed (1 s later, then 2,
  // 4 ... 60).
  void set_kept(std::size_t count) { kept_ = count; }
  void keep_up();
  [[nodiscard]] std::size_t kept() const { return kept_; }

  // Begins to freeze those that are idle for so long, a few at a time. When to look again: nothing
  // where none is left to be frozen.
  std::optional<std::chrono::milliseconds> freeze_idle(SteadyTime now);
  // Ends instances idle since before `now - idle_time`, the version's own where it has one, but for
  // those that are kept. Returns how many are left.
  std::size_t end_idle(SteadyTime now);
  // Which of its idle instances may go. `kept_too`: where nothing else is left.
  enum class Which { spare, kept_too };
  // Ends the instance that has been idle longest. False when there is none.
  bool end_one_idle(Which which);
  struct Idle {
    SteadyTime since{};
    std::uint64_t memory_bytes = 0;
    bool kept = false;
  };
  void list_idle(std::vector<Idle>& all) const;
  // Ends those that are idle since `since` or longer. Returns how many.
  std::size_t end_idle_since(SteadyTime since, Which which);
  // An instance is on its way out: its room in the budget comes back by itself.
  [[nodiscard]] bool room_is_coming() const;
  // Ends every instance now, whatever it does, and fails the calls in line with `reason`.
  void end_all(std::string_view reason);
  // Resolves when every instance has ended.
  Task<void> wait_empty(SteadyTime deadline);

  [[nodiscard]] std::size_t size() const { return instances_.size() + starting_; }
  // No instance, none to be kept, no start under way, nobody in line: the pool may go.
  [[nodiscard]] bool unused() const { return size() == 0 && kept_ == 0 && line_.empty(); }
  // The instance started last, or null.
  [[nodiscard]] std::shared_ptr<Instance> newest() const {
    return instances_.empty() ? nullptr : instances_.back();
  }
  [[nodiscard]] const function::VersionPtr& version() const { return version_; }
  [[nodiscard]] std::optional<SteadyTime> oldest_idle(Which which) const;
  [[nodiscard]] observe::InstanceCounts counts() const;
  [[nodiscard]] const std::vector<std::shared_ptr<Instance>>& instances() const {
    return instances_;
  }

 private:
  friend class Lease;
  struct Waiter;
  class Place;
  class Starting;

  [[nodiscard]] std::size_t slots_of_one() const;
  std::shared_ptr<Instance> take_free();
  void freeze_later();
  static Task<void> watch_idle(std::weak_ptr<InstancePool> pool, std::chrono::milliseconds pause);
  Lease lend(std::shared_ptr<Instance> instance, SteadyTime asked);
  void release(std::shared_ptr<Instance> instance, SteadyTime taken);
  Task<void> make_ready(std::shared_ptr<InstancePool> self, std::shared_ptr<Instance> instance,
                        SteadyTime taken);
  void offer(const std::shared_ptr<Instance>& instance);
  [[nodiscard]] bool wants_another() const;
  [[nodiscard]] std::chrono::microseconds expected_wait(std::size_t uncovered,
                                                        std::size_t coming) const;
  void look_at_line();
  Task<void> watch_line(std::shared_ptr<InstancePool> self);
  Task<void> start_for_line(std::shared_ptr<InstancePool> self, std::unique_ptr<Starting> starting);
  Task<Result<std::shared_ptr<Instance>>> start_one(std::unique_ptr<Starting> starting);
  Task<Result<std::optional<InitFailure>>> start_idle(std::unique_ptr<Starting> starting);
  [[nodiscard]] std::size_t alive() const;
  [[nodiscard]] bool lacks_kept() const;
  Task<void> start_kept(std::shared_ptr<InstancePool> self);
  void note_failed_start(std::string_view reason);
  [[nodiscard]] std::vector<std::shared_ptr<Instance>> idle_ones(Which which) const;
  void fail_first(std::optional<Error> error, std::optional<InitFailure> init_failure);
  void refuse_last(Error error);
  Task<void> watch(std::shared_ptr<InstancePool> self, std::shared_ptr<Instance> instance);
  static Task<void> end_late(std::weak_ptr<InstancePool> pool, SteadyTime deadline);
  void end_soon(const std::shared_ptr<Instance>& instance);
  Task<void> end_instance(std::shared_ptr<InstancePool> self, std::shared_ptr<Instance> instance);
  void forget(const std::shared_ptr<Instance>& instance);

  LoopExecutor executor_;
  function::VersionPtr version_;
  PoolLimits limits_;
  InstanceBudget& budget_;
  StartInstance start_;
  MakeRoom make_room_;  // called when the budget is used up: ends an idle instance somewhere
  const Clock& clock_;
  std::vector<std::shared_ptr<Instance>> instances_;
  std::vector<std::shared_ptr<Instance>> free_;  // the one used last is at the back
  std::deque<std::shared_ptr<Waiter>> line_;
  std::size_t starting_ = 0;
  bool watching_line_ = false;
  bool watching_idle_ = false;
  std::size_t kept_ = 0;
  bool starts_kept_ = false;
  // After a start of those that failed: how long to wait, and until when.
  std::chrono::seconds kept_pause_{0};
  SteadyTime kept_again_{};
  bool retired_ = false;
  bool closed_ = false;  // end_all() was called: nothing starts any more
  // Moving averages: what a start costs, and how long a call holds a slot (unknown at first).
  std::chrono::microseconds start_cost_{100'000};
  std::optional<std::chrono::microseconds> call_time_;
  SteadyTime last_given_{};  // when a call in line was given a slot
  AsyncEvent emptied_;
};

}  // namespace lambda::pool
