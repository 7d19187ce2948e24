// The rows of the scheduler: tables schedules and firings of one tenant.
//
// Threads: the store thread. Every function belongs inside a transaction and lets SQLiteCpp's
// exceptions pass. Destroy it before the database.
#pragma once

#include "events/scheduler/firing_plan.h"
#include "events/scheduler/schedule.h"
#include "function/catalog.h"
#include "store/statements.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lambda::events {

class ScheduleTable {
 public:
  explicit ScheduleTable(function::Tenant tenant) : tenant_(std::move(tenant)) {}

  [[nodiscard]] std::vector<Schedule> load(SQLite::Database& database);

  // One of the same function and name is replaced, with its firings where the id is another.
  void save(SQLite::Database& database, const Schedule& schedule);
  // What the database has of it: id, and what firings have made of it (decided, fenced, queued).
  void refresh(SQLite::Database& database, Schedule& schedule);
  bool remove(SQLite::Database& database, const std::string& id);
  bool set_paused(SQLite::Database& database, const std::string& id, bool paused, WallTime decided);
  // Up to where the one that is furthest is decided. nullopt: there is none.
  [[nodiscard]] std::optional<WallTime> latest(SQLite::Database& database);
  // The clock was set far back: schedules whose decisions are ahead of `now` go on from `now`, with
  // a fence at what was decided, for the clock may come right again.
  void rebase(SQLite::Database& database, WallTime now);
  // Times that were fired, or stand in line, before they have come. By the schedule's id.
  using Ahead = std::map<std::string, std::set<WallTime>>;
  [[nodiscard]] Ahead fired_ahead(SQLite::Database& database);

  // --- firing
  // Takes the schedule from one decision to the next. False: it is not as it was (deleted, paused
  // or decided meanwhile), and nothing may be fired.
  bool advance(SQLite::Database& database, const Schedule& schedule, WallTime decided);
  // What was left out or missed in (after, last] by another clock is decided by this one. What was
  // fired stays.
  void decide_anew(SQLite::Database& database, const std::string& id, WallTime after,
                   WallTime last);
  // Whether the event of its last firing waits or runs.
  bool runs(SQLite::Database& database, const std::string& id);
  // Writes one decision. False: that time was decided before, and is not fired again. `event` is
  // the event's id where it is fired. Not `by_itself`: run by hand, which takes no turn from a
  // firing that still runs.
  bool add(SQLite::Database& database, const std::string& id, const Decision& decision,
           const std::string& event, WallTime now, bool by_itself = true);
  // The oldest of those that are queued becomes a firing.
  std::optional<WallTime> release(SQLite::Database& database, const std::string& id,
                                  const std::string& event, WallTime now);
  // Keeps the newest `count` firings up to `last`, those that are queued, and those that a clock
  // ahead has fired: their time comes.
  void trim(SQLite::Database& database, const std::string& id, std::size_t count, WallTime last);

  // Up to `last`, the newest first.
  [[nodiscard]] std::vector<FiringInfo> firings(SQLite::Database& database, const std::string& id,
                                                std::size_t count, WallTime last);

 private:
  store::Statements::Use take(SQLite::Database& database, const char* text);
  void set_last_event(SQLite::Database& database, const std::string& id, const std::string& event);

  function::Tenant tenant_;
  store::Statements statements_;
};

}  // namespace lambda::events
