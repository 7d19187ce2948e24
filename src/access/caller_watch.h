// For answers that last: whether the key that asked for one is still a key. A revoked one ends such
// an answer at once, one that expires within a second. Of the answer's loop.
#pragma once

#include "access/key_checker.h"
#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/key_table.h"

#include <functional>
#include <memory>

namespace lambda::access {

class CallerWatch final : public KeyWatch {
 public:
  // `on_end` is called once at the most, on the loop and never by the constructor, with what is
  // wrong with the key; not after the watch was destroyed. `keys` and `clock` outlive it. People on
  // the unix socket have no key, and stay.
  CallerWatch(store::KeyTable& keys, const Clock& clock, const Caller& caller,
              LoopExecutor executor, std::function<void(const Error&)> on_end);
  ~CallerWatch() override;
  CallerWatch(const CallerWatch&) = delete;
  CallerWatch& operator=(const CallerWatch&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::unique_ptr<KeyWatch> revocation_;
};

// What is wrong with the caller's key by now. Errors: unauthenticated.
[[nodiscard]] Result<Done> check_caller(const store::KeyTable& keys, const Clock& clock,
                                        const Caller& caller);

}  // namespace lambda::access
