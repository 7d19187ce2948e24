// Lanes: whose turn it is. A lane is a line of waiting events (those of a function, or of one
// webhook); it knows when its next one is due, never the events themselves. Lanes take turns, and
// one of them has no more than its part of the room.
//
// Lanes lead to a place: a function, or the address of a webhook, to which several functions may
// send their results. A place may be taken to be broken where the last event failed: then one event
// at a time is tried, until one succeeds, so that a hundred webhooks that hang do not fill the
// room.
//
// One thread. Pure.
#pragma once

#include "base/clock.h"
#include "events/queue/event.h"
#include "events/queue/event_table.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::events {

class Lanes {
 public:
  struct Limits {
    std::size_t together = 1;
    std::size_t each = 1;  // in one place
    std::size_t each_after_failure = 1;
    // What a lane may have of that: fewer than `each`, but one at least.
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
  // Nothing of that lane is chosen before then.
  void rest(const LaneKey& key, WallTime until);
  // The clock was set: no rest is what it was.
  void forget_rests();
  // What was chosen was not claimed, or that is not known: something may be due in any lane.
  void look_again(WallTime now);
  [[nodiscard]] std::size_t running() const { return running_; }

 private:
  struct Place {
    std::size_t lanes = 0;
    std::size_t running = 0;
    std::size_t chosen = 0;  // by a choice that is being made
    bool failed = false;
  };
  struct Lane {
    WallTime due = WallTime::max();  // max: nothing waits, as far as is known
    WallTime rests_until = WallTime::min();
    std::size_t running = 0;
    [[nodiscard]] bool waits() const { return due != WallTime::max(); }
    [[nodiscard]] WallTime next() const { return std::max(due, rests_until); }
  };
  [[nodiscard]] static const std::string& place_name(const LaneKey& key) {
    return key.url.empty() ? key.function : key.url;
  }
  Lane& lane_of(const LaneKey& key);
  [[nodiscard]] std::size_t room_in(const LaneKey& key) const;
  void forget_if_empty(const LaneKey& key);

  Limits limits_;
  std::map<LaneKey, Lane> lanes_;
  std::map<std::string, Place> places_;  // of lanes_
  LaneKey last_;                         // the one served last
  std::size_t running_ = 0;
};

}  // namespace lambda::events
