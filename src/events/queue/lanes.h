// Lanes: whose turn it is. A lane is a line of waiting events (those of a function, or of one
// webhook); it knows when its next one is due, never the events themselves. Lanes take turns, and
// one of them has no more than its part of the room; the last of it is for those that have nothing
// of it, so that a few that are slow do not have all of it. Who began last is served last, whatever
// place the others lead to.
//
// Lanes lead to a place: a function, or the address of a webhook, to which several functions may
// send their results. A place works where its last event went well and quickly, is slow or fails
// where it did not, and is new until one of these is known. What does not work has less room, alone
// and together, so that hundreds of webhooks that hang leave the most of it to those that work.
//
// One thread. Pure.
#pragma once

#include "base/clock.h"
#include "events/queue/event.h"
#include "events/queue/event_table.h"
#include "events/queue/nested_room.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::events {

class Lanes {
 public:
  // Of what runs: in all, of that in places that are new, slow or fail, of that in those that fail.
  using Most = std::array<std::size_t, NestedRoom::kDepths>;
  struct Limits {
    static constexpr auto kNone = NestedRoom::kNone;
    Most events{1, kNone, kNone};
    Most bytes{kNone, kNone, kNone};  // of payloads; and one more
    std::size_t each = 1;             // events in one place: `each`, where that is less
    std::size_t each_slow = kNone;
    std::size_t each_unproven = kNone;  // in one that fails or is new
    std::size_t spare = 0;              // of all, for places where nothing runs
    std::chrono::milliseconds slow_after = std::chrono::milliseconds::max();
    // What a lane may have of `each`: fewer than that, but one at least.
    std::function<std::optional<std::size_t>(const LaneKey& key)> own;
  };
  explicit Lanes(Limits limits) : limits_(std::move(limits)) {}
  // Events are due by the time of day, which may be set; rests are by the clock that is not.
  struct Time {
    WallTime wall;
    SteadyTime steady;
  };

  // An event of that lane is due then.
  void note(const LaneKey& key, WallTime due);
  // The room there is, shared by the lanes that are due. What is noted from here on is newer than
  // what a claim of these will have seen.
  [[nodiscard]] std::vector<EventTable::Wanted> choose(const Time& now);
  // The bytes that a claim of these may take.
  [[nodiscard]] NestedRoom bytes() const;
  // A claim has seen when the lane's next event is due, if there is one.
  void seen(const LaneKey& key, const std::optional<WallTime>& due);
  // How long there is nothing to choose, as far as is known; at most `longest`.
  [[nodiscard]] std::chrono::milliseconds idle_time(const Time& now,
                                                    std::chrono::milliseconds longest) const;

  // With the bytes of its payload, each time the same.
  void began(const LaneKey& key, std::size_t bytes);
  struct Ending {
    bool well = true;
    std::chrono::milliseconds took{0};
  };
  void ended(const LaneKey& key, std::size_t bytes, const Ending& ending);
  // Nothing of the lane's place is chosen before then, or before it works again.
  void rest(const LaneKey& key, SteadyTime until);
  // What was chosen was not claimed, or that is not known: something may be due in any lane.
  void look_again(WallTime now);
  [[nodiscard]] std::size_t running() const { return running_.events; }

 private:
  enum class Standing { works, is_new, slow, fails };
  struct Load {
    std::size_t events = 0;
    std::size_t bytes = 0;
    Load& operator+=(const Load& other);
    Load& operator-=(const Load& other);
  };
  struct Place {
    Standing standing = Standing::is_new;
    SteadyTime rests_until{};
    std::size_t lanes = 0;
    Load running;
    std::size_t chosen = 0;  // by a choice that is being made
  };
  struct Lane;
  // In the order of their turns.
  using Line = std::list<std::pair<const LaneKey, Lane>*>;
  struct Lane {
    Place* place = nullptr;
    WallTime due = WallTime::max();  // max: nothing waits, as far as is known
    std::size_t running = 0;
    Line::iterator turn;
    [[nodiscard]] bool waits() const { return due != WallTime::max(); }
    // How long before its next one may begin. Of a lane that waits.
    [[nodiscard]] std::chrono::milliseconds wait(const Time& now) const;
  };
  [[nodiscard]] static std::size_t depth_of(Standing standing);
  Lane& lane_of(const LaneKey& key);
  [[nodiscard]] NestedRoom events() const;
  [[nodiscard]] std::size_t each_in(Standing standing) const;
  // How many more of that lane may begin.
  [[nodiscard]] std::size_t room_for(const LaneKey& key, const Place& place,
                                     const NestedRoom& events, const NestedRoom& bytes) const;
  void set_standing(Place& place, Standing standing);
  void forget_if_empty(const LaneKey& key);
  void forget_idle_places();

  Limits limits_;
  std::map<std::string, Place> places_;  // of lanes_, and some that worked
  std::map<LaneKey, Lane> lanes_;
  Line line_;  // lanes_
  Load running_;
  std::array<Load, NestedRoom::kDepths> running_by_depth_{};  // each alone
};

}  // namespace lambda::events
