// An event on its way through the queue, as plain values.
//
//   waiting --claim--> running --success--> succeeded
//      ^                  |----- retries over, too old ----> dead
//      |------ retry -----'
//   waiting, dead --cancel, purge--> (gone)      dead --redrive--> waiting
#pragma once

#include "base/clock.h"
#include "invoke/call_trace.h"

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::events {

// The numbers are in the database.
enum class EventState { waiting = 0, running = 1, succeeded = 2, dead = 3 };
[[nodiscard]] std::string_view to_string(EventState state);  // "waiting", ...
[[nodiscard]] std::optional<EventState> parse_event_state(std::string_view text);

// An event is put off so long at most when it is accepted: a schedule's jitter.
inline constexpr std::chrono::hours kLongestDelay{24};

// Where an event came from.
enum class EventSource { invoke = 0, url = 1, schedule = 2, destination = 3 };
[[nodiscard]] std::string_view to_string(EventSource source);

// The line in which an event waits: those of a function, or those of one webhook that its results
// go to. Lines do not wait for each other.
struct LaneKey {
  std::string function;
  std::string url;  // "": the function itself
  auto operator<=>(const LaneKey&) const = default;
  bool operator==(const LaneKey&) const = default;
};

// What is submitted.
struct NewEvent {
  std::string id;  // a UUID: the request id of every attempt
  std::string function;
  std::string qualifier;  // "" follows `live`, else $LATEST
  std::string payload;
  invoke::KeptTrace trace;
  std::string client_context;  // JSON text, or ""
  std::string token;           // X-Lambda-Idempotency-Key, or "": repeated, it is the same event
  EventSource source = EventSource::invoke;
  // Set: a webhook with a result of `function`, which is not called; `payload` is what is sent.
  std::string url;
  int hops = 0;  // destinations it came through

  [[nodiscard]] LaneKey lane() const { return {function, url}; }
};

// An event with the lease under which it runs. The lease is the fencing number: what a later holder
// of the event has changed, an earlier one cannot.
struct ClaimedEvent {
  std::int64_t row = 0;
  std::int64_t lease = 0;
  NewEvent event;
  WallTime accepted{};
  int attempts = 0;        // that the function failed, before this one
  int throttles = 0;       // that did not get as far as the function
  std::string error_type;  // of the last attempt that failed; "" without
  std::string error_message;
};

// What is told of an event: `lambda queue show`, `lambda result`.
struct EventInfo {
  std::string id;
  std::string function;
  std::string qualifier;
  EventState state = EventState::waiting;
  EventSource source = EventSource::invoke;
  WallTime accepted{};
  std::optional<WallTime> due;       // waiting: its next attempt
  std::optional<WallTime> finished;  // succeeded, dead
  int attempts = 0;
  int throttles = 0;
  std::string error_type;  // of the last attempt that failed; "" without
  std::string error_message;
  std::string executed_version;
  std::uint64_t payload_size = 0;
  std::string url;  // of a webhook, or ""
};

// One function's part of the queue.
struct QueueDepth {
  std::string function;
  std::uint64_t waiting = 0;
  std::uint64_t running = 0;
  std::uint64_t retrying = 0;  // of the waiting: those that failed or were throttled before
  std::uint64_t dead = 0;
  std::optional<WallTime> oldest;  // accepted, of those that wait or run
};

}  // namespace lambda::events
