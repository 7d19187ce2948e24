// A schedule as plain values: when a function is called, with what, and what happens where that
// could not be. docs/schedules.md tells people the same.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace lambda::events {

// The last firing still waits or runs when the next one is due. The numbers are in the database.
enum class Overlap {
  skip = 0,   // the next one is left out
  allow = 1,  // both run
  queue = 2,  // the next one begins when the last one is over
};
// A firing was not decided in time (misfire_after()): the server was down, or the clock was set.
enum class Misfire {
  skip = 0,  // none of what was missed
  once = 1,  // the newest of it
  all = 2,   // every one, in order
};
// What was decided of a time at which a schedule is due.
enum class Outcome { fired = 0, queued = 1, skipped = 2, missed = 3 };

[[nodiscard]] std::string_view to_string(Overlap overlap);
[[nodiscard]] std::string_view to_string(Misfire misfire);
[[nodiscard]] std::string_view to_string(Outcome outcome);
// nullopt: there is none of that name.
[[nodiscard]] std::optional<Overlap> parse_overlap(std::string_view text);
[[nodiscard]] std::optional<Misfire> parse_misfire(std::string_view text);

// A text that may be large, in one copy however often its owner is copied. Equal by what it says.
class SharedText {
 public:
  SharedText() = default;
  SharedText& operator=(std::string text) {
    text_ = std::make_shared<const std::string>(std::move(text));
    return *this;
  }
  explicit operator bool() const { return text_ != nullptr; }
  const std::string& operator*() const { return *text_; }
  const std::string* operator->() const { return text_.get(); }
  bool operator==(const SharedText& other) const {
    return text_ == other.text_ || (text_ && other.text_ && *text_ == *other.text_);
  }

 private:
  std::shared_ptr<const std::string> text_;
};

// What a person says of a schedule.
struct ScheduleDefinition {
  std::string function;
  std::string name;  // unique within the function
  std::string expression;
  std::string zone = "UTC";
  Overlap overlap = Overlap::skip;
  Misfire misfire = Misfire::once;
  std::chrono::milliseconds jitter{0};  // each firing is called up to so much later
  SharedText data;                      // the event; null: EventBridge's "Scheduled Event"
  std::optional<WallTime> from;         // the first and the last time at which it may fire
  std::optional<WallTime> until;
  bool declared = false;  // by lambda.toml: it goes when the file does not name it any more
  bool operator==(const ScheduleDefinition&) const = default;
};

// A schedule as the database has it.
struct Schedule {
  std::string id;  // a UUID; a schedule that is made anew under an old name is another one
  ScheduleDefinition definition;
  bool paused = false;
  WallTime created{};  // where @every and rate(...) count from, unless `from` says
  WallTime decided{};  // every time up to this one is decided
  WallTime fenced{};   // every time up to this one was decided by some clock
  std::uint64_t queued = 0;

  // By a clock that was set far back, or is wrong.
  [[nodiscard]] bool decides_anew() const { return fenced > decided; }
  [[nodiscard]] WallTime anchor() const { return definition.from.value_or(created); }
};

// One time at which a schedule was due, and what came of it.
struct FiringInfo {
  WallTime time{};
  Outcome outcome = Outcome::fired;
  std::uint64_t count = 1;          // missed: so many, the last of them at `time`
  std::optional<WallTime> decided;  // fired: when its event was written
  std::string event;                // fired: the event's id
  std::string state;                // fired: "waiting", "running", "succeeded", "dead", "cancelled"
  std::optional<WallTime> finished;
  std::string error;
};

}  // namespace lambda::events
