#include "http/deadline.h"

#include <utility>

namespace lambda::http {

using std::chrono::steady_clock;

struct Deadline::State : std::enable_shared_from_this<State> {
  State(LoopExecutor executor, std::function<void()> action)
      : timer(executor), on_expiry(std::move(action)) {}

  // Makes sure that the timer fires at `moment` or before.
  void arm() {
    if (moment >= armed) return;
    armed = moment;
    timer.expires_at(moment);
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!error && self) self->fire();
    });
  }

  void fire() {
    armed = steady_clock::time_point::max();
    if (moment > steady_clock::now()) return arm();
    moment = steady_clock::time_point::max();
    expired = true;
    on_expiry();
  }

  Timer timer;
  std::function<void()> on_expiry;
  steady_clock::time_point moment = steady_clock::time_point::max();
  steady_clock::time_point armed = steady_clock::time_point::max();
  bool expired = false;
};

Deadline::Deadline(LoopExecutor executor, std::function<void()> on_expiry)
    : state_(std::make_shared<State>(executor, std::move(on_expiry))) {}

Deadline::~Deadline() {
  state_->on_expiry = [] {};
  state_->timer.cancel();
}

void Deadline::expire_at(steady_clock::time_point moment) {
  state_->expired = false;
  state_->moment = moment;
  state_->arm();
}

void Deadline::expire_after(steady_clock::duration duration) {
  constexpr std::chrono::hours kForever{24 * 365};  // and no overflow
  if (duration.count() <= 0 || duration > kForever) return clear();
  expire_at(steady_clock::now() + duration);
}

void Deadline::clear() {
  state_->expired = false;
  state_->moment = steady_clock::time_point::max();
}

bool Deadline::expired() const {
  return state_->expired;
}

}  // namespace lambda::http
