#include "access/caller_watch.h"

#include "access/standing.h"

#include <algorithm>
#include <utility>

namespace lambda::access {
namespace {

using namespace std::chrono_literals;

// The time of day may be set meanwhile.
constexpr std::chrono::milliseconds kLookAgain = 500ms;

}  // namespace

struct CallerWatch::State : std::enable_shared_from_this<CallerWatch::State> {
  State(const store::KeyTable& of, const Clock& now, Caller who, LoopExecutor executor,
        std::function<void(const Error&)> then)
      : keys(of), clock(now), caller(std::move(who)), timer(executor), on_end(std::move(then)) {}

  void look() {
    if (!on_end) return;
    auto good = check_caller(keys, clock, caller);
    if (!good) return std::exchange(on_end, {})(good.error());
    if (!caller.expires) return;
    const auto left = *caller.expires - clock.now();
    timer.expires_after(std::clamp<std::chrono::milliseconds>(left, 1ms, kLookAgain));
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto state = weak.lock();
      if (state && !error) state->look();
    });
  }

  const store::KeyTable& keys;
  const Clock& clock;
  const Caller caller;
  Timer timer;
  std::function<void(const Error&)> on_end;
};

CallerWatch::CallerWatch(store::KeyTable& keys, const Clock& clock, const Caller& caller,
                         LoopExecutor executor, std::function<void(const Error&)> on_end)
    : state_(std::make_shared<State>(keys, clock, caller, executor, std::move(on_end))) {
  if (!caller.has_key) return;
  const auto look = [executor, weak = std::weak_ptr<State>(state_)] {
    asio::post(executor, [weak] {
      if (const auto state = weak.lock()) state->look();
    });
  };
  revocation_ = keys.watch(caller.access_key, look);
  // It may have been revoked since it was looked at.
  look();
}

CallerWatch::~CallerWatch() {
  // A look that was posted already holds nothing but this.
  state_->on_end = {};
}

Result<Done> check_caller(const store::KeyTable& keys, const Clock& clock, const Caller& caller) {
  if (!caller.has_key) return Done{};
  const auto key = keys.find(caller.access_key);
  if (!key) return fail(ErrorCode::unauthenticated, "{}", kInvalidToken);
  return check_standing(*key, clock.now());
}

}  // namespace lambda::access
