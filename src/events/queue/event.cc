#include "events/queue/event.h"

#include <array>

namespace lambda::events {
namespace {

constexpr std::array<std::string_view, 4> kStates = {"waiting", "running", "succeeded", "dead"};
constexpr std::array<std::string_view, 4> kSources = {"invoke", "url", "schedule", "destination"};

}  // namespace

std::string_view to_string(EventState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

std::optional<EventState> parse_event_state(std::string_view text) {
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (kStates[i] == text) return static_cast<EventState>(i);
  }
  return std::nullopt;
}

std::string_view to_string(EventSource source) {
  return kSources.at(static_cast<std::size_t>(source));
}

}  // namespace lambda::events
