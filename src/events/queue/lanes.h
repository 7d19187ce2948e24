// Lanes: whose turn it is. A lane is a line of waiting events (those of a function, or of one
// webhook); it knows when its next one is due, never the events themselves. Lanes take turns, and
// one of them has no more than its part of the room.
//
// Lanes lead to a place: a function, or the address of a webhook, to which several functions may
// send their results. A place works where its last event went well, fails where it did not, and is
// new until one of both is known. What does not work has less room, alone and together, so that
// hundreds of webhooks that hang leave the most of it to those that work.
//
// One thread. Pure.
#pragma once

#include "base/clock.h"
#include "events/queue/event.h"
#include "events/queue/event_table.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::events {

class Lanes {
 public:
  struct Limits {
    static constexpr auto kNone = std::numeric_limits<std::size_t>::max();
    std::size_t together = 1;
    std::size_t each = 1;               // in one place
    std::size_t each_unproven = kNone;  // in one that fails or is new; `each` where that is less
    std::size_t unproven = kNone;       // in all of those together
    std::size_t failing = kNone;        // in all together that fail
    // What a lane may have of `each`: fewer than that, but one at least.
    std::function<std::optional<std::size_t>(const LaneKey& key)> own;
  };
  explicit Lanes(Limits limits) : limits_(std::move(limits)) {}

  // An event of that lane is due then.
  void note(const LaneKey& key, WallTime due);
  // The room there is, shared by the lanes that are due, beginning behind the one served last. What
  // is noted from here on is newer than what a claim of these will have seen.
  [[nodiscard]] std::vector<EventTable::Wanted> choose(WallTime now);
  // A claim has seen when the lane's next event is due, if there is one.
  void seen(const LaneKey& key, const std::optional<WallTime>& due);
  // How long there is nothing to choose, as far as is known; at most `longest`.
  [[nodiscard]] std::chrono::milliseconds idle_time(WallTime now,
                                                    std::chrono::milliseconds longest) const;

  void began(const LaneKey& key);
  void ended(const LaneKey& key, bool well);
  // Nothing of the lane's place is chosen before then, or before it works again.
  void rest(const LaneKey& key, WallTime until);
  // The clock was set: no rest is what it was.
  void forget_rests();
  // What was chosen was not claimed, or that is not known: something may be due in any lane.
  void look_again(WallTime now);
  [[nodiscard]] std::size_t running() const { return running_; }

 private:
  enum class Standing { is_new, works, fails };
  struct Place {
    Standing standing = Standing::is_new;
    WallTime rests_until = WallTime::min();
    std::size_t lanes = 0;
    std::size_t running = 0;
    std::size_t chosen = 0;  // by a choice that is being made
  };
  struct Lane {
    Place* place = nullptr;
    WallTime due = WallTime::max();  // max: nothing waits, as far as is known
    std::size_t running = 0;
    [[nodiscard]] bool waits() const { return due != WallTime::max(); }
    [[nodiscard]] WallTime next() const { return std::max(due, place->rests_until); }
  };
  // How much more may run.
  struct Room {
    std::size_t all = 0;
    std::size_t unproven = 0;
    std::size_t failing = 0;
    [[nodiscard]] std::size_t of(Standing standing) const;
    void take(Standing standing, std::size_t count);
  };
  Lane& lane_of(const LaneKey& key);
  [[nodiscard]] Room room() const;
  [[nodiscard]] std::size_t room_in(const LaneKey& key, const Place& place) const;
  std::size_t& running_of(Standing standing) {
    return running_by_standing_[static_cast<std::size_t>(standing)];
  }
  [[nodiscard]] std::size_t running_of(Standing standing) const {
    return running_by_standing_[static_cast<std::size_t>(standing)];
  }
  void set_standing(Place& place, Standing standing);
  void forget_if_empty(const LaneKey& key);
  void forget_idle_places();

  Limits limits_;
  std::map<std::string, Place> places_;  // of lanes_, and some that worked
  std::map<LaneKey, Lane> lanes_;
  LaneKey last_;  // the one served last
  std::size_t running_ = 0;
  std::array<std::size_t, 3> running_by_standing_{};
};

}  // namespace lambda::events
