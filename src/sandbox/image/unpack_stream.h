// unpack_stream: what comes in pieces on a loop, unpacked by a thread that reads it from a
// descriptor; a socket pair is between them.
// Threads: one loop, and the pool's. The pool must outlive the loop's work.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <functional>
#include <string>

namespace lambda::sandbox::image {

// "" at the end.
using NextPiece = std::function<Task<Result<std::string>>()>;

struct Unpacking {
  // Runs on the pool's thread; reads to the end, or as far as it likes.
  std::function<Result<Done>(int source)> unpack;
  // Called on the loop when the whole has failed, once `unpack` has ended: which may be after
  // unpack_stream() has returned.
  std::function<void()> clear_up;
  // The longest that `unpack` may take nothing, or go on after the last piece.
  std::chrono::steady_clock::duration patience;
};

// Errors: those of `next` and `unpack`; timeout, when `unpack` is stuck; internal.
Task<Result<Done>> unpack_stream(BlockingPool& pool, NextPiece next, Unpacking unpacking);

// The loop's half: passes on what comes until it ends or nobody reads any more, and closes `to`
// whatever happens.
Task<Result<Done>> pass_on(NextPiece next, UniqueFd to,
                           std::chrono::steady_clock::duration patience);

}  // namespace lambda::sandbox::image
