#include "events/queue/lanes.h"

#include <algorithm>

namespace lambda::events {

Lanes::Lane& Lanes::lane_of(const LaneKey& key) {
  const auto [at, made] = lanes_.try_emplace(key);
  if (made) ++places_[place_name(key)].lanes;
  return at->second;
}

void Lanes::note(const LaneKey& key, WallTime due) {
  auto& lane = lane_of(key);
  lane.due = std::min(lane.due, due);
}

std::size_t Lanes::room_in(const LaneKey& key) const {
  const auto& place = places_.at(place_name(key));
  auto most = place.failed ? limits_.each_after_failure : limits_.each;
  if (limits_.own) most = std::min(most, std::max<std::size_t>(1, limits_.own(key).value_or(most)));
  const auto taken = place.running + place.chosen;
  return taken < most ? most - taken : 0;
}

std::vector<EventTable::Wanted> Lanes::choose(WallTime now) {
  std::vector<EventTable::Wanted> wanted;
  auto room = limits_.together - std::min(running_, limits_.together);
  const auto take = [&](const LaneKey& key, const Lane& lane) {
    if (lane.next() > now || wanted.size() >= room || room_in(key) == 0) return;
    ++places_[place_name(key)].chosen;
    EventTable::Wanted part;
    part.lane = key;
    part.count = 1;
    wanted.push_back(std::move(part));
  };
  const auto behind = lanes_.upper_bound(last_);
  for (auto at = behind; at != lanes_.end(); ++at) take(at->first, at->second);
  for (auto at = lanes_.begin(); at != behind; ++at) take(at->first, at->second);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto& part = wanted[i];
    const auto share = std::max<std::size_t>(1, room / (wanted.size() - i));
    const auto more = std::min(share - 1, room_in(part.lane));
    part.count += more;
    places_[place_name(part.lane)].chosen += more;
    room -= part.count;
    lanes_[part.lane].due = WallTime::max();
  }
  for (const auto& part : wanted) places_[place_name(part.lane)].chosen = 0;
  if (!wanted.empty()) last_ = wanted.back().lane;
  return wanted;
}

void Lanes::seen(const LaneKey& key, const std::optional<WallTime>& due) {
  if (due) note(key, *due);
  forget_if_empty(key);
}

std::chrono::milliseconds Lanes::idle_time(WallTime now, std::chrono::milliseconds longest) const {
  if (running_ >= limits_.together) return longest;
  auto time = longest;
  for (const auto& [key, lane] : lanes_) {
    if (lane.waits() && room_in(key) > 0) time = std::min(time, lane.next() - now);
  }
  return time;
}

void Lanes::began(const LaneKey& key) {
  ++running_;
  ++lane_of(key).running;
  ++places_[place_name(key)].running;
}

void Lanes::ended(const LaneKey& key, bool well) {
  --running_;
  --lane_of(key).running;
  auto& place = places_[place_name(key)];
  --place.running;
  place.failed = !well;
  forget_if_empty(key);
}

void Lanes::rest(const LaneKey& key, WallTime until) {
  lane_of(key).rests_until = until;
}

void Lanes::forget_rests() {
  for (auto& [key, lane] : lanes_) lane.rests_until = WallTime::min();
}

void Lanes::look_again(WallTime now) {
  for (auto& [key, lane] : lanes_) lane.due = std::min(lane.due, now);
}

void Lanes::forget_if_empty(const LaneKey& key) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end()) return;
  if (found->second.running > 0 || found->second.waits()) return;
  lanes_.erase(found);
  const auto place = places_.find(place_name(key));
  if (--place->second.lanes == 0) places_.erase(place);
}

}  // namespace lambda::events
