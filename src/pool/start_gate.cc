// Steps of enter(): in line -> refused, where the line is too long already -> a place, when one is
// given back or was held for too long; or refused, when those in front turn out to take longer.
#include "pool/start_gate.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace lambda::pool {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::size_t kPerCore = 8;
constexpr std::size_t kLeastWidth = 16;
// What a place is taken to be held for until it is known.
constexpr microseconds kUsualHold{20'000};
// Each new one counts for so small a part, and only who would wait for twice as long as he may is
// refused before his time is over: a machine that is slow for a moment costs nobody his call.
constexpr int kWeight = 32;
constexpr int kCertainly = 2;

}  // namespace

// What was decided of it is written under the state's lock, before `decided` is set on its loop.
struct StartGate::Waiter {
  Waiter(LoopExecutor loop, const void* whose, SteadyTime until)
      : executor(std::move(loop)), owner(whose), deadline(until) {}
  LoopExecutor executor;
  const void* owner;
  SteadyTime deadline;
  AsyncEvent decided;
  std::uint64_t place = 0;
  std::optional<microseconds> refused;  // it would have taken so long
};

struct StartGate::State {
  struct Holder {
    const void* owner;
    SteadyTime since;
    bool counts = true;  // not held for too long yet
  };

  State(std::size_t places, milliseconds longest) : width(places), longest_hold(longest) {}

  mutable std::mutex mutex;
  const std::size_t width;
  const milliseconds longest_hold;
  std::deque<std::shared_ptr<Waiter>> line;
  std::map<std::uint64_t, Holder> holders;  // the oldest first
  std::size_t counted = 0;                  // of them
  std::uint64_t last_place = 0;
  microseconds hold = kUsualHold;  // moving average

  // All of these with the lock held.
  [[nodiscard]] std::size_t held_by(const void* owner) const {
    return static_cast<std::size_t>(std::ranges::count_if(holders, [owner](const auto& entry) {
      return entry.second.counts && entry.second.owner == owner;
    }));
  }
  static void decide(const std::shared_ptr<Waiter>& waiter) {
    auto wake = [waiter] { waiter->decided.set(); };
    asio::post(waiter->executor, std::move(wake));
  }
  void let_in(SteadyTime now) {
    while (counted < width && !line.empty()) {
      auto next = std::ranges::find_if(line, [this](const auto& waiter) {
        return held_by(waiter->owner) < std::max<std::size_t>(width / 2, 1);
      });
      if (next == line.end()) next = line.begin();
      const auto waiter = *next;
      line.erase(next);
      waiter->place = ++last_place;
      holders.emplace(last_place, Holder{waiter->owner, now});
      ++counted;
      decide(waiter);
    }
  }
  [[nodiscard]] microseconds expected_wait(std::size_t in_front) const {
    return hold * static_cast<microseconds::rep>(in_front / width + 1);
  }
  void refuse_late(SteadyTime now) {
    while (!line.empty()) {
      const auto wait = expected_wait(line.size() - 1);
      if (now + wait / kCertainly <= line.back()->deadline) return;
      line.back()->refused = wait;
      decide(line.back());
      line.pop_back();
    }
  }
  // Nobody gets a place once its time is over, whoever stands behind it.
  void refuse_expired(SteadyTime now) {
    std::erase_if(line, [this, now](const auto& waiter) {
      if (now < waiter->deadline) return false;
      waiter->refused = expected_wait(line.size());
      decide(waiter);
      return true;
    });
  }
  void stop_counting(Holder& holder, SteadyTime now) {
    if (!std::exchange(holder.counts, false)) return;
    --counted;
    const auto held = std::chrono::duration_cast<microseconds>(now - holder.since);
    hold = (hold * (kWeight - 1) + held) / kWeight;
  }
  // When the next one has been held for too long.
  SteadyTime look_at_holders(SteadyTime now) {
    auto next = SteadyTime::max();
    for (auto& [number, holder] : holders) {
      if (!holder.counts) continue;
      if (now - holder.since >= longest_hold) {
        stop_counting(holder, now);
      } else {
        next = std::min(next, holder.since + longest_hold);
      }
    }
    refuse_expired(now);
    let_in(now);
    refuse_late(now);
    return next;
  }
  void give_back(std::uint64_t number) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex);
    const auto found = holders.find(number);
    if (found == holders.end()) return;
    stop_counting(found->second, now);
    holders.erase(found);
    refuse_expired(now);
    let_in(now);
    refuse_late(now);
  }
};

// However the wait ends, also with the coroutine itself, nobody is given a place that is not there
// to take it.
class StartGate::InLine {
 public:
  InLine(std::shared_ptr<State> state, std::shared_ptr<Waiter> waiter)
      : state_(std::move(state)), waiter_(std::move(waiter)) {}
  InLine(const InLine&) = delete;
  InLine& operator=(const InLine&) = delete;
  ~InLine() {
    std::uint64_t place = 0;
    {
      const std::lock_guard lock(state_->mutex);
      std::erase(state_->line, waiter_);
      place = std::exchange(waiter_->place, 0);
    }
    if (place != 0) state_->give_back(place);
  }
  // True: there is a place, or it was refused.
  [[nodiscard]] bool is_decided() const {
    const std::lock_guard lock(state_->mutex);
    return waiter_->place != 0 || waiter_->refused;
  }
  std::uint64_t take() {
    const std::lock_guard lock(state_->mutex);
    return std::exchange(waiter_->place, 0);
  }

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<Waiter> waiter_;
};

std::size_t StartGate::usual_width() {
  return std::max<std::size_t>(kLeastWidth, std::thread::hardware_concurrency() * kPerCore);
}

StartGate::StartGate(std::size_t width, milliseconds longest_hold)
    : state_(std::make_shared<State>(std::max<std::size_t>(width, 1), longest_hold)) {}

StartGate::Place::~Place() {
  if (state_ && number_ != 0) state_->give_back(number_);
}

std::size_t StartGate::waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->line.size();
}

Task<Result<StartGate::Place>> StartGate::enter(const void* owner, SteadyTime deadline) {
  const auto state = state_;
  const auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor, owner, deadline);
  InLine in_line(state, waiter);
  {
    const std::lock_guard lock(state->mutex);
    state->line.push_back(waiter);
  }
  while (true) {
    SteadyTime next;
    {
      const std::lock_guard lock(state->mutex);
      next = state->look_at_holders(std::chrono::steady_clock::now());
    }
    if (in_line.is_decided()) break;
    const auto until = std::min(next, deadline);
    const bool woken = co_await waiter->decided.wait_until(until);
    if (woken || in_line.is_decided()) break;
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      co_return fail(ErrorCode::unavailable, "nobody waits for this start any more");
  }
  if (const auto place = in_line.take(); place != 0) co_return Place(state, place);
  const auto wait = std::chrono::ceil<std::chrono::seconds>(*waiter->refused);
  co_return fail(ErrorCode::overloaded,
                 "so many instances are being started that another would have to wait for {} s, "
                 "longer than a call waits here",
                 wait.count());
}

}  // namespace lambda::pool
