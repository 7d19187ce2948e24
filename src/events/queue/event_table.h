// The rows of the queue: tables events, event_payloads, event_results of one tenant.
//
// Threads: the store thread. Every function belongs inside a transaction (store::Database::change,
// store::GroupCommit) and lets SQLiteCpp's exceptions pass. Statements are kept prepared: destroy
// the table before the database.
#pragma once

#include "events/queue/event.h"
#include "events/queue/nested_room.h"
#include "function/catalog.h"
#include "store/statements.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::events {

struct EventStatement;

class EventTable {
 public:
  explicit EventTable(function::Tenant tenant) : tenant_(std::move(tenant)) {}

  // --- submitting
  // Whether the version that it names is there: one that waits keeps it from then on
  // (has_pending()). Aliases and $LATEST are looked up when the event is carried out.
  bool has_target(SQLite::Database& database, const NewEvent& event);
  struct Inserted {
    std::string id;          // of the earlier event where the token was known
    bool duplicate = false;  // nothing was written
  };
  Inserted insert(SQLite::Database& database, const NewEvent& event, WallTime now, WallTime due);
  Inserted insert(SQLite::Database& database, const NewEvent& event, WallTime now) {
    return insert(database, event, now, now);
  }

  // --- carrying out
  struct Wanted {
    LaneKey lane;
    std::size_t count = 0;
    std::size_t depth = 0;  // of the room for bytes that it takes from
  };
  struct Claims {
    std::vector<ClaimedEvent> events;
    // For each lane asked for: when its next waiting event is due, if it has one.
    std::map<LaneKey, std::optional<WallTime>> next_due;
  };
  // The events that are due longest of each lane, at most `count` of it, and no more once their
  // payloads have filled the room for bytes.
  Claims claim(SQLite::Database& database, const std::vector<Wanted>& wanted, WallTime now,
               NestedRoom bytes = NestedRoom());
  // What these three do is nothing, and false, where the lease is another's by now.
  struct Success {
    std::string payload;
    std::string executed_version;
    std::string problem;  // why its result did not go where it should: "" without
  };
  bool succeed(SQLite::Database& database, const ClaimedEvent& event, const Success& success,
               WallTime now);
  struct Failure {
    int attempts = 0;
    int throttles = 0;
    std::string error_type;
    std::string error_message;
    std::string executed_version;
    std::string payload;  // what the function answered, or ""
    std::string problem;  // as above
  };
  bool retry(SQLite::Database& database, const ClaimedEvent& event, const Failure& failure,
             WallTime due);
  bool die(SQLite::Database& database, const ClaimedEvent& event, const Failure& failure,
           WallTime now);

  // --- starting: what an earlier server was carrying out waits again, due at once. The number of
  // those.
  std::size_t release_running(SQLite::Database& database, WallTime now);
  // The clock was ahead and was set back: what would wait longer than any retry does (`longest`),
  // or was not tried yet, is due at once; firings of schedules may wait for their jitter. True:
  // there may be more.
  bool release_ahead(SQLite::Database& database, WallTime now, std::chrono::milliseconds longest,
                     std::size_t rows);
  // The same for what has ended, which would be none of what ended before now. True: there may be
  // more of that state.
  bool pull_back(SQLite::Database& database, EventState state, WallTime now, std::size_t rows);
  // When the next event of each lane is due.
  std::map<LaneKey, WallTime> due_times(SQLite::Database& database);

  // --- seeing
  std::optional<EventInfo> find(SQLite::Database& database, std::string_view id);
  std::optional<std::string> payload(SQLite::Database& database, std::string_view id);
  std::optional<std::string> result(SQLite::Database& database, std::string_view id);
  // Of one function, or of all ("").
  std::vector<QueueDepth> depths(SQLite::Database& database, std::string_view function);
  struct Listing {
    std::string function;
    EventState state = EventState::dead;
    std::size_t limit = 50;
    std::string before;  // an event's id: those that came before it. "": from the newest on
  };
  // The newest first. Nothing: there is no event `before`.
  std::optional<std::vector<EventInfo>> list(SQLite::Database& database, const Listing& listing);
  // Whether some event that waits or runs names this version or alias.
  bool has_pending(SQLite::Database& database, std::string_view function,
                   std::string_view qualifier);

  // --- steering
  // False: there is no event that waits (or is dead) by that id.
  bool cancel(SQLite::Database& database, std::string_view id);
  // Many rows are changed in steps: so many of them, or so many bytes, or for so long, in one
  // transaction. At least one row.
  struct Step {
    std::size_t rows = 2'000;
    std::size_t bytes = 16u << 20;
    std::chrono::milliseconds time{8};
  };
  struct Changed {
    std::size_t count = 0;
    bool more = false;  // there may be others
  };
  // Removes what waits and was accepted before `before`, or what is dead and was so before (no
  // other state), of a function.
  Changed purge(SQLite::Database& database, std::string_view function, EventState state,
                WallTime before, const Step& step);
  // Removes whatever there is of a function.
  Changed clear(SQLite::Database& database, std::string_view function, const Step& step);
  // Removes what ended in that state before `before`.
  Changed expire(SQLite::Database& database, EventState state, WallTime before, const Step& step);
  // A dead event waits again, with another payload where one is given. Its lane, or nothing where
  // there is no dead event by that id.
  std::optional<LaneKey> redrive(SQLite::Database& database, std::string_view id,
                                 const std::optional<std::string>& payload, WallTime now);
  // The same for dead events of a function that ended before now, the webhooks with its results
  // among them.
  struct Redriven {
    Changed changed;
    std::set<LaneKey> lanes;
  };
  Redriven redrive_all(SQLite::Database& database, std::string_view function, WallTime now,
                       const Step& step);

 private:
  store::Statements::Use take(SQLite::Database& database, const EventStatement& wanted);
  struct Ending {
    EventState state = EventState::succeeded;
    int attempts = 0;
    int throttles = 0;
    std::string_view error_type;
    std::string_view error_message;
    std::string_view executed_version;
    std::string_view payload;
  };
  bool finish(SQLite::Database& database, const ClaimedEvent& event, const Ending& ending,
              WallTime now);
  std::optional<std::int64_t> row_of(SQLite::Database& database, std::string_view id);
  std::optional<EventInfo> info_of(SQLite::Database& database, std::int64_t row);
  Changed remove_some(SQLite::Database& database, store::Statements::Use& rows, const Step& step);
  // The url of its lane.
  std::string revive(SQLite::Database& database, std::int64_t row, WallTime now);

  function::Tenant tenant_;
  store::Statements statements_;
};

}  // namespace lambda::events
