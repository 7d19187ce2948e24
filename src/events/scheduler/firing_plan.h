// What a schedule does at a moment: which of its times are fired, queued, left out or missed. Pure:
// the time, and whether its last event is over, are parameters.
//
//   on time   (decided at most misfire_after() late) Overlap says what a firing does that is still
//                                                    at work
//   missed    (later than that)                      Misfire says which of them are made up for;
//                                                    what is made up for obeys Overlap, but for
//                                                    Misfire::all: there one begins when the one
//                                                    before is over, unless Overlap is allow
//
// Every time is decided once, in order: `decided` only grows, but for a clock that went back more
// than kClockWasWrong. From there on times are decided anew, up to what had been decided
// (`fenced`); where the clock leaps beyond that, it has come right again, and what was decided
// before stands. A leap and a server that was down so long look alike.
#pragma once

#include "base/clock.h"
#include "events/schedule/schedule_expression.h"
#include "events/schedule/time_zone.h"
#include "events/scheduler/schedule.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace lambda::events {

// A firing that is decided later than this was missed: a restart is quicker. But Misfire::all
// promises each, and what is not missed may be left out (Overlap).
inline constexpr std::chrono::milliseconds kMisfireAfter{60'000};
inline constexpr std::chrono::milliseconds kMisfireOfAllAfter{1'000};
[[nodiscard]] constexpr std::chrono::milliseconds misfire_after(Misfire misfire) {
  return misfire == Misfire::all ? kMisfireOfAllAfter : kMisfireAfter;
}
// A clock that went back further than this was wrong before, or is now: times count from there.
inline constexpr std::chrono::hours kClockWasWrong{24};
// So many of one schedule wait for the one before; what comes on top of it is left out.
inline constexpr std::uint64_t kMostQueued = 1'000;
// Misfire::all makes up for so many, the newest.
inline constexpr std::size_t kMostMadeUp = 1'000;

// A schedule that was read: when it is due.
class FiringTimes {
 public:
  // Errors: invalid, of the expression or the zone.
  static Result<FiringTimes> parse(const Schedule& schedule);

  // The first time after `after`, within from and until.
  [[nodiscard]] std::optional<WallTime> next(WallTime after) const;

 private:
  FiringTimes(ScheduleExpression expression, TimeZone zone, const Schedule& schedule)
      : expression_(std::move(expression)),
        zone_(std::move(zone)),
        anchor_(schedule.anchor()),
        from_(schedule.definition.from),
        until_(schedule.definition.until) {}

  ScheduleExpression expression_;
  TimeZone zone_;
  WallTime anchor_;
  std::optional<WallTime> from_;
  std::optional<WallTime> until_;
};

struct Decision {
  WallTime time{};
  Outcome outcome = Outcome::fired;
  std::uint64_t count = 1;  // missed: so many up to `time`
  bool operator==(const Decision&) const = default;
};

struct Decisions {
  WallTime since{};               // everything after this
  bool release = false;           // the oldest of those that are queued begins
  std::vector<Decision> firings;  // in order
  WallTime decided{};             // everything up to here
  std::optional<WallTime> next;   // due next; nullopt: never again
  std::uint64_t counted = 0;      // times that were missed: what it cost
};

// `runs`: the event of the last firing waits or runs. `most` (at least 1) bounds the firings of one
// call; the rest is due at once (`next` is not after `now`).
[[nodiscard]] Decisions decide(const Schedule& schedule, const FiringTimes& times, bool runs,
                               WallTime now, std::size_t most = 100);

}  // namespace lambda::events
