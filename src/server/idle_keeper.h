// IdleKeeper: which instances wait for calls. Versions that are live and name a number of instances
// have as many; where memory is short, idle instances are given up. Threads: one loop; what it
// works with outlives it.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "function/catalog.h"
#include "invoke/sharded_invoker.h"

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

namespace lambda::server {

// The versions that calls go to by `live` and that keep instances ready.
[[nodiscard]] std::vector<function::Resolved> versions_to_keep(const function::Snapshot& functions);

class IdleKeeper {
 public:
  // `low_memory`: idle instances are given up below so many percent of memory, also of that of
  // `functions`, their cgroup, where it is not empty; 0: they are not. `disk` reads how much there
  // is.
  IdleKeeper(const function::Catalog& catalog, invoke::ShardedInvoker& invoker, unsigned low_memory,
             std::filesystem::path functions, BlockingPool& disk)
      : catalog_(catalog),
        invoker_(invoker),
        disk_(disk),
        low_memory_(low_memory),
        functions_(std::move(functions)) {}

  // Both every second, until the loop ends.
  Task<void> keep_ready();
  Task<void> watch_memory();

 private:
  const function::Catalog& catalog_;
  invoke::ShardedInvoker& invoker_;
  BlockingPool& disk_;
  unsigned low_memory_;
  std::filesystem::path functions_;
};

}  // namespace lambda::server
