#include "events/scheduler/schedule.h"

#include <array>

namespace lambda::events {
namespace {

constexpr std::array<std::string_view, 3> kOverlaps = {"skip", "allow", "queue"};
constexpr std::array<std::string_view, 3> kMisfires = {"skip", "once", "all"};
constexpr std::array<std::string_view, 4> kOutcomes = {"fired", "queued", "skipped", "missed"};

template <class Kind, std::size_t Count>
std::optional<Kind> parse(const std::array<std::string_view, Count>& words, std::string_view text) {
  for (std::size_t i = 0; i < Count; ++i) {
    if (words[i] == text) return static_cast<Kind>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Overlap overlap) {
  return kOverlaps.at(static_cast<std::size_t>(overlap));
}
std::string_view to_string(Misfire misfire) {
  return kMisfires.at(static_cast<std::size_t>(misfire));
}
std::string_view to_string(Outcome outcome) {
  return kOutcomes.at(static_cast<std::size_t>(outcome));
}
std::optional<Overlap> parse_overlap(std::string_view text) {
  return parse<Overlap>(kOverlaps, text);
}
std::optional<Misfire> parse_misfire(std::string_view text) {
  return parse<Misfire>(kMisfires, text);
}

}  // namespace lambda::events
