// Every statement begins with (account, region): parameters 1 and 2, bound by take().
#include "events/scheduler/schedule_table.h"

#include "events/queue/event.h"
#include "store/wall_time.h"

#include <SQLiteCpp/SQLiteCpp.h>

namespace lambda::events {
namespace {

using store::from_ms;
using store::time_in;
using store::to_ms;

constexpr const char* kLoad =
    "SELECT s.id, s.function, s.name, s.expression, s.zone, s.overlap, s.misfire, s.jitter, "
    "s.data, "
    "s.starts, s.ends, s.declared, s.paused, s.created, s.decided, s.fenced, (SELECT count(*) FROM "
    "firings f "
    "WHERE f.account = s.account AND f.region = s.region AND f.schedule = s.id AND f.outcome = 1) "
    "FROM schedules s WHERE s.account = ?1 AND s.region = ?2";
// Not REPLACE, which would delete the row, and its firings with it.
constexpr const char* kSave =
    "INSERT INTO schedules (account, region, id, function, name, expression, zone, overlap, "
    "misfire, jitter, data, starts, ends, declared, paused, created, decided, fenced, last_event) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17, '') "
    "ON CONFLICT (account, region, function, name) DO UPDATE SET expression = ?6, zone = ?7, "
    "overlap = ?8, misfire = ?9, jitter = ?10, data = ?11, starts = ?12, ends = ?13, "
    "declared = ?14, paused = ?15, created = ?16, "
    // Where its times stay as they are, what a firing on its way has decided meanwhile stands.
    "decided = CASE WHEN expression = ?6 AND zone = ?7 AND starts IS ?12 AND ends IS ?13 "
    "THEN max(decided, ?17) ELSE ?17 END, fenced = max(fenced, ?17)";
constexpr const char* kStanding =
    "SELECT s.id, s.decided, s.fenced, (SELECT count(*) FROM firings f WHERE f.account = s.account "
    "AND f.region = s.region AND f.schedule = s.id AND f.outcome = 1) FROM schedules s WHERE "
    "s.account = ?1 AND s.region = ?2 AND s.function = ?3 AND s.name = ?4";
constexpr const char* kRemove =
    "DELETE FROM schedules WHERE account = ?1 AND region = ?2 AND id = ?3";
constexpr const char* kPause =
    "UPDATE schedules SET paused = ?4, decided = max(decided, ?5), fenced = max(fenced, ?5) WHERE "
    "account = ?1 AND region = ?2 AND id = ?3";
constexpr const char* kLatest =
    "SELECT max(decided) FROM schedules WHERE account = ?1 AND region = ?2";
constexpr const char* kRebase =
    "UPDATE schedules SET fenced = max(fenced, decided), decided = ?3 WHERE account = ?1 AND "
    "region = ?2 AND decided > ?3";
constexpr const char* kAhead =
    "SELECT f.schedule, f.time FROM schedules s JOIN firings f ON f.account = s.account AND "
    "f.region = s.region AND f.schedule = s.id WHERE s.account = ?1 AND s.region = ?2 AND "
    "s.fenced > s.decided AND f.time > s.decided AND f.outcome < 2";
constexpr const char* kAdvance =
    "UPDATE schedules SET decided = ?5 WHERE account = ?1 AND region = ?2 AND id = ?3 AND decided "
    "= ?4 AND paused = 0";
constexpr const char* kDecideAnew =
    "DELETE FROM firings WHERE account = ?1 AND region = ?2 AND schedule = ?3 AND time > ?4 AND "
    "time <= ?5 AND outcome > 1";
constexpr const char* kRuns =
    "SELECT 1 FROM schedules s JOIN events e ON e.account = s.account AND e.region = s.region AND "
    "e.id = s.last_event WHERE s.account = ?1 AND s.region = ?2 AND s.id = ?3 AND e.state < 2";
constexpr const char* kAdd =
    "INSERT OR IGNORE INTO firings (account, region, schedule, time, outcome, count, decided, "
    "event, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, '')";
constexpr const char* kLastEvent =
    "UPDATE schedules SET last_event = ?4 WHERE account = ?1 AND region = ?2 AND id = ?3";
constexpr const char* kOldestQueued =
    "SELECT min(time) FROM firings WHERE account = ?1 AND region = ?2 AND schedule = ?3 AND "
    "outcome = 1";
constexpr const char* kRelease =
    "UPDATE firings SET outcome = 0, event = ?5, decided = ?6 WHERE account = ?1 AND region = ?2 "
    "AND schedule = ?3 AND time = ?4";
constexpr const char* kTrim =
    "DELETE FROM firings WHERE account = ?1 AND region = ?2 AND schedule = ?3 AND outcome <> 1 AND "
    "time < (SELECT time FROM firings WHERE account = ?1 AND region = ?2 AND schedule = ?3 "
    "AND time <= ?5 ORDER BY time DESC LIMIT 1 OFFSET ?4)";
constexpr const char* kFirings =
    "SELECT f.time, f.outcome, f.count, f.decided, f.event, coalesce(e.state, f.state), "
    "coalesce(e.finished, f.finished), coalesce(e.error_type || CASE WHEN e.error_type = '' OR "
    "e.error_message = '' THEN '' ELSE ': ' END || e.error_message, f.error) FROM firings f LEFT "
    "JOIN events e ON e.account = f.account AND e.region = f.region AND e.id = f.event WHERE "
    "f.account = ?1 AND f.region = ?2 AND f.schedule = ?3 AND f.time <= ?5 ORDER BY f.time DESC "
    "LIMIT ?4";

constexpr int kCancelled = 4;  // of firings.state alone: the event was taken away

WallTime known_time_at(store::Statements::Use& row, int column) {
  return from_ms(row->getColumn(column).getInt64());
}

std::string state_text(store::Statements::Use& row, int column) {
  const auto value = row->getColumn(column);
  if (value.isNull()) return "";
  if (value.getInt() == kCancelled) return "cancelled";
  return std::string(to_string(static_cast<EventState>(value.getInt())));
}

Schedule schedule_of(store::Statements::Use& row) {
  Schedule schedule;
  auto& definition = schedule.definition;
  schedule.id = row->getColumn(0).getString();
  definition.function = row->getColumn(1).getString();
  definition.name = row->getColumn(2).getString();
  definition.expression = row->getColumn(3).getString();
  definition.zone = row->getColumn(4).getString();
  definition.overlap = static_cast<Overlap>(row->getColumn(5).getInt());
  definition.misfire = static_cast<Misfire>(row->getColumn(6).getInt());
  definition.jitter = std::chrono::milliseconds(row->getColumn(7).getInt64());
  if (!row->getColumn(8).isNull()) definition.data = row->getColumn(8).getString();
  definition.from = time_in(row->getColumn(9));
  definition.until = time_in(row->getColumn(10));
  definition.declared = row->getColumn(11).getInt() != 0;
  schedule.paused = row->getColumn(12).getInt() != 0;
  schedule.created = known_time_at(row, 13);
  schedule.decided = known_time_at(row, 14);
  schedule.fenced = known_time_at(row, 15);
  schedule.queued = static_cast<std::uint64_t>(row->getColumn(16).getInt64());
  return schedule;
}

}  // namespace

store::Statements::Use ScheduleTable::take(SQLite::Database& database, const char* text) {
  auto& statement = statements_.prepare(database, text);
  statement.bind(1, tenant_.account);
  statement.bind(2, tenant_.region);
  return store::Statements::Use(statement);
}

std::vector<Schedule> ScheduleTable::load(SQLite::Database& database) {
  std::vector<Schedule> schedules;
  auto rows = take(database, kLoad);
  while (rows->executeStep()) schedules.push_back(schedule_of(rows));
  return schedules;
}

void ScheduleTable::save(SQLite::Database& database, const Schedule& schedule) {
  const auto& definition = schedule.definition;
  auto save = take(database, kSave);
  save->bind(3, schedule.id);
  save->bind(4, definition.function);
  save->bind(5, definition.name);
  save->bind(6, definition.expression);
  save->bind(7, definition.zone);
  save->bind(8, static_cast<int>(definition.overlap));
  save->bind(9, static_cast<int>(definition.misfire));
  save->bind(10, std::int64_t{definition.jitter.count()});
  if (definition.data) save->bind(11, *definition.data);
  if (definition.from) save->bind(12, to_ms(*definition.from));
  if (definition.until) save->bind(13, to_ms(*definition.until));
  save->bind(14, definition.declared ? 1 : 0);
  save->bind(15, schedule.paused ? 1 : 0);
  save->bind(16, to_ms(schedule.created));
  save->bind(17, to_ms(schedule.decided));
  save->exec();
}

void ScheduleTable::refresh(SQLite::Database& database, Schedule& schedule) {
  auto standing = take(database, kStanding);
  standing->bind(3, schedule.definition.function);
  standing->bind(4, schedule.definition.name);
  if (!standing->executeStep()) return;
  schedule.id = standing->getColumn(0).getString();
  schedule.decided = known_time_at(standing, 1);
  schedule.fenced = known_time_at(standing, 2);
  schedule.queued = static_cast<std::uint64_t>(standing->getColumn(3).getInt64());
}

bool ScheduleTable::remove(SQLite::Database& database, const std::string& id) {
  auto remove = take(database, kRemove);
  remove->bind(3, id);
  return remove->exec() > 0;
}

bool ScheduleTable::set_paused(SQLite::Database& database, const std::string& id, bool paused,
                               WallTime decided) {
  auto pause = take(database, kPause);
  pause->bind(3, id);
  pause->bind(4, paused ? 1 : 0);
  pause->bind(5, to_ms(decided));
  return pause->exec() > 0;
}

std::optional<WallTime> ScheduleTable::latest(SQLite::Database& database) {
  auto latest = take(database, kLatest);
  if (!latest->executeStep()) return std::nullopt;
  return time_in(latest->getColumn(0));
}

void ScheduleTable::rebase(SQLite::Database& database, WallTime now) {
  auto rebase = take(database, kRebase);
  rebase->bind(3, to_ms(now));
  rebase->exec();
}

ScheduleTable::Ahead ScheduleTable::fired_ahead(SQLite::Database& database) {
  Ahead ahead;
  auto rows = take(database, kAhead);
  while (rows->executeStep()) ahead[rows->getColumn(0).getString()].insert(known_time_at(rows, 1));
  return ahead;
}

bool ScheduleTable::advance(SQLite::Database& database, const Schedule& schedule,
                            WallTime decided) {
  auto advance = take(database, kAdvance);
  advance->bind(3, schedule.id);
  advance->bind(4, to_ms(schedule.decided));
  advance->bind(5, to_ms(decided));
  return advance->exec() > 0;
}

void ScheduleTable::decide_anew(SQLite::Database& database, const std::string& id, WallTime after,
                                WallTime last) {
  auto anew = take(database, kDecideAnew);
  anew->bind(3, id);
  anew->bind(4, to_ms(after));
  anew->bind(5, to_ms(last));
  anew->exec();
}

bool ScheduleTable::runs(SQLite::Database& database, const std::string& id) {
  auto runs = take(database, kRuns);
  runs->bind(3, id);
  return runs->executeStep();
}

void ScheduleTable::set_last_event(SQLite::Database& database, const std::string& id,
                                   const std::string& event) {
  auto last = take(database, kLastEvent);
  last->bind(3, id);
  last->bind(4, event);
  last->exec();
}

bool ScheduleTable::add(SQLite::Database& database, const std::string& id, const Decision& decision,
                        const std::string& event, WallTime now, bool by_itself) {
  auto add = take(database, kAdd);
  add->bind(3, id);
  add->bind(4, to_ms(decision.time));
  add->bind(5, static_cast<int>(decision.outcome));
  add->bind(6, static_cast<std::int64_t>(decision.count));
  add->bind(7, to_ms(now));
  if (!event.empty()) add->bind(8, event);
  if (add->exec() == 0) return false;
  // Those of one time wait for the last one, and so for each before it, but for a run by hand.
  if (!event.empty() && (by_itself || !runs(database, id))) set_last_event(database, id, event);
  return true;
}

std::optional<WallTime> ScheduleTable::release(SQLite::Database& database, const std::string& id,
                                               const std::string& event, WallTime now) {
  std::optional<WallTime> time;
  {
    auto oldest = take(database, kOldestQueued);
    oldest->bind(3, id);
    if (oldest->executeStep()) time = time_in(oldest->getColumn(0));
  }
  if (!time) return std::nullopt;
  auto release = take(database, kRelease);
  release->bind(3, id);
  release->bind(4, to_ms(*time));
  release->bind(5, event);
  release->bind(6, to_ms(now));
  release->exec();
  set_last_event(database, id, event);
  return time;
}

void ScheduleTable::trim(SQLite::Database& database, const std::string& id, std::size_t count,
                         WallTime last) {
  auto trim = take(database, kTrim);
  trim->bind(3, id);
  trim->bind(4, static_cast<std::int64_t>(count));
  trim->bind(5, to_ms(last));
  trim->exec();
}

std::vector<FiringInfo> ScheduleTable::firings(SQLite::Database& database, const std::string& id,
                                               std::size_t count, WallTime last) {
  std::vector<FiringInfo> firings;
  auto rows = take(database, kFirings);
  rows->bind(3, id);
  rows->bind(4, static_cast<std::int64_t>(count));
  rows->bind(5, to_ms(last));
  while (rows->executeStep()) {
    FiringInfo firing;
    firing.time = known_time_at(rows, 0);
    firing.outcome = static_cast<Outcome>(rows->getColumn(1).getInt());
    firing.count = static_cast<std::uint64_t>(rows->getColumn(2).getInt64());
    firing.decided = time_in(rows->getColumn(3));
    firing.event = rows->getColumn(4).getString();
    firing.state = state_text(rows, 5);
    firing.finished = time_in(rows->getColumn(6));
    firing.error = rows->getColumn(7).getString();
    firings.push_back(std::move(firing));
  }
  return firings;
}

}  // namespace lambda::events
