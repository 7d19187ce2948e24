// decide(): release one that is queued -> what was missed -> what is on time.
#include "events/scheduler/firing_plan.h"

#include <algorithm>
#include <deque>

namespace lambda::events {
namespace {

// Counting what was missed costs some hundred nanoseconds each.
constexpr std::uint64_t kMostCounted = 10'000;

struct MissedTimes {
  std::uint64_t count = 0;      // at least
  std::deque<WallTime> newest;  // at most as many as are wanted, in order
};

// Those in (after, limit], of a schedule of which so many were missed that they are not walked
// through: the newest are looked for from the end, in spans that grow.
std::deque<WallTime> newest_times(const FiringTimes& times, WallTime after, WallTime limit,
                                  std::size_t wanted) {
  for (auto span = std::chrono::milliseconds(60'000);; span *= 4) {
    const auto begin = limit - after <= span ? after : limit - span;
    std::deque<WallTime> found;
    for (auto time = times.next(begin); time && *time <= limit; time = times.next(*time)) {
      found.push_back(*time);
      if (found.size() > wanted) found.pop_front();
    }
    if (found.size() >= wanted || begin == after) return found;
  }
}

MissedTimes missed_times(const FiringTimes& times, WallTime after, WallTime limit,
                         std::size_t wanted) {
  MissedTimes missed;
  for (auto time = times.next(after); time && *time <= limit; time = times.next(*time)) {
    if (++missed.count > kMostCounted) {
      missed.newest = newest_times(times, after, limit, wanted);
      return missed;
    }
    missed.newest.push_back(*time);
    if (missed.newest.size() > wanted) missed.newest.pop_front();
  }
  return missed;
}

// The decisions of one call, as they come.
class Course {
 public:
  Course(const Schedule& schedule, WallTime decided, bool runs, std::size_t most)
      : overlap_(schedule.definition.overlap), runs_(runs), queued_(schedule.queued), most_(most) {
    decisions_.since = decisions_.decided = decided;
    if (queued_ > 0 && !runs_) {
      decisions_.release = true;
      runs_ = true;
      --queued_;
    }
  }

  void due(WallTime time, Overlap overlap) {
    if (overlap == Overlap::allow || (!runs_ && queued_ == 0)) {
      add(time, Outcome::fired);
      runs_ = true;
    } else if (overlap == Overlap::queue && queued_ < kMostQueued) {
      add(time, Outcome::queued);
      ++queued_;
    } else {
      add(time, Outcome::skipped);
    }
  }

  void missed(WallTime time, std::uint64_t count) {
    if (count == 0) return;
    add(time, Outcome::missed);
    decisions_.firings.back().count = count;
  }

  // Another call goes on from here.
  [[nodiscard]] bool full() const { return decisions_.firings.size() >= most_; }
  [[nodiscard]] Overlap overlap() const { return overlap_; }
  [[nodiscard]] Decisions& decisions() { return decisions_; }

 private:
  void add(WallTime time, Outcome outcome) {
    Decision decision;
    decision.time = time;
    decision.outcome = outcome;
    decisions_.firings.push_back(decision);
    decisions_.decided = time;
  }

  Overlap overlap_;
  bool runs_;
  std::uint64_t queued_;
  std::size_t most_;
  Decisions decisions_;
};

// One row tells of all that are given up; its time is that of the last.
void make_up(Course& course, Misfire misfire, const MissedTimes& missed) {
  if (missed.count == 0) return;
  const auto& newest = missed.newest;
  if (misfire == Misfire::skip) return course.missed(newest.back(), missed.count);
  if (misfire == Misfire::once) {
    if (newest.size() > 1) course.missed(newest[newest.size() - 2], missed.count - 1);
    return course.due(newest.back(), course.overlap());
  }
  // The times that are given up lie before the oldest that is made up for.
  const auto given_up = missed.count - std::min<std::uint64_t>(missed.count, newest.size());
  course.missed(newest.front() - std::chrono::milliseconds(1), given_up);
  const auto overlap = course.overlap() == Overlap::allow ? Overlap::allow : Overlap::queue;
  for (const auto time : newest) {
    if (course.full()) return;
    course.due(time, overlap);
  }
}

}  // namespace

Result<FiringTimes> FiringTimes::parse(const Schedule& schedule) {
  auto expression = ScheduleExpression::parse(schedule.definition.expression);
  if (!expression) return fail(std::move(expression.error()));
  auto zone = TimeZone::find(schedule.definition.zone);
  if (!zone) return fail(std::move(zone.error()));
  return FiringTimes(std::move(*expression), std::move(*zone), schedule);
}

std::optional<WallTime> FiringTimes::next(WallTime after) const {
  // The time that `from` names is one of those; an interval that counts from there is over later.
  const std::chrono::milliseconds itself(expression_.is_interval() ? 0 : 1);
  if (from_) after = std::max(after, *from_ - itself);
  const auto time = expression_.next(after, zone_, anchor_);
  if (!time || (until_ && *time > *until_)) return std::nullopt;
  return time;
}

namespace {

// A clock that is beyond the fence at a bound has come right again; one that got there by going on
// was seen on its way.
WallTime decided_by(const Schedule& schedule, WallTime now) {
  const bool came_right =
      schedule.decides_anew() && schedule.fenced <= now && now - schedule.decided > kClockWasWrong;
  return came_right ? schedule.fenced : schedule.decided;
}

}  // namespace

Decisions decide(const Schedule& schedule, const FiringTimes& times, bool runs, WallTime now,
                 std::size_t most) {
  const auto decided = decided_by(schedule, now);
  Course course(schedule, decided, runs, most);
  auto& decisions = course.decisions();
  const auto misfire = schedule.definition.misfire;
  const auto late = now - misfire_after(misfire);
  // With Misfire::once the one before the newest is needed too: what is given up goes up to it.
  const std::size_t wanted = misfire == Misfire::all ? kMostMadeUp : 2;
  if (late > decided) {
    const auto missed = missed_times(times, decided, late, wanted);
    decisions.counted = missed.count;
    make_up(course, misfire, missed);
  }
  auto next = times.next(decisions.decided);
  while (next && *next <= now && !course.full()) {
    course.due(*next, course.overlap());
    next = times.next(*next);
  }
  decisions.next = next;
  const bool all = !next || *next > now;
  if (all && schedule.decides_anew()) decisions.decided = std::max(decisions.decided, now);
  return std::move(decisions);
}

}  // namespace lambda::events
