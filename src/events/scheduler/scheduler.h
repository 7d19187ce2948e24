// The scheduler writes the event of every firing into the queue, in the transaction that decides
// it: a time at which a schedule is due is a unique row, never fired twice and never lost, whatever
// kills the server. What is decided, and when, is firing_plan.h's.
//
// Threads: any loop, but load() (while starting, before the loops run). Errors of all of them:
// unavailable where the database cannot be written (nothing was changed), not_found where there is
// no such function or schedule, and what stands at each.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "events/queue/event_queue.h"
#include "events/scheduler/firing_plan.h"
#include "events/scheduler/schedule.h"
#include "events/scheduler/schedule_table.h"
#include "function/catalog.h"
#include "store/group_commit.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lambda::store {
class Database;
}

namespace lambda::events {

// Of one function.
inline constexpr std::size_t kMostSchedules = 1'000;
// Bytes of their data: they are in memory.
inline constexpr std::size_t kMostScheduleData = 16u << 20;
// Of one schedule, the newest.
inline constexpr std::size_t kFiringsKept = 100;

// What a declaration did to a schedule.
enum class ScheduleChange { created, changed, removed };
[[nodiscard]] std::string_view to_string(ScheduleChange change);

class Scheduler {
 public:
  // All of it outlives the scheduler.
  struct Parts {
    Loop& loop;
    store::Database& database;
    store::GroupCommit& commits;
    BlockingPool& readers;  // for what is only looked at
    EventQueue& queue;
    const function::Catalog& catalog;
    const Clock& clock;
  };
  explicit Scheduler(Parts parts);

  // What was decided of times of a schedule.
  struct Decided {
    Outcome outcome = Outcome::fired;
    std::uint64_t count = 1;
    // Of one that fired: how late its event was on disk. Nothing for one that was queued before.
    std::optional<std::chrono::milliseconds> late;
  };
  // Told on the loop of all that is decided. Before start().
  void on_decided(std::function<void(const Decided&)> listener) { listener_ = std::move(listener); }

  Result<Done> load();
  void start();
  Task<void> stop();
  // Decides what is due by now. run() does this all the time. On the loop.
  Task<void> fire_due();

  struct Info {
    Schedule schedule;
    std::optional<WallTime> next;  // nullopt: paused, or it never fires again
    std::string problem;           // why it cannot fire: "" when it can
  };
  struct Saved {
    Info info;
    std::vector<WallTime> times;       // the next few
    std::optional<Schedule> replaced;  // what it was before, where it was otherwise
  };
  // Makes a schedule, or changes the one of that name. One that is changed keeps its firings, and
  // goes on from now where its times are others. Errors: invalid (with the reason and a remedy),
  // conflict (another request changes it at this moment).
  Task<Result<Saved>> save(ScheduleDefinition definition);
  using Changes = std::map<std::string, ScheduleChange>;  // by the schedule's name
  // The schedules that lambda.toml declares for a function: these, and no other declared ones. All
  // or nothing. One whose time has passed is no error here: the file need not change for it.
  Task<Result<Changes>> declare(std::string function, std::vector<ScheduleDefinition> definitions);
  // Whether it could, without doing it: the function need not be there yet.
  Task<Result<Done>> check_declared(std::string function,
                                    std::vector<ScheduleDefinition> definitions);
  // Whether these could be saved, as far as that needs no function. Any thread, and so is times().
  [[nodiscard]] Result<Done> check(const std::vector<ScheduleDefinition>& definitions) const;
  // When it would fire next, if it were saved now.
  [[nodiscard]] std::vector<WallTime> times(const ScheduleDefinition& definition,
                                            std::size_t count) const;

  Task<Result<Done>> remove(std::string function, std::string name);
  // Nothing fires while it is paused, and nothing of that time is made up for.
  Task<Result<Info>> set_paused(std::string function, std::string name, bool paused);
  // One firing now, whatever else runs. The event's id.
  Task<Result<std::string>> run_now(std::string function, std::string name);

  Task<Result<std::vector<Info>>> list(std::string function);  // "": of all functions
  struct Shown {
    Info info;
    std::vector<WallTime> times;
    std::vector<FiringInfo> firings;  // the newest first
  };
  Task<Result<Shown>> show(std::string function, std::string name, std::size_t times,
                           std::size_t firings);

  // The function is gone, and its rows went with it. Any thread.
  void forget(std::string function);

 private:
  using Key = std::pair<std::string, std::string>;  // function, name
  struct Entry {
    Schedule schedule;
    std::shared_ptr<const FiringTimes> times;  // null: it has a problem
    std::string problem;
    std::optional<WallTime> next;
    std::optional<WallTime> due;  // when it is looked at again: its place in due_
    std::set<WallTime> ahead;     // fired by a clock that was ahead: not again when they come
    std::size_t since_trim = 0;
  };
  struct Job {
    Key key;
    Schedule schedule;
    std::shared_ptr<const FiringTimes> times;
    bool trim = false;
  };
  struct Settled {
    Key key;
    std::string id;
    bool stale = false;  // it was changed meanwhile
    Decisions decisions;
    std::uint64_t queued = 0;
    std::vector<WallTime> due;  // of the events that were written
  };

  Task<void> run();
  Task<void> take_turn();
  Task<void> wait_for_work();
  Task<void> rebase_where_clock_went_back(WallTime now);
  [[nodiscard]] std::vector<Job> due_jobs(WallTime now);
  // How much of one transaction is left.
  struct Room {
    std::size_t firings = 0;
    std::size_t bytes = 0;
    std::uint64_t counted = 0;
  };
  Settled settle(SQLite::Database& database, const Job& job, WallTime now, Room& room);
  WallTime write_event(SQLite::Database& database, const Schedule& schedule, std::string event_id,
                       WallTime time, WallTime now);
  void take_in(const Settled& settled, WallTime now);
  void tell(const Settled& settled) const;

  // What the database has.
  struct Stock {
    std::vector<Schedule> schedules;
    ScheduleTable::Ahead ahead;
  };
  Stock stock(SQLite::Database& database);
  void put(Schedule schedule);
  void erase(const Key& key);
  void set_due(const Key& key, Entry& entry, std::optional<WallTime> due);
  void look_at_queued(const std::string& function);
  [[nodiscard]] Info info_of(const Entry& entry) const;
  [[nodiscard]] std::vector<WallTime> times_of(const Entry& entry, std::size_t count) const;
  [[nodiscard]] Result<Entry*> find(const std::string& function, const std::string& name);
  enum class Ended { refused, accepted };
  [[nodiscard]] Result<Schedule> planned(const ScheduleDefinition& definition, WallTime now,
                                         Ended ended) const;
  [[nodiscard]] tl::unexpected<Error> not_saved(Error error, const std::string& function) const;

  Task<Result<Saved>> save_here(ScheduleDefinition definition);
  using Sizes = std::map<Key, std::size_t>;  // of the data
  [[nodiscard]] Result<Done> room_for(const std::string& function, const Sizes& wanted,
                                      const std::set<Key>& gone) const;
  [[nodiscard]] Result<Done> nobody_changes(const std::set<Key>& keys) const;
  // What a declaration comes to.
  struct Declaration {
    std::vector<Schedule> kept;
    std::vector<std::pair<Key, std::string>> gone;  // with their ids
    std::set<Key> wanted, going;
    Changes changes;
  };
  [[nodiscard]] Result<Declaration> planned_declaration(
      const std::string& function, std::vector<ScheduleDefinition> definitions) const;
  Task<Result<Changes>> declare_here(std::string function,
                                     std::vector<ScheduleDefinition> definitions);
  Task<Result<Done>> remove_here(std::string function, std::string name);
  Task<Result<Info>> set_paused_here(std::string function, std::string name, bool paused);
  Task<Result<std::string>> run_here(std::string function, std::string name);
  Task<Result<std::vector<Info>>> list_here(std::string function);
  Task<Result<Shown>> show_here(std::string function, std::string name, std::size_t times,
                                std::size_t firings);

  Parts parts_;
  ScheduleTable table_;
  ScheduleTable views_;  // what readers look through: statements belong to a connection
  std::function<void(const Decided&)> listener_;
  std::map<Key, Entry> entries_;
  std::set<std::pair<WallTime, Key>> due_;
  std::set<Key> changing_;  // somebody writes it
  WallTime latest_{};       // the latest time that was seen
  bool stopping_ = false;
  bool running_ = false;
  AsyncEvent wake_;
  AsyncEvent ended_;
};

}  // namespace lambda::events
