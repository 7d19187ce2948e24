// What moves `live` without a deploy: rollback and promote. A version that never was live, or a
// draft, is started and initialised once before it is; one that fails changes nothing.
//
// Threads: any loop.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "function/catalog.h"
#include "invoke/invoker.h"

#include <cstdint>
#include <optional>
#include <string>

namespace lambda::deploy {

enum class Direction { back, forward };

// What of the server a move needs; all of it outlives the move.
struct LiveMoveParts {
  function::Catalog& catalog;
  invoke::Invoker& invoker;
  BlockingPool& store_thread;
};

// Catalog::rollback or Catalog::promote. Errors: theirs, and those of Invoker::prepare.
Task<Result<function::Catalog::LiveMove>> move_live(LiveMoveParts parts, std::string name,
                                                    std::optional<std::uint64_t> number,
                                                    Direction direction);

}  // namespace lambda::deploy
