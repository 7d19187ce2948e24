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

Lanes::Load& Lanes::Load::operator+=(const Load& other) {
  events += other.events;
  bytes += other.bytes;
  return *this;
}

Lanes::Load& Lanes::Load::operator-=(const Load& other) {
  events -= other.events;
  bytes -= other.bytes;
  return *this;
}

std::size_t Lanes::depth_of(Standing standing) {
  switch (standing) {
    case Standing::works:
      return 0;
    case Standing::is_new:
    case Standing::slow:
      return 1;
    case Standing::fails:
      break;
  }
  return 2;
}

std::chrono::milliseconds Lanes::Lane::wait(const Time& now) const {
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(place->rests_until - now.steady);
  return std::max(due - now.wall, rest);
}

Lanes::Lane& Lanes::lane_of(const LaneKey& key) {
  const auto [at, made] = lanes_.try_emplace(key);
  if (made) {
    at->second.place = &places_[place_name(key)];
    ++at->second.place->lanes;
    at->second.turn = line_.insert(line_.end(), &*at);
  }
  return at->second;
}

void Lanes::note(const LaneKey& key, WallTime due) {
  auto& lane = lane_of(key);
  lane.due = std::min(lane.due, due);
}

NestedRoom Lanes::events() const {
  NestedRoom room(limits_.events);
  for (std::size_t depth = 0; depth < running_by_depth_.size(); ++depth)
    room.take(depth, running_by_depth_[depth].events);
  return room;
}

NestedRoom Lanes::bytes() const {
  NestedRoom room(limits_.bytes);
  for (std::size_t depth = 0; depth < running_by_depth_.size(); ++depth)
    room.take(depth, running_by_depth_[depth].bytes);
  return room;
}

std::size_t Lanes::each_in(Standing standing) const {
  switch (standing) {
    case Standing::works:
      return limits_.each;
    case Standing::slow:
      return std::min(limits_.each, limits_.each_slow);
    case Standing::is_new:
    case Standing::fails:
      break;
  }
  return std::min(limits_.each, limits_.each_unproven);
}

std::size_t Lanes::room_for(const LaneKey& key, const Place& place, const NestedRoom& events,
                            const NestedRoom& bytes) const {
  const auto depth = depth_of(place.standing);
  const auto room = bytes.of(depth) == 0 ? 0 : events.of(depth);
  if (room == 0) return 0;
  auto most = each_in(place.standing);
  if (limits_.own) most = std::min(most, std::max<std::size_t>(1, limits_.own(key).value_or(most)));
  const auto here = place.running.events + place.chosen;
  const auto beside_spare = std::min(room, left(events.of(0), limits_.spare));
  const auto open = here == 0 ? std::max<std::size_t>(1, beside_spare) : beside_spare;
  return std::min(open, left(most, here));
}

std::vector<EventTable::Wanted> Lanes::choose(const Time& now) {
  std::vector<EventTable::Wanted> wanted;
  auto room = events();
  const auto bytes = this->bytes();
  for (const auto* entry : line_) {
    if (room.of(0) == 0) break;
    const auto& [key, lane] = *entry;
    auto& place = *lane.place;
    if (!lane.waits() || lane.wait(now).count() > 0 || room_for(key, place, room, bytes) == 0)
      continue;
    ++place.chosen;
    room.take(depth_of(place.standing), 1);
    EventTable::Wanted part;
    part.lane = key;
    part.count = 1;
    part.depth = depth_of(place.standing);
    wanted.push_back(std::move(part));
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto& part = wanted[i];
    auto& lane = lanes_.at(part.lane);
    auto& place = *lane.place;
    const auto beside_spare = std::min(room.of(part.depth), left(room.of(0), limits_.spare));
    const auto share = beside_spare / (wanted.size() - i);
    const auto more = std::min(share, room_for(part.lane, place, room, bytes));
    part.count += more;
    place.chosen += more;
    room.take(part.depth, more);
    lane.due = WallTime::max();
  }
  for (const auto& part : wanted) lanes_.at(part.lane).place->chosen = 0;
  return wanted;
}

void Lanes::seen(const LaneKey& key, const std::optional<WallTime>& due) {
  if (due) note(key, *due);
  forget_if_empty(key);
}

std::chrono::milliseconds Lanes::idle_time(const Time& now,
                                           std::chrono::milliseconds longest) const {
  const auto room = events();
  const auto bytes = this->bytes();
  auto time = longest;
  for (const auto& [key, lane] : lanes_) {
    if (!lane.waits()) continue;
    const auto wait = lane.wait(now);
    if (wait < time && room_for(key, *lane.place, room, bytes) > 0) time = wait;
  }
  return time;
}

void Lanes::began(const LaneKey& key, std::size_t bytes) {
  const Load load{1, bytes};
  auto& lane = lane_of(key);
  ++lane.running;
  lane.place->running += load;
  running_ += load;
  running_by_depth_[depth_of(lane.place->standing)] += load;
  line_.splice(line_.end(), line_, lane.turn);
}

void Lanes::ended(const LaneKey& key, std::size_t bytes, const Ending& ending) {
  const Load load{1, bytes};
  auto& lane = lane_of(key);
  auto& place = *lane.place;
  --lane.running;
  place.running -= load;
  running_ -= load;
  running_by_depth_[depth_of(place.standing)] -= load;
  if (!ending.well) {
    set_standing(place, Standing::fails);
  } else {
    if (place.standing == Standing::fails) place.rests_until = {};
    set_standing(place, ending.took > limits_.slow_after ? Standing::slow : Standing::works);
  }
  forget_if_empty(key);
}

void Lanes::set_standing(Place& place, Standing standing) {
  running_by_depth_[depth_of(place.standing)] -= place.running;
  place.standing = standing;
  running_by_depth_[depth_of(standing)] += place.running;
}

void Lanes::rest(const LaneKey& key, SteadyTime until) {
  lane_of(key).place->rests_until = until;
}

void Lanes::look_again(WallTime now) {
  for (auto& [key, lane] : lanes_) lane.due = std::min(lane.due, now);
}

void Lanes::forget_if_empty(const LaneKey& key) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end()) return;
  if (found->second.running > 0 || found->second.waits()) return;
  --found->second.place->lanes;
  line_.erase(found->second.turn);
  lanes_.erase(found);
  if (places_.size() > kMostPlaces) forget_idle_places();
}

void Lanes::forget_idle_places() {
  std::erase_if(places_, [](const auto& place) { return place.second.lanes == 0; });
}

}  // namespace lambda::events
