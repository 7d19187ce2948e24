#include "events/queue/lanes.h"

#include <algorithm>

namespace lambda::events {

void Lanes::note(const LaneKey& key, WallTime due) {
  auto& lane = lanes_[key];
  lane.due = std::min(lane.due, due);
}

std::size_t Lanes::room_in(const LaneKey& key, const Lane& lane) const {
  auto most = lane.failed ? limits_.each_after_failure : limits_.each;
  if (limits_.own) most = std::min(most, std::max<std::size_t>(1, limits_.own(key).value_or(most)));
  return lane.running < most ? most - lane.running : 0;
}

std::vector<EventTable::Wanted> Lanes::choose(WallTime now) {
  std::vector<EventTable::Wanted> wanted;
  auto room = limits_.together - std::min(running_, limits_.together);
  const auto take = [&](const LaneKey& key, const Lane& lane) {
    if (lane.next() > now || wanted.size() >= room || room_in(key, lane) == 0) return;
    EventTable::Wanted part;
    part.lane = key;
    wanted.push_back(std::move(part));
  };
  const auto behind = lanes_.upper_bound(last_);
  for (auto at = behind; at != lanes_.end(); ++at) take(at->first, at->second);
  for (auto at = lanes_.begin(); at != behind; ++at) take(at->first, at->second);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto& lane = lanes_[wanted[i].lane];
    const auto share = std::max<std::size_t>(1, room / (wanted.size() - i));
    wanted[i].count = std::min(share, room_in(wanted[i].lane, lane));
    room -= wanted[i].count;
    lane.due = WallTime::max();
  }
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
    if (lane.waits() && room_in(key, lane) > 0) time = std::min(time, lane.next() - now);
  }
  return time;
}

void Lanes::began(const LaneKey& key) {
  ++running_;
  ++lanes_[key].running;
}

void Lanes::ended(const LaneKey& key, bool well) {
  --running_;
  auto& lane = lanes_[key];
  --lane.running;
  lane.failed = !well;
  forget_if_empty(key);
}

void Lanes::rest(const LaneKey& key, WallTime until) {
  lanes_[key].rests_until = until;
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
  if (found->second.running == 0 && !found->second.waits()) lanes_.erase(found);
}

}  // namespace lambda::events
