// Shard: the calls and instances that live on one event loop. A function's home is one shard, so
// that its limits, its line and its instances need no lock and are seen whole.
//
// Threads: everything here on the shard's loop.
#pragma once

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "invoke/call_course.h"
#include "invoke/instance_starter.h"
#include "invoke/invoker.h"
#include "observe/call_record.h"
#include "observe/metrics/gauges.h"
#include "pool/instance_pool.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lambda::invoke {

class Shard {
 public:
  Shard(Loop& loop, const InstanceStarter& starter, pool::PoolLimits limits,
        pool::InstanceBudget& budget, const Clock& clock);

  Task<Result<Outcome>> invoke(Call call);
  Task<Result<std::unique_ptr<HttpLease>>> open_http(HttpCall call);
  Task<Result<Timing>> prepare(function::VersionPtr version, Invoker::InitFailure& failure);
  Task<Result<Done>> run_builtin(function::VersionPtr version, std::vector<std::string> argv,
                                 std::chrono::seconds limit, Invoker::TakeAnswer take);
  Task<Result<Done>> run_tool(function::VersionPtr version, std::vector<std::string> argv,
                              Invoker::UseSandbox use);
  void adopt(const function::VersionPtr& prepared, const function::VersionPtr& published);
  void retire(const function::VersionPtr& version);
  [[nodiscard]] bool runs(const function::Version& version) const;

  using Which = pool::InstancePool::Which;
  // Ends the instance that has been idle longest, unless one is ending already. False when there is
  // none here.
  bool make_room(Which which);
  // What to try when there is none here and the server's budget is used up; set once, before use.
  void set_room_elsewhere(std::function<void(Which)> ask) { room_elsewhere_ = std::move(ask); }
  // Instances of these versions, as many as each says, are kept ready from now on; of others none.
  // Said again every second by whoever knows which versions are live.
  void keep(const std::vector<function::Resolved>& wanted);
  // All idle instances here; and the end of those that are idle since then or longer.
  [[nodiscard]] std::vector<pool::InstancePool::Idle> list_idle() const;
  void end_idle_since(SteadyTime since, Which which);
  // Asked for a version that has no instances here; set once, before use. Without it every version
  // is current.
  void set_standing(AskStanding ask) { standing_ = std::move(ask); }

  // Told of every call that ends, in whatever way; set once, before use; outlives the shard.
  void set_sink(observe::CallSink* sink) { sink_ = sink; }

  // Gives idle instances up, once a second, until stop().
  Task<void> reap();
  // Looks every few seconds what memory the instances hold, a few at a time, until stop().
  Task<void> sample_memory();
  [[nodiscard]] observe::LoopGauges gauges() const;
  // No new calls; ends every instance, idle ones first, all of them at the deadline.
  Task<void> stop(SteadyTime deadline);

  [[nodiscard]] Loop& loop() { return loop_; }

 private:
  // Counts a call of a function while it lives.
  class Admission;
  class HttpSlot;
  using PoolPtr = std::shared_ptr<pool::InstancePool>;

  // What run_tool() runs.
  struct RunningTool {
    Invoker::ToolRun run;
    AsyncEvent watched;  // its exit was
    AsyncEvent ended;    // nothing of it is left
  };
  static Task<void> watch_exit(std::shared_ptr<RunningTool> tool, sandbox::Sandbox& sandbox);

  Result<std::unique_ptr<Admission>> admit(const function::Resolved& target);
  // The instances of a version, and the log of its function that they write to.
  struct Home {
    PoolPtr pool;
    observe::LogSourcePtr log;
  };
  Home make_home(const function::VersionPtr& version);
  // For a call. Error: not_found (the function was deleted since it was resolved).
  Result<PoolPtr> pool_of(const function::Resolved& target);
  void let_go(const PoolPtr& pool);
  // All that have instances, or may have.
  [[nodiscard]] std::vector<PoolPtr> pools() const;
  // What they need of the call they take; what its record says of it stays.
  Task<Result<Outcome>> carry_out(Call& call, CallCourse& course);
  Task<Result<Outcome>> call_handler(Call& call, CallCourse& course);
  Task<Result<Outcome>> call_http(Call& call, std::unique_ptr<Admission> admission,
                                  CallCourse& course);
  // Where the function failed, `last_output` is what it wrote last: not for lambdad's own log.
  Task<Result<std::unique_ptr<HttpSlot>>> open_admitted(const function::Resolved& target,
                                                        std::unique_ptr<Admission> admission,
                                                        CallCourse& course,
                                                        std::string& last_output);
  pool::MakeRoom room_maker();
  // Room for what is no instance of a pool; who gets it gives it back. Errors: unavailable,
  // overloaded.
  Task<Result<Done>> take_room();
  Task<void> end_tools(SteadyTime deadline);

  Loop& loop_;
  const InstanceStarter& starter_;
  pool::PoolLimits limits_;
  pool::InstanceBudget& budget_;
  const Clock& clock_;
  std::map<std::string, Home> homes_;
  std::vector<std::weak_ptr<pool::InstancePool>> retired_;  // some may have calls yet
  std::vector<std::weak_ptr<pool::Instance>> builtin_;      // what run_builtin() started
  std::vector<std::weak_ptr<RunningTool>> tools_;
  std::map<std::string, int> in_flight_;         // by function
  std::set<std::string> kept_;                   // keys of homes_ that keep instances ready
  std::optional<std::set<std::string>> wanted_;  // the keys that keep() was told last
  std::function<void(Which)> room_elsewhere_;
  // How often room was asked for in a row and none was here that is not kept, and when last.
  std::size_t asked_in_vain_ = 0;
  SteadyTime last_in_vain_{};
  AskStanding standing_;
  observe::CallSink* sink_ = nullptr;
  bool stopping_ = false;
};

}  // namespace lambda::invoke
