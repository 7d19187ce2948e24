#include "invoke/sharded_invoker.h"

#include "base/background.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace lambda::invoke {

ShardedInvoker::ShardedInvoker(std::vector<Loop*> loops, const InstanceStarter& starter,
                               pool::PoolLimits limits, std::size_t max_instances,
                               const Clock& clock, AskStanding standing)
    : budget_(max_instances) {
  for (Loop* loop : loops) {
    shards_.push_back(std::make_unique<Shard>(*loop, starter, limits, budget_, clock));
    shards_.back()->set_standing(standing);
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    shards_[i]->set_room_elsewhere([this, i, turn = std::size_t{0}](Shard::Which which) mutable {
      ask_for_room(i, turn++, which);
    });
  }
}

// One other shard at a time, each in its turn: every one gives up one instance at most.
void ShardedInvoker::ask_for_room(std::size_t asking, std::size_t turn, Shard::Which which) {
  if (shards_.size() < 2) return;
  auto& other = *shards_[(asking + 1 + turn % (shards_.size() - 1)) % shards_.size()];
  asio::post(other.loop(), [&other, which] { other.make_room(which); });
}

Shard& ShardedInvoker::home_of(std::string_view function) {
  return *shards_[std::hash<std::string_view>{}(function) % shards_.size()];
}

Task<Result<Outcome>> ShardedInvoker::invoke(Call call) {
  auto& shard = home_of(call.target.function->name);
  auto task = shard.invoke(std::move(call));
  co_return co_await cross_to(shard.loop(), std::move(task));
}

Task<Result<std::unique_ptr<HttpLease>>> ShardedInvoker::open_http(HttpCall call) {
  auto& shard = home_of(call.target.function->name);
  auto task = shard.open_http(std::move(call));
  co_return co_await cross_to(shard.loop(), std::move(task));
}

Task<Result<Timing>> ShardedInvoker::prepare(function::VersionPtr version, InitFailure& failure) {
  auto& shard = home_of(version->function);
  auto task = shard.prepare(std::move(version), failure);
  co_return co_await cross_to(shard.loop(), std::move(task));
}

void ShardedInvoker::adopt_prepared(function::VersionPtr prepared, function::VersionPtr published) {
  auto& shard = home_of(prepared->function);
  asio::post(shard.loop(), [&shard, prepared, published] { shard.adopt(prepared, published); });
}

void ShardedInvoker::abandon_prepared(function::VersionPtr prepared) {
  auto& shard = home_of(prepared->function);
  asio::post(shard.loop(), [&shard, prepared] { shard.retire(prepared); });
}

Task<Result<Done>> ShardedInvoker::run_builtin(function::VersionPtr version,
                                               std::vector<std::string> argv,
                                               std::chrono::seconds limit, TakeAnswer take) {
  auto& shard = home_of(version->function);
  auto task = shard.run_builtin(std::move(version), std::move(argv), limit, std::move(take));
  co_return co_await cross_to(shard.loop(), std::move(task));
}

// On the caller's loop, which has a shard of its own.
Task<Result<Done>> ShardedInvoker::run_tool(function::VersionPtr version,
                                            std::vector<std::string> argv, UseSandbox use) {
  const auto here = co_await asio::this_coro::executor;
  const auto mine = std::ranges::find_if(
      shards_, [&here](const auto& shard) { return shard->loop().get_executor() == here; });
  if (mine == shards_.end()) co_return fail(ErrorCode::internal, "this loop runs no functions");
  co_return co_await (*mine)->run_tool(std::move(version), std::move(argv), std::move(use));
}

void ShardedInvoker::retire(const std::vector<function::VersionPtr>& versions) {
  for (const auto& version : versions) {
    auto& shard = home_of(version->function);
    asio::post(shard.loop(), [&shard, version] { shard.retire(version); });
  }
}

Task<bool> ShardedInvoker::runs(function::VersionPtr version) {
  auto& shard = home_of(version->function);
  auto ask = [](Shard& asked, function::VersionPtr wanted) -> Task<bool> {
    co_return asked.runs(*wanted);
  };
  auto task = ask(shard, std::move(version));
  co_return co_await cross_to(shard.loop(), std::move(task));
}

void ShardedInvoker::record_to(const std::vector<observe::CallSink*>& sinks) {
  for (std::size_t i = 0; i < shards_.size(); ++i) shards_[i]->set_sink(sinks.at(i));
}

void ShardedInvoker::start() {
  for (auto& shard : shards_) {
    asio::co_spawn(shard->loop(), shard->reap(), in_background("giving up idle instances"));
    asio::co_spawn(shard->loop(), shard->sample_memory(),
                   in_background("looking at the instances' memory"));
  }
}

Task<observe::LoopGauges> ShardedInvoker::gauges() {
  auto ask = [](const Shard& shard) -> Task<observe::LoopGauges> { co_return shard.gauges(); };
  observe::LoopGauges all;
  for (const auto& shard : shards_) {
    auto task = ask(*shard);
    all.add(co_await cross_to(shard->loop(), std::move(task)));
  }
  co_return all;
}

void ShardedInvoker::keep(const std::vector<function::Resolved>& wanted) {
  std::vector<std::vector<function::Resolved>> homes(shards_.size());
  for (const auto& target : wanted) {
    const auto* const home = &home_of(target.function->name);
    const auto at = std::ranges::find(shards_, home, &std::unique_ptr<Shard>::get);
    homes[static_cast<std::size_t>(at - shards_.begin())].push_back(target);
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    auto& shard = *shards_[i];
    asio::post(shard.loop(), [&shard, mine = std::move(homes[i])] { shard.keep(mine); });
  }
}

namespace {

using Idle = pool::InstancePool::Idle;

// Of an instance whose memory was not looked at yet.
constexpr std::uint64_t kLeastBytes = 4ull << 20;

// The last of those that go, in the order in which they do.
Idle last_to_go(std::vector<Idle>& all, std::uint64_t bytes) {
  std::ranges::sort(all, [](const Idle& one, const Idle& other) {
    return std::pair(one.kept, one.since) < std::pair(other.kept, other.since);
  });
  std::uint64_t freed = 0;
  auto last = all.begin();
  for (auto at = all.begin(); at != all.end(); ++at) {
    last = at;
    freed += std::max(at->memory_bytes, kLeastBytes);
    if (freed >= bytes) break;
  }
  all.erase(std::next(last), all.end());
  return *last;
}

}  // namespace

Task<std::size_t> ShardedInvoker::give_up_idle(std::uint64_t bytes) {
  auto list = [](const Shard& shard) -> Task<std::vector<Idle>> { co_return shard.list_idle(); };
  std::vector<Idle> all;
  for (const auto& shard : shards_) {
    auto task = list(*shard);
    auto idle = co_await cross_to(shard->loop(), std::move(task));
    all.insert(all.end(), idle.begin(), idle.end());
  }
  if (all.empty()) co_return 0;
  const auto last = last_to_go(all, bytes);
  for (const auto& shard : shards_) {
    auto end = [&asked = *shard, last] {
      asked.end_idle_since(last.kept ? SteadyTime::max() : last.since, Shard::Which::spare);
      if (last.kept) asked.end_idle_since(last.since, Shard::Which::kept_too);
    };
    asio::post(shard->loop(), std::move(end));
  }
  co_return all.size();
}

Task<void> ShardedInvoker::stop(SteadyTime deadline) {
  for (auto& shard : shards_) {
    auto task = shard->stop(deadline);
    const auto here = co_await asio::this_coro::executor;
    if (here == shard->loop().get_executor()) {
      co_await std::move(task);
    } else {
      co_await asio::co_spawn(shard->loop().get_executor(), std::move(task), kUseAwaitable);
    }
  }
}

}  // namespace lambda::invoke
