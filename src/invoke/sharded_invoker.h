// ShardedInvoker: the Invoker over one Shard a loop. A function's calls go to its home shard and
// the answers come back to the caller's loop.
#pragma once

#include "invoke/invoker.h"
#include "invoke/shard.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace lambda::invoke {

class ShardedInvoker final : public Invoker {
 public:
  // All references outlive it; the loops run until after stop().
  ShardedInvoker(std::vector<Loop*> loops, const InstanceStarter& starter, pool::PoolLimits limits,
                 std::size_t max_instances, const Clock& clock, AskStanding standing = {});

  Task<Result<Outcome>> invoke(Call call) override;
  Task<Result<std::unique_ptr<HttpLease>>> open_http(HttpCall call) override;
  Task<Result<Timing>> prepare(function::VersionPtr version, InitFailure& failure) override;
  void adopt_prepared(function::VersionPtr prepared, function::VersionPtr published) override;
  void abandon_prepared(function::VersionPtr prepared) override;
  Task<Result<Done>> run_builtin(function::VersionPtr version, std::vector<std::string> argv,
                                 std::chrono::seconds limit, TakeAnswer take) override;
  Task<Result<Done>> run_tool(function::VersionPtr version, std::vector<std::string> argv,
                              UseSandbox use) override;
  void retire(const std::vector<function::VersionPtr>& versions) override;
  Task<bool> runs(function::VersionPtr version) override;

  // Every call that ends is told to the sink of its function's home loop, given by the loop's place
  // in the list; before start(). The sinks outlive this.
  void record_to(const std::vector<observe::CallSink*>& sinks);
  // Starts the housekeeping of every shard.
  void start();
  // Lets running calls end until the deadline, then ends everything.
  Task<void> stop(SteadyTime deadline);
  // Of all loops, one after the other.
  Task<observe::LoopGauges> gauges();
  [[nodiscard]] const pool::InstanceBudget& budget() const { return budget_; }
  // Instances of these versions are kept ready from now on, as many as each version says, and of
  // others none. To be called every second; any thread.
  void keep(const std::vector<function::Resolved>& wanted);
  // Whether memory is short; while it is, nothing is started ahead of calls. Any thread.
  void set_short_of_memory(bool is_short) { budget_.set_short_of_memory(is_short); }
  // Gives up idle instances that hold so many bytes together, one at the least: those that are idle
  // longest, and such as are kept only where no others are left. Returns how many.
  Task<std::size_t> give_up_idle(std::uint64_t bytes);

 private:
  Shard& home_of(std::string_view function);
  void ask_for_room(std::size_t asking, std::size_t turn, Shard::Which which);

  pool::InstanceBudget budget_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace lambda::invoke
