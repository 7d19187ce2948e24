#include "events/queue/lanes.h"

#include <algorithm>

namespace lambda::events {
namespace {

// Places where nothing waits are remembered, up to so many: what worked need not prove it again.
constexpr std::size_t kMostPlaces = 4'096;

const std::string& place_name(const LaneKey& key) {
  return key.url.empty() ? key.function : key.url;
}

std::size_t left(std::size_t most, std::size_t taken) {
  return most - std::min(most, taken);
}

}  // namespace

std::size_t Lanes::Room::of(Standing standing) const {
  if (standing == Standing::works) return all;
  const auto unproven_left = std::min(all, unproven);
  return standing == Standing::fails ? std::min(unproven_left, failing) : unproven_left;
}

void Lanes::Room::take(Standing standing, std::size_t count) {
  all -= count;
  if (standing != Standing::works) unproven -= count;
  if (standing == Standing::fails) failing -= count;
}

Lanes::Lane& Lanes::lane_of(const LaneKey& key) {
  const auto [at, made] = lanes_.try_emplace(key);
  if (made) {
    at->second.place = &places_[place_name(key)];
    ++at->second.place->lanes;
  }
  return at->second;
}

void Lanes::note(const LaneKey& key, WallTime due) {
  auto& lane = lane_of(key);
  lane.due = std::min(lane.due, due);
}

Lanes::Room Lanes::room() const {
  const auto failing = running_of(Standing::fails);
  Room room;
  room.all = left(limits_.together, running_);
  room.unproven = left(limits_.unproven, running_of(Standing::is_new) + failing);
  room.failing = left(limits_.failing, failing);
  return room;
}

std::size_t Lanes::room_in(const LaneKey& key, const Place& place) const {
  auto most = limits_.each;
  if (place.standing != Standing::works) most = std::min(most, limits_.each_unproven);
  if (limits_.own) most = std::min(most, std::max<std::size_t>(1, limits_.own(key).value_or(most)));
  return left(most, place.running + place.chosen);
}

std::vector<EventTable::Wanted> Lanes::choose(WallTime now) {
  std::vector<EventTable::Wanted> wanted;
  auto room = this->room();
  const auto take = [&](const LaneKey& key, const Lane& lane) {
    auto& place = *lane.place;
    if (lane.next() > now || room.of(place.standing) == 0 || room_in(key, place) == 0) return;
    ++place.chosen;
    room.take(place.standing, 1);
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
    auto& lane = lanes_.at(part.lane);
    auto& place = *lane.place;
    const auto share = room.of(place.standing) / (wanted.size() - i);
    const auto more = std::min(share, room_in(part.lane, place));
    part.count += more;
    place.chosen += more;
    room.take(place.standing, more);
    lane.due = WallTime::max();
  }
  for (const auto& part : wanted) lanes_.at(part.lane).place->chosen = 0;
  return wanted;
}

void Lanes::seen(const LaneKey& key, const std::optional<WallTime>& due) {
  if (due) note(key, *due);
  forget_if_empty(key);
}

std::chrono::milliseconds Lanes::idle_time(WallTime now, std::chrono::milliseconds longest) const {
  const auto room = this->room();
  auto time = longest;
  for (const auto& [key, lane] : lanes_) {
    if (lane.waits() && room.of(lane.place->standing) > 0 && room_in(key, *lane.place) > 0)
      time = std::min(time, lane.next() - now);
  }
  return time;
}

void Lanes::began(const LaneKey& key) {
  auto& lane = lane_of(key);
  ++lane.running;
  ++lane.place->running;
  ++running_;
  ++running_of(lane.place->standing);
  last_ = key;
}

void Lanes::ended(const LaneKey& key, bool well) {
  auto& lane = lane_of(key);
  auto& place = *lane.place;
  --lane.running;
  --place.running;
  --running_;
  --running_of(place.standing);
  if (well && place.standing == Standing::fails) place.rests_until = WallTime::min();
  set_standing(place, well ? Standing::works : Standing::fails);
  forget_if_empty(key);
}

void Lanes::set_standing(Place& place, Standing standing) {
  running_of(place.standing) -= place.running;
  place.standing = standing;
  running_of(standing) += place.running;
}

void Lanes::rest(const LaneKey& key, WallTime until) {
  lane_of(key).place->rests_until = until;
}

void Lanes::forget_rests() {
  for (auto& [name, place] : places_) place.rests_until = WallTime::min();
}

void Lanes::look_again(WallTime now) {
  for (auto& [key, lane] : lanes_) lane.due = std::min(lane.due, now);
}

void Lanes::forget_if_empty(const LaneKey& key) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end()) return;
  if (found->second.running > 0 || found->second.waits()) return;
  --found->second.place->lanes;
  lanes_.erase(found);
  if (places_.size() > kMostPlaces) forget_idle_places();
}

void Lanes::forget_idle_places() {
  std::erase_if(places_, [](const auto& place) { return place.second.lanes == 0; });
}

}  // namespace lambda::events
