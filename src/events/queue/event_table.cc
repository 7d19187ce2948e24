// Every statement begins with (account, region): parameters 1 and 2, bound by take().
#include "events/queue/event_table.h"

#include "base/encoding.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>

namespace lambda::events {
namespace {

// What is remembered of an error: AWS keeps as much with a dead letter. Of its type, what is a
// name.
constexpr std::size_t kLongestError = 1'024;
constexpr std::size_t kLongestErrorType = 256;

constexpr const char* kFindToken =
    "SELECT id FROM events WHERE account = ?1 AND region = ?2 AND function = ?3 AND token = ?4";
constexpr const char* kInsert =
    "INSERT INTO events (account, region, id, function, qualifier, state, source, token, trace_id, "
    "client_context, accepted, due, url, hops, attempts, throttles, lease, error_type, "
    "error_message, executed_version) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, "
    "?12, ?13, 0, 0, 0, '', '', '')";
constexpr const char* kInsertPayload =
    "INSERT INTO event_payloads (seq, account, region, payload) VALUES (?3, ?1, ?2, ?4)";
constexpr const char* kDue =
    "SELECT e.seq, e.lease, e.id, e.qualifier, p.payload, e.trace_id, e.client_context, e.source, "
    "e.accepted, e.attempts, e.throttles, e.hops FROM events e JOIN event_payloads p ON p.seq = "
    "e.seq WHERE e.account = ?1 AND e.region = ?2 AND e.function = ?3 AND e.url = ?6 AND e.state = "
    "0 AND e.due <= ?4 ORDER BY e.due, e.seq LIMIT ?5";
constexpr const char* kClaim =
    "UPDATE events SET state = 1, lease = ?4 WHERE account = ?1 AND region = ?2 AND seq = ?3";
constexpr const char* kNextDue =
    "SELECT min(due) FROM events WHERE account = ?1 AND region = ?2 AND function = ?3 AND url = ?4 "
    "AND state = 0";
constexpr const char* kFinish =
    "UPDATE events SET state = ?5, finished = ?6, attempts = ?7, throttles = ?8, error_type = ?9, "
    "error_message = ?10, executed_version = ?11 WHERE account = ?1 AND region = ?2 AND seq = ?3 "
    "AND lease = ?4 AND state = 1";
constexpr const char* kResult =
    "INSERT OR REPLACE INTO event_results (seq, account, region, payload) VALUES (?3, ?1, ?2, ?4)";
constexpr const char* kRetry =
    "UPDATE events SET state = 0, due = ?5, attempts = ?6, throttles = ?7, error_type = ?8, "
    "error_message = ?9, executed_version = ?10 WHERE account = ?1 AND region = ?2 AND seq = ?3 "
    "AND lease = ?4 AND state = 1";
constexpr const char* kRelease =
    "UPDATE events SET state = 0, due = ?3 WHERE account = ?1 AND region = ?2 AND state = 1";
constexpr const char* kReleaseAhead =
    "UPDATE events SET state = 0, due = ?3 WHERE account = ?1 AND region = ?2 AND state = 0 AND "
    "source <> 2 AND due > ?3 AND (due > ?4 OR attempts + throttles = 0)";
constexpr const char* kDueTimes =
    "SELECT function, url, min(due) FROM events WHERE account = ?1 AND region = ?2 AND state = 0 "
    "GROUP BY function, url";
constexpr const char* kInfoById =
    "SELECT e.id, e.function, e.qualifier, e.state, e.source, e.accepted, e.due, e.finished, "
    "e.attempts, e.throttles, e.error_type, e.error_message, e.executed_version, "
    "length(p.payload), e.url FROM events e JOIN event_payloads p ON p.seq = e.seq "
    "WHERE e.account = ?1 AND e.region = ?2 AND e.id = ?3";
constexpr const char* kInfos =
    "SELECT e.id, e.function, e.qualifier, e.state, e.source, e.accepted, e.due, e.finished, "
    "e.attempts, e.throttles, e.error_type, e.error_message, e.executed_version, "
    "length(p.payload), e.url FROM (SELECT seq FROM events WHERE account = ?1 AND region = ?2 AND "
    "function = ?3 AND state = % ORDER BY seq DESC LIMIT ?4) newest JOIN events e ON e.seq = "
    "newest.seq JOIN event_payloads p ON p.seq = e.seq ORDER BY e.seq DESC";
constexpr const char* kPayload =
    "SELECT p.payload FROM events e JOIN event_payloads p ON p.seq = e.seq "
    "WHERE e.account = ?1 AND e.region = ?2 AND e.id = ?3";
constexpr const char* kResultOf =
    "SELECT r.payload FROM events e JOIN event_results r ON r.seq = e.seq "
    "WHERE e.account = ?1 AND e.region = ?2 AND e.id = ?3 AND e.state > 1";
constexpr const char* kDepths =
    "SELECT function, sum(state = 0), sum(state = 1), sum(state = 0 AND attempts + throttles > 0), "
    "sum(state = 3), min(CASE WHEN state < 2 THEN accepted END) FROM events "
    "WHERE account = ?1 AND region = ?2 AND state <> 2 GROUP BY function";
constexpr const char* kDepthsOf =
    "SELECT function, sum(state = 0), sum(state = 1), sum(state = 0 AND attempts + throttles > 0), "
    "sum(state = 3), min(CASE WHEN state < 2 THEN accepted END) FROM events "
    "WHERE account = ?1 AND region = ?2 AND state <> 2 AND function = ?3 GROUP BY function";
constexpr const char* kPendingOf =
    "SELECT 1 FROM events WHERE account = ?1 AND region = ?2 AND function = ?3 AND qualifier = ?4 "
    "AND qualifier <> '' AND state < 2 LIMIT 1";
constexpr const char* kCancel =
    "DELETE FROM events WHERE account = ?1 AND region = ?2 AND id = ?3 AND state IN (0, 3)";
constexpr const char* kRemove =
    "DELETE FROM events WHERE account = ?1 AND region = ?2 AND seq = ?3";
// One of a schedule (source 2) that waits for its jitter is accepted when it is due.
constexpr const char* kToPurge =
    "SELECT e.seq, length(p.payload) FROM events e JOIN event_payloads p ON p.seq = e.seq WHERE "
    "e.account = ?1 AND e.region = ?2 AND e.function = ?3 AND e.state = % AND (e.accepted <= ?4 OR "
    "(e.source = 2 AND e.due = e.accepted))";
constexpr const char* kOfFunction =
    "SELECT e.seq, length(p.payload) + coalesce(length(r.payload), 0) FROM events e JOIN "
    "event_payloads p ON p.seq = e.seq LEFT JOIN event_results r ON r.seq = e.seq WHERE "
    "e.account = ?1 AND e.region = ?2 AND e.function = ?3";
constexpr const char* kFindDead =
    "SELECT seq, function, url FROM events WHERE account = ?1 AND region = ?2 AND id = ?3 AND "
    "state "
    "= 3";
constexpr const char* kReplacePayload =
    "UPDATE event_payloads SET payload = ?4 WHERE account = ?1 AND region = ?2 AND seq = ?3";
constexpr const char* kRevive =
    "UPDATE events SET state = 0, due = ?4, accepted = ?4, finished = NULL, attempts = 0, "
    "throttles = 0, hops = 0 WHERE account = ?1 AND region = ?2 AND seq = ?3";
constexpr const char* kReviveAll =
    "UPDATE events SET state = 0, due = ?4, accepted = ?4, finished = NULL, attempts = 0, "
    "throttles = 0, hops = 0 WHERE account = ?1 AND region = ?2 AND seq IN (SELECT seq FROM events "
    "WHERE account = ?1 AND region = ?2 AND function = ?3 AND state = 3 AND finished <= ?4 LIMIT "
    "?5) RETURNING url";
constexpr const char* kExpired =
    "SELECT e.seq, length(p.payload) + coalesce(length(r.payload), 0) FROM events e JOIN "
    "event_payloads p ON p.seq = e.seq LEFT JOIN event_results r ON r.seq = e.seq WHERE "
    "e.account = ?1 AND e.region = ?2 AND e.state = ?3 AND e.state > 1 AND e.finished < ?4";

// A statement for each state, its number in place of '%': SQLite takes an index of one state's rows
// only where the state stands in the text.
class StateTexts {
 public:
  explicit StateTexts(std::string_view text) {
    const auto at = text.find('%');
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      texts_[i] = text;
      texts_[i].replace(at, 1, std::to_string(i));
    }
  }
  const char* operator[](EventState state) const {
    return texts_.at(static_cast<std::size_t>(state)).c_str();
  }

 private:
  std::array<std::string, 4> texts_;
};

std::int64_t to_ms(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime from_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

std::string text_at(store::Statements::Use& row, int column) {
  return row->getColumn(column).getString();
}

std::optional<WallTime> time_at(store::Statements::Use& row, int column) {
  const auto value = row->getColumn(column);
  if (value.isNull()) return std::nullopt;
  return from_ms(value.getInt64());
}

void bind_blob(store::Statements::Use& statement, int index, std::string_view bytes) {
  // A null pointer would be NULL.
  statement->bind(index, bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()));
}

// No half character at its end, and nothing that is none.
std::string shortened(std::string_view text, std::size_t size) {
  return std::string(first_of_utf8(repair_utf8(first_of_utf8(text, size)), size));
}

void bind_text(store::Statements::Use& statement, int index, std::string_view text) {
  statement->bind(index, std::string(text));
}

}  // namespace

store::Statements::Use EventTable::take(SQLite::Database& database, const char* text) {
  auto& statement = statements_.prepare(database, text);
  statement.bind(1, tenant_.account);
  statement.bind(2, tenant_.region);
  return store::Statements::Use(statement);
}

EventTable::Inserted EventTable::insert(SQLite::Database& database, const NewEvent& event,
                                        WallTime now, WallTime due) {
  if (!event.token.empty()) {
    auto known = take(database, kFindToken);
    bind_text(known, 3, event.function);
    bind_text(known, 4, event.token);
    if (known->executeStep()) return {text_at(known, 0), true};
  }
  auto insert = take(database, kInsert);
  bind_text(insert, 3, event.id);
  bind_text(insert, 4, event.function);
  bind_text(insert, 5, event.qualifier);
  insert->bind(6, static_cast<int>(event.source));
  if (!event.token.empty()) bind_text(insert, 7, event.token);
  bind_text(insert, 8, event.trace_id);
  bind_text(insert, 9, event.client_context);
  insert->bind(10, to_ms(now));
  insert->bind(11, to_ms(due));
  bind_text(insert, 12, event.url);
  insert->bind(13, event.hops);
  insert->exec();
  auto payload = take(database, kInsertPayload);
  payload->bind(3, database.getLastInsertRowid());
  bind_blob(payload, 4, event.payload);
  payload->exec();
  return {event.id, false};
}

EventTable::Claims EventTable::claim(SQLite::Database& database, const std::vector<Wanted>& wanted,
                                     WallTime now) {
  Claims claims;
  for (const auto& part : wanted) {
    const auto first = claims.events.size();
    auto due = take(database, kDue);
    bind_text(due, 3, part.lane.function);
    due->bind(4, to_ms(now));
    due->bind(5, static_cast<std::int64_t>(part.count));
    bind_text(due, 6, part.lane.url);
    while (due->executeStep()) {
      ClaimedEvent claimed;
      claimed.row = due->getColumn(0).getInt64();
      claimed.lease = due->getColumn(1).getInt64() + 1;
      claimed.event.id = text_at(due, 2);
      claimed.event.function = part.lane.function;
      claimed.event.url = part.lane.url;
      claimed.event.qualifier = text_at(due, 3);
      claimed.event.payload = text_at(due, 4);
      claimed.event.trace_id = text_at(due, 5);
      claimed.event.client_context = text_at(due, 6);
      claimed.event.source = static_cast<EventSource>(due->getColumn(7).getInt());
      claimed.accepted = from_ms(due->getColumn(8).getInt64());
      claimed.attempts = due->getColumn(9).getInt();
      claimed.throttles = due->getColumn(10).getInt();
      claimed.event.hops = due->getColumn(11).getInt();
      claims.events.push_back(std::move(claimed));
    }
    for (auto i = first; i < claims.events.size(); ++i) {
      auto claim = take(database, kClaim);
      claim->bind(3, claims.events[i].row);
      claim->bind(4, claims.events[i].lease);
      claim->exec();
    }
    auto next = take(database, kNextDue);
    bind_text(next, 3, part.lane.function);
    bind_text(next, 4, part.lane.url);
    claims.next_due[part.lane] = next->executeStep() ? time_at(next, 0) : std::nullopt;
  }
  return claims;
}

// Where the lease is still the event's.
bool EventTable::finish(SQLite::Database& database, const ClaimedEvent& event, const Ending& ending,
                        WallTime now) {
  auto finish = take(database, kFinish);
  finish->bind(3, event.row);
  finish->bind(4, event.lease);
  finish->bind(5, static_cast<int>(ending.state));
  finish->bind(6, to_ms(now));
  finish->bind(7, ending.attempts);
  finish->bind(8, ending.throttles);
  bind_text(finish, 9, shortened(ending.error_type, kLongestErrorType));
  bind_text(finish, 10, shortened(ending.error_message, kLongestError));
  bind_text(finish, 11, ending.executed_version);
  if (finish->exec() == 0) return false;
  auto result = take(database, kResult);
  result->bind(3, event.row);
  bind_blob(result, 4, ending.payload);
  result->exec();
  return true;
}

bool EventTable::succeed(SQLite::Database& database, const ClaimedEvent& event,
                         const Success& success, WallTime now) {
  Ending ending;
  ending.state = EventState::succeeded;
  ending.attempts = event.attempts;
  ending.throttles = event.throttles;
  ending.executed_version = success.executed_version;
  ending.payload = success.payload;
  return finish(database, event, ending, now);
}

bool EventTable::retry(SQLite::Database& database, const ClaimedEvent& event,
                       const Failure& failure, WallTime due) {
  auto retry = take(database, kRetry);
  retry->bind(3, event.row);
  retry->bind(4, event.lease);
  retry->bind(5, to_ms(due));
  retry->bind(6, failure.attempts);
  retry->bind(7, failure.throttles);
  bind_text(retry, 8, shortened(failure.error_type, kLongestErrorType));
  bind_text(retry, 9, shortened(failure.error_message, kLongestError));
  bind_text(retry, 10, failure.executed_version);
  return retry->exec() != 0;
}

bool EventTable::die(SQLite::Database& database, const ClaimedEvent& event, const Failure& failure,
                     WallTime now) {
  Ending ending;
  ending.state = EventState::dead;
  ending.attempts = failure.attempts;
  ending.throttles = failure.throttles;
  ending.error_type = failure.error_type;
  ending.error_message = failure.error_message;
  ending.executed_version = failure.executed_version;
  ending.payload = failure.payload;
  return finish(database, event, ending, now);
}

std::size_t EventTable::release_running(SQLite::Database& database, WallTime now) {
  auto release = take(database, kRelease);
  release->bind(3, to_ms(now));
  return static_cast<std::size_t>(release->exec());
}

std::size_t EventTable::release_ahead(SQLite::Database& database, WallTime now,
                                      std::chrono::milliseconds longest) {
  auto release = take(database, kReleaseAhead);
  release->bind(3, to_ms(now));
  release->bind(4, to_ms(now + longest));
  return static_cast<std::size_t>(release->exec());
}

std::map<LaneKey, WallTime> EventTable::due_times(SQLite::Database& database) {
  std::map<LaneKey, WallTime> times;
  auto rows = take(database, kDueTimes);
  while (rows->executeStep()) {
    const LaneKey lane{text_at(rows, 0), text_at(rows, 1)};
    times[lane] = from_ms(rows->getColumn(2).getInt64());
  }
  return times;
}

std::vector<EventInfo> EventTable::read_infos(store::Statements::Use& rows) {
  std::vector<EventInfo> infos;
  while (rows->executeStep()) {
    EventInfo info;
    info.id = text_at(rows, 0);
    info.function = text_at(rows, 1);
    info.qualifier = text_at(rows, 2);
    info.state = static_cast<EventState>(rows->getColumn(3).getInt());
    info.source = static_cast<EventSource>(rows->getColumn(4).getInt());
    info.accepted = from_ms(rows->getColumn(5).getInt64());
    if (info.state == EventState::waiting) info.due = time_at(rows, 6);
    info.finished = time_at(rows, 7);
    info.attempts = rows->getColumn(8).getInt();
    info.throttles = rows->getColumn(9).getInt();
    info.error_type = text_at(rows, 10);
    info.error_message = text_at(rows, 11);
    info.executed_version = text_at(rows, 12);
    info.payload_size = static_cast<std::uint64_t>(rows->getColumn(13).getInt64());
    info.url = text_at(rows, 14);
    infos.push_back(std::move(info));
  }
  return infos;
}

std::optional<EventInfo> EventTable::find(SQLite::Database& database, std::string_view id) {
  auto rows = take(database, kInfoById);
  bind_text(rows, 3, id);
  auto infos = read_infos(rows);
  if (infos.empty()) return std::nullopt;
  return std::move(infos.front());
}

std::optional<std::string> EventTable::payload(SQLite::Database& database, std::string_view id) {
  auto rows = take(database, kPayload);
  bind_text(rows, 3, id);
  if (!rows->executeStep()) return std::nullopt;
  return text_at(rows, 0);
}

std::optional<std::string> EventTable::result(SQLite::Database& database, std::string_view id) {
  auto rows = take(database, kResultOf);
  bind_text(rows, 3, id);
  if (!rows->executeStep()) return std::nullopt;
  return text_at(rows, 0);
}

std::vector<QueueDepth> EventTable::depths(SQLite::Database& database, std::string_view function) {
  std::vector<QueueDepth> depths;
  auto rows = take(database, function.empty() ? kDepths : kDepthsOf);
  if (!function.empty()) bind_text(rows, 3, function);
  while (rows->executeStep()) {
    const auto number = [&rows](int column) {
      return static_cast<std::uint64_t>(rows->getColumn(column).getInt64());
    };
    QueueDepth depth;
    depth.function = text_at(rows, 0);
    depth.waiting = number(1);
    depth.running = number(2);
    depth.retrying = number(3);
    depth.dead = number(4);
    depth.oldest = time_at(rows, 5);
    depths.push_back(std::move(depth));
  }
  return depths;
}

std::vector<EventInfo> EventTable::list(SQLite::Database& database, const Listing& listing) {
  static const StateTexts texts(kInfos);
  auto rows = take(database, texts[listing.state]);
  bind_text(rows, 3, listing.function);
  rows->bind(4, static_cast<std::int64_t>(listing.limit));
  return read_infos(rows);
}

bool EventTable::has_pending(SQLite::Database& database, std::string_view function,
                             std::string_view qualifier) {
  auto rows = take(database, kPendingOf);
  bind_text(rows, 3, function);
  bind_text(rows, 4, qualifier);
  return rows->executeStep();
}

bool EventTable::cancel(SQLite::Database& database, std::string_view id) {
  auto cancel = take(database, kCancel);
  bind_text(cancel, 3, id);
  return cancel->exec() != 0;
}

EventTable::Changed EventTable::remove_some(SQLite::Database& database,
                                            store::Statements::Use& rows, const Step& step) {
  std::vector<std::int64_t> removed;
  std::size_t bytes = 0;
  Changed changed;
  while (rows->executeStep()) {
    changed.more = removed.size() == step.rows || bytes > step.bytes;
    if (changed.more) break;
    removed.push_back(rows->getColumn(0).getInt64());
    bytes += static_cast<std::size_t>(rows->getColumn(1).getInt64());
  }
  rows->reset();
  for (const auto row : removed) {
    auto remove = take(database, kRemove);
    remove->bind(3, row);
    remove->exec();
  }
  changed.count = removed.size();
  return changed;
}

EventTable::Changed EventTable::purge(SQLite::Database& database, std::string_view function,
                                      EventState state, WallTime before, const Step& step) {
  static const StateTexts texts(kToPurge);
  auto rows = take(database, texts[state]);
  bind_text(rows, 3, function);
  rows->bind(4, to_ms(before));
  return remove_some(database, rows, step);
}

EventTable::Changed EventTable::clear(SQLite::Database& database, std::string_view function,
                                      const Step& step) {
  auto rows = take(database, kOfFunction);
  bind_text(rows, 3, function);
  return remove_some(database, rows, step);
}

EventTable::Changed EventTable::expire(SQLite::Database& database, EventState state,
                                       WallTime before, const Step& step) {
  auto rows = take(database, kExpired);
  rows->bind(3, static_cast<int>(state));
  rows->bind(4, to_ms(before));
  return remove_some(database, rows, step);
}

std::optional<LaneKey> EventTable::redrive(SQLite::Database& database, std::string_view id,
                                           const std::optional<std::string>& payload,
                                           WallTime now) {
  auto dead = take(database, kFindDead);
  bind_text(dead, 3, id);
  if (!dead->executeStep()) return std::nullopt;
  const auto row = dead->getColumn(0).getInt64();
  LaneKey lane{text_at(dead, 1), text_at(dead, 2)};
  if (payload) {
    auto replace = take(database, kReplacePayload);
    replace->bind(3, row);
    bind_blob(replace, 4, *payload);
    replace->exec();
  }
  auto revive = take(database, kRevive);
  revive->bind(3, row);
  revive->bind(4, to_ms(now));
  revive->exec();
  return lane;
}

EventTable::Redriven EventTable::redrive_all(SQLite::Database& database, std::string_view function,
                                             WallTime now, const Step& step) {
  Redriven redriven;
  auto revived = take(database, kReviveAll);
  bind_text(revived, 3, function);
  revived->bind(4, to_ms(now));
  revived->bind(5, static_cast<std::int64_t>(step.rows));
  while (revived->executeStep()) {
    redriven.lanes.insert(LaneKey{std::string(function), text_at(revived, 0)});
    ++redriven.changed.count;
  }
  redriven.changed.more = redriven.changed.count == step.rows;
  return redriven;
}

}  // namespace lambda::events
