// What moves `live` without a deploy: rollback, promote and `lambda alias set`. A version that
// never was live, or a draft, is started and initialised once before it is; one that fails changes
// nothing.
//
// Threads: any loop.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "function/catalog.h"
#include "function/secret_table.h"
#include "invoke/invoker.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace lambda::deploy {

enum class Direction { back, forward };

// What of the server a move needs; all of it outlives the move.
struct LiveMoveParts {
  function::Catalog& catalog;
  invoke::Invoker& invoker;
  BlockingPool& store_thread;
  const function::SecretTable& secrets;
};

// Catalog::rollback or Catalog::promote. Errors: theirs, and those of Invoker::prepare.
Task<Result<function::Catalog::LiveMove>> move_live(LiveMoveParts parts, std::string name,
                                                    std::optional<std::uint64_t> number,
                                                    Direction direction);

// `change`, which points `live` at what `wanted` says, is run on the store's thread once all of its
// versions are known to start: those that never were live, nor take a share of its calls now, are
// started before. Errors: those of `change`, and of Invoker::prepare.
Task<Result<function::Alias>> set_live(LiveMoveParts parts, std::string name,
                                       function::Alias wanted,
                                       std::function<Result<function::Alias>()> change);

}  // namespace lambda::deploy
