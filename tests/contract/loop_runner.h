// Runs one coroutine to its end on a loop of the test's own thread.
#pragma once

#include "base/async.h"

#include <exception>
#include <optional>

namespace lambda::sandbox {

template <class T>
T run_on(Loop& loop, Task<T> task) {
  std::optional<T> value;
  std::exception_ptr error;
  auto done = [&](std::exception_ptr thrown, T result) {
    error = thrown;
    if (!thrown) value.emplace(std::move(result));
  };
  asio::co_spawn(loop.get_executor(), std::move(task), done);
  while (!value && !error) {
    loop.restart();
    loop.run_one();
  }
  if (error) std::rethrow_exception(error);
  return std::move(*value);
}

}  // namespace lambda::sandbox
