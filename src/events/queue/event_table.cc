#include "events/queue/event_table.h"

#include "base/encoding.h"
#include "events/queue/event_statements.h"
#include "function/validation.h"
#include "store/wall_time.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <spdlog/fmt/fmt.h>

#include <limits>

namespace lambda::events {

namespace {

using store::from_ms;
using store::time_in;
using store::to_ms;

// What is remembered of an error: AWS keeps as much with a dead letter. Of its type, what is a
// name.
constexpr std::size_t kLongestError = 1'024;
constexpr std::size_t kLongestErrorType = 256;
// Of a result that did not go where it should.
constexpr const char* kNotFound = "Destination.NotFound";

std::string text_at(store::Statements::Use& row, int column) {
  return row->getColumn(column).getString();
}

void bind_blob(store::Statements::Use& statement, int index, std::string_view bytes) {
  // A null pointer would be NULL.
  statement->bind(index, bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()));
}

// No half character at its end, and nothing that is none.
std::string shortened(std::string_view text, std::size_t size) {
  return std::string(first_of_utf8(repair_utf8(first_of_utf8(text, size)), size));
}

// What happened, as long as there is room, and then that nobody could be told.
std::string with_problem(const std::string& message, const std::string& problem) {
  if (problem.empty()) return message;
  auto told = fmt::format("{}: {}", kNotFound, problem);
  if (message.empty() || told.size() + 2 >= kLongestError) return told;
  return shortened(message, kLongestError - told.size() - 2) + "; " + told;
}

void bind_text(store::Statements::Use& statement, int index, std::string_view text) {
  statement->bind(index, std::string(text));
}

const EventStatement& newest_of(EventState state) {
  switch (state) {
    case EventState::waiting:
      return sql::kNewestWaiting;
    case EventState::running:
      return sql::kNewestRunning;
    case EventState::succeeded:
      return sql::kNewestSucceeded;
    default:
      return sql::kNewestDead;
  }
}

// What a step found first has a share of its time, the changes have the rest. It begins at the
// first row: however long that was looked for, a step comes as far as any other.
class StepTime {
 public:
  explicit StepTime(const EventTable::Step& step) : time_(step.time) {}
  [[nodiscard]] bool found_enough() const { return passed() >= time_ / 4; }
  [[nodiscard]] bool over() const { return passed() >= time_; }

 private:
  [[nodiscard]] SteadyTime::duration passed() const {
    return std::chrono::steady_clock::now() - start_;
  }
  SteadyTime::duration time_;
  SteadyTime start_ = std::chrono::steady_clock::now();
};

// Of rows of (seq, bytes), as many as a step may: all are found before the first is changed.
template <class Change>
EventTable::Changed change_some(store::Statements::Use& rows, const EventTable::Step& step,
                                Change change) {
  EventTable::Changed changed;
  if (!rows->executeStep()) return changed;
  const StepTime time(step);
  std::vector<std::int64_t> found;
  std::size_t bytes = 0;
  do {
    changed.more =
        !found.empty() && (found.size() == step.rows || bytes > step.bytes || time.found_enough());
    if (changed.more) break;
    found.push_back(rows->getColumn(0).getInt64());
    bytes += static_cast<std::size_t>(rows->getColumn(1).getInt64());
  } while (rows->executeStep());
  rows->reset();
  for (const auto row : found) {
    change(row);
    ++changed.count;
    if (time.over()) break;
  }
  changed.more = changed.more || changed.count < found.size();
  return changed;
}

}  // namespace

store::Statements::Use EventTable::take(SQLite::Database& database, const EventStatement& wanted) {
  auto& statement = statements_.prepare(database, wanted.text);
  statement.bind(1, tenant_.account);
  statement.bind(2, tenant_.region);
  return store::Statements::Use(statement);
}

bool EventTable::has_target(SQLite::Database& database, const NewEvent& event) {
  const auto number = function::parse_version(event.qualifier);
  if (!number || *number == 0) return true;
  auto version = take(database, sql::kVersion);
  bind_text(version, 3, event.function);
  version->bind(4, static_cast<std::int64_t>(*number));
  return version->executeStep();
}

EventTable::Inserted EventTable::insert(SQLite::Database& database, const NewEvent& event,
                                        WallTime now, WallTime due) {
  if (!event.token.empty()) {
    auto known = take(database, sql::kFindToken);
    bind_text(known, 3, event.function);
    bind_text(known, 4, event.token);
    if (known->executeStep()) return {text_at(known, 0), true};
  }
  auto insert = take(database, sql::kInsert);
  bind_text(insert, 3, event.id);
  bind_text(insert, 4, event.function);
  bind_text(insert, 5, event.qualifier);
  insert->bind(6, static_cast<int>(event.source));
  if (!event.token.empty()) bind_text(insert, 7, event.token);
  bind_text(insert, 8, event.trace.amzn);
  bind_text(insert, 9, event.client_context);
  insert->bind(10, to_ms(now));
  insert->bind(11, to_ms(due));
  bind_text(insert, 12, event.url);
  insert->bind(13, event.hops);
  bind_text(insert, 14, event.trace.parent);
  bind_text(insert, 15, event.trace.state);
  insert->exec();
  auto payload = take(database, sql::kInsertPayload);
  payload->bind(3, database.getLastInsertRowid());
  bind_blob(payload, 4, event.payload);
  payload->exec();
  return {event.id, false};
}

EventTable::Claims EventTable::claim(SQLite::Database& database, const std::vector<Wanted>& wanted,
                                     WallTime now, NestedRoom bytes) {
  Claims claims;
  for (const auto& part : wanted) {
    const auto first = claims.events.size();
    auto due = take(database, sql::kDue);
    bind_text(due, 3, part.lane.function);
    due->bind(4, to_ms(now));
    due->bind(5, static_cast<std::int64_t>(part.count));
    bind_text(due, 6, part.lane.url);
    while (bytes.of(part.depth) > 0 && due->executeStep()) {
      ClaimedEvent claimed;
      claimed.row = due->getColumn(0).getInt64();
      claimed.lease = due->getColumn(1).getInt64() + 1;
      claimed.event.id = text_at(due, 2);
      claimed.event.function = part.lane.function;
      claimed.event.url = part.lane.url;
      claimed.event.qualifier = text_at(due, 3);
      claimed.event.payload = text_at(due, 4);
      claimed.event.trace.amzn = text_at(due, 5);
      claimed.event.client_context = text_at(due, 6);
      claimed.event.source = static_cast<EventSource>(due->getColumn(7).getInt());
      claimed.accepted = from_ms(due->getColumn(8).getInt64());
      claimed.attempts = due->getColumn(9).getInt();
      claimed.throttles = due->getColumn(10).getInt();
      claimed.event.hops = due->getColumn(11).getInt();
      claimed.error_type = text_at(due, 12);
      claimed.error_message = text_at(due, 13);
      claimed.event.trace.parent = text_at(due, 14);
      claimed.event.trace.state = text_at(due, 15);
      bytes.take(part.depth, claimed.event.payload.size());
      claims.events.push_back(std::move(claimed));
    }
    for (auto i = first; i < claims.events.size(); ++i) {
      auto claim = take(database, sql::kClaim);
      claim->bind(3, claims.events[i].row);
      claim->bind(4, claims.events[i].lease);
      claim->exec();
    }
    auto next = take(database, sql::kNextDue);
    bind_text(next, 3, part.lane.function);
    bind_text(next, 4, part.lane.url);
    claims.next_due[part.lane] = next->executeStep() ? time_in(next->getColumn(0)) : std::nullopt;
  }
  return claims;
}

// Where the lease is still the event's.
bool EventTable::finish(SQLite::Database& database, const ClaimedEvent& event, const Ending& ending,
                        WallTime now) {
  auto finish = take(database, sql::kFinish);
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
  auto result = take(database, sql::kResult);
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
  if (!success.problem.empty()) ending.error_type = kNotFound;
  ending.error_message = success.problem;
  return finish(database, event, ending, now);
}

bool EventTable::retry(SQLite::Database& database, const ClaimedEvent& event,
                       const Failure& failure, WallTime due) {
  auto retry = take(database, sql::kRetry);
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
  const auto message = with_problem(failure.error_message, failure.problem);
  Ending ending;
  ending.state = EventState::dead;
  ending.attempts = failure.attempts;
  ending.throttles = failure.throttles;
  ending.error_type = failure.error_type;
  ending.error_message = message;
  ending.executed_version = failure.executed_version;
  ending.payload = failure.payload;
  return finish(database, event, ending, now);
}

std::size_t EventTable::release_running(SQLite::Database& database, WallTime now) {
  auto release = take(database, sql::kRelease);
  release->bind(3, to_ms(now));
  return static_cast<std::size_t>(release->exec());
}

bool EventTable::release_ahead(SQLite::Database& database, WallTime now,
                               std::chrono::milliseconds longest, std::size_t rows) {
  auto release = take(database, sql::kReleaseAhead);
  release->bind(3, to_ms(now));
  release->bind(4, to_ms(now + longest));
  release->bind(5, to_ms(now + kLongestDelay));
  release->bind(6, static_cast<std::int64_t>(rows));
  return static_cast<std::size_t>(release->exec()) == rows;
}

bool EventTable::pull_back(SQLite::Database& database, EventState state, WallTime now,
                           std::size_t rows) {
  auto pull = take(database, sql::kPullBack);
  pull->bind(3, to_ms(now));
  pull->bind(4, static_cast<int>(state));
  pull->bind(5, static_cast<std::int64_t>(rows));
  return static_cast<std::size_t>(pull->exec()) == rows;
}

std::map<LaneKey, WallTime> EventTable::due_times(SQLite::Database& database) {
  std::map<LaneKey, WallTime> times;
  auto rows = take(database, sql::kDueTimes);
  while (rows->executeStep()) {
    const LaneKey lane{text_at(rows, 0), text_at(rows, 1)};
    times[lane] = from_ms(rows->getColumn(2).getInt64());
  }
  return times;
}

std::optional<EventInfo> EventTable::info_of(SQLite::Database& database, std::int64_t row) {
  auto rows = take(database, sql::kInfo);
  rows->bind(3, row);
  if (!rows->executeStep()) return std::nullopt;
  EventInfo info;
  info.id = text_at(rows, 0);
  info.function = text_at(rows, 1);
  info.qualifier = text_at(rows, 2);
  info.state = static_cast<EventState>(rows->getColumn(3).getInt());
  info.source = static_cast<EventSource>(rows->getColumn(4).getInt());
  info.accepted = from_ms(rows->getColumn(5).getInt64());
  if (info.state == EventState::waiting) info.due = time_in(rows->getColumn(6));
  info.finished = time_in(rows->getColumn(7));
  info.attempts = rows->getColumn(8).getInt();
  info.throttles = rows->getColumn(9).getInt();
  info.error_type = text_at(rows, 10);
  info.error_message = text_at(rows, 11);
  info.executed_version = text_at(rows, 12);
  info.payload_size = static_cast<std::uint64_t>(rows->getColumn(13).getInt64());
  info.url = text_at(rows, 14);
  return info;
}

std::optional<std::int64_t> EventTable::row_of(SQLite::Database& database, std::string_view id) {
  auto rows = take(database, sql::kRowById);
  bind_text(rows, 3, id);
  if (!rows->executeStep()) return std::nullopt;
  return rows->getColumn(0).getInt64();
}

std::optional<EventInfo> EventTable::find(SQLite::Database& database, std::string_view id) {
  const auto row = row_of(database, id);
  if (!row) return std::nullopt;
  return info_of(database, *row);
}

std::optional<std::string> EventTable::payload(SQLite::Database& database, std::string_view id) {
  auto rows = take(database, sql::kPayload);
  bind_text(rows, 3, id);
  if (!rows->executeStep()) return std::nullopt;
  return text_at(rows, 0);
}

std::optional<std::string> EventTable::result(SQLite::Database& database, std::string_view id) {
  auto rows = take(database, sql::kResultOf);
  bind_text(rows, 3, id);
  if (!rows->executeStep()) return std::nullopt;
  return text_at(rows, 0);
}

std::vector<QueueDepth> EventTable::depths(SQLite::Database& database, std::string_view function) {
  std::vector<QueueDepth> depths;
  auto rows = take(database, function.empty() ? sql::kDepths : sql::kDepthsOf);
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
    depth.oldest = time_in(rows->getColumn(5));
    depths.push_back(std::move(depth));
  }
  return depths;
}

std::optional<std::vector<EventInfo>> EventTable::list(SQLite::Database& database,
                                                       const Listing& listing) {
  auto end = std::numeric_limits<std::int64_t>::max();
  if (!listing.before.empty()) {
    const auto row = row_of(database, listing.before);
    if (!row) return std::nullopt;
    end = *row;
  }
  std::vector<EventInfo> infos;
  auto rows = take(database, newest_of(listing.state));
  bind_text(rows, 3, listing.function);
  rows->bind(4, end);
  rows->bind(5, static_cast<std::int64_t>(listing.limit));
  while (rows->executeStep()) {
    if (auto info = info_of(database, rows->getColumn(0).getInt64()))
      infos.push_back(std::move(*info));
  }
  return infos;
}

bool EventTable::has_pending(SQLite::Database& database, std::string_view function,
                             std::string_view qualifier) {
  auto rows = take(database, sql::kPendingOf);
  bind_text(rows, 3, function);
  bind_text(rows, 4, qualifier);
  return rows->executeStep();
}

bool EventTable::cancel(SQLite::Database& database, std::string_view id) {
  auto cancel = take(database, sql::kCancel);
  bind_text(cancel, 3, id);
  return cancel->exec() != 0;
}

EventTable::Changed EventTable::remove_some(SQLite::Database& database,
                                            store::Statements::Use& rows, const Step& step) {
  return change_some(rows, step, [&](std::int64_t row) {
    auto remove = take(database, sql::kRemove);
    remove->bind(3, row);
    remove->exec();
  });
}

EventTable::Changed EventTable::purge(SQLite::Database& database, std::string_view function,
                                      EventState state, WallTime before, const Step& step) {
  auto rows =
      take(database, state == EventState::waiting ? sql::kToPurgeWaiting : sql::kToPurgeDead);
  bind_text(rows, 3, function);
  rows->bind(4, to_ms(before));
  return remove_some(database, rows, step);
}

EventTable::Changed EventTable::clear(SQLite::Database& database, std::string_view function,
                                      const Step& step) {
  auto rows = take(database, sql::kOfFunction);
  bind_text(rows, 3, function);
  return remove_some(database, rows, step);
}

EventTable::Changed EventTable::expire(SQLite::Database& database, EventState state,
                                       WallTime before, const Step& step) {
  auto rows = take(database, sql::kExpired);
  rows->bind(3, static_cast<int>(state));
  rows->bind(4, to_ms(before));
  return remove_some(database, rows, step);
}

std::optional<LaneKey> EventTable::redrive(SQLite::Database& database, std::string_view id,
                                           const std::optional<std::string>& payload,
                                           WallTime now) {
  auto dead = take(database, sql::kFindDead);
  bind_text(dead, 3, id);
  if (!dead->executeStep()) return std::nullopt;
  const auto row = dead->getColumn(0).getInt64();
  if (payload) {
    auto replace = take(database, sql::kReplacePayload);
    replace->bind(3, row);
    bind_blob(replace, 4, *payload);
    replace->exec();
  }
  return LaneKey{text_at(dead, 1), revive(database, row, now)};
}

EventTable::Redriven EventTable::redrive_all(SQLite::Database& database, std::string_view function,
                                             WallTime now, const Step& step) {
  Redriven redriven;
  auto rows = take(database, sql::kToRevive);
  bind_text(rows, 3, function);
  rows->bind(4, to_ms(now));
  redriven.changed = change_some(rows, step, [&](std::int64_t row) {
    redriven.lanes.insert(LaneKey{std::string(function), revive(database, row, now)});
  });
  return redriven;
}

std::string EventTable::revive(SQLite::Database& database, std::int64_t row, WallTime now) {
  auto revive = take(database, sql::kRevive);
  revive->bind(3, row);
  revive->bind(4, to_ms(now));
  return revive->executeStep() ? text_at(revive, 0) : "";
}

}  // namespace lambda::events
