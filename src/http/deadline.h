// Deadline: the latest moment for one wait at a time of a connection; what waits beside it needs
// its own.
//
// It is set anew for each wait, often, and must cost next to nothing: the timer is armed once and
// looks at the current moment only when it fires, so that moving the moment later is one
// assignment. At the moment itself `on_expiry` runs (it cancels the pending operation, which then
// ends with operation_aborted) and expired() tells why. One loop only; destroying it disarms it.
#pragma once

#include "base/async.h"

#include <chrono>
#include <functional>
#include <memory>

namespace lambda::http {

class Deadline {
 public:
  Deadline(LoopExecutor executor, std::function<void()> on_expiry);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void expire_at(std::chrono::steady_clock::time_point moment);
  // Zero or less: never.
  void expire_after(std::chrono::steady_clock::duration duration);
  void clear();
  // Since it was last set.
  [[nodiscard]] bool expired() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // the pending timer handler may outlive this object
};

}  // namespace lambda::http
