// The statements of EventTable, each with the indexes that answer it. A queue may keep millions of
// events that are over, and no step of what goes on beside them may walk through those: a test asks
// SQLite about every statement (event_statements_test.cc).
//
// Every statement begins with (account, region): parameters 1 and 2. SQLite takes the index of one
// state's rows only where the state stands in the text. Where it would still take another one (it
// has no statistics here), INDEXED BY names the right one; a unary plus makes a column no reason
// for an index.
#pragma once

#include <string_view>

namespace lambda::events {

struct EventStatement {
  const char* text;
  // Of the table `events`: by name, and the columns that are looked up, of which the last may be a
  // bound ("due<"). "seq" is its primary key.
  std::string_view indexes;
};

namespace sql {

// ---- coming in
inline constexpr EventStatement kVersion{
    "SELECT 1 FROM versions WHERE account = ?1 AND region = ?2 AND function = ?3 AND number = ?4",
    ""};
inline constexpr EventStatement kFindToken{
    "SELECT id FROM events WHERE account = ?1 AND region = ?2 AND function = ?3 AND token = ?4",
    "events_by_token(account,region,function,token)"};
inline constexpr EventStatement kInsert{
    "INSERT INTO events (account, region, id, function, qualifier, state, source, token, trace_id, "
    "client_context, accepted, due, url, hops, attempts, throttles, lease, error_type, "
    "error_message, executed_version, traceparent, tracestate) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, "
    "?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 0, 0, '', '', '', ?14, ?15)",
    ""};
inline constexpr EventStatement kInsertPayload{
    "INSERT INTO event_payloads (seq, account, region, payload) VALUES (?3, ?1, ?2, ?4)", ""};

// ---- being carried out
inline constexpr EventStatement kDue{
    "SELECT e.seq, e.lease, e.id, e.qualifier, p.payload, e.trace_id, e.client_context, e.source, "
    "e.accepted, e.attempts, e.throttles, e.hops, e.error_type, e.error_message, e.traceparent, "
    "e.tracestate FROM events e JOIN "
    "event_payloads p ON p.seq = "
    "e.seq WHERE e.account = ?1 AND e.region = ?2 AND e.function = ?3 AND e.url = ?6 AND e.state = "
    "0 AND e.due <= ?4 ORDER BY e.due, e.seq LIMIT ?5",
    "events_waiting(account,region,function,url,due<)"};
inline constexpr EventStatement kClaim{
    "UPDATE events SET state = 1, lease = ?4 WHERE +account = ?1 AND +region = ?2 AND seq = ?3",
    "seq"};
inline constexpr EventStatement kNextDue{
    "SELECT min(due) FROM events WHERE account = ?1 AND region = ?2 AND function = ?3 AND url = ?4 "
    "AND state = 0",
    "events_waiting(account,region,function,url)"};
inline constexpr EventStatement kFinish{
    "UPDATE events SET state = ?5, finished = ?6, attempts = ?7, throttles = ?8, error_type = ?9, "
    "error_message = ?10, executed_version = ?11 WHERE +account = ?1 AND +region = ?2 AND seq = ?3 "
    "AND lease = ?4 AND state = 1",
    "seq"};
inline constexpr EventStatement kResult{
    "INSERT OR REPLACE INTO event_results (seq, account, region, payload) VALUES (?3, ?1, ?2, ?4)",
    ""};
inline constexpr EventStatement kRetry{
    "UPDATE events SET state = 0, due = ?5, attempts = ?6, throttles = ?7, error_type = ?8, "
    "error_message = ?9, executed_version = ?10 WHERE +account = ?1 AND +region = ?2 AND seq = ?3 "
    "AND lease = ?4 AND state = 1",
    "seq"};

// ---- starting, and a clock that was set
inline constexpr EventStatement kRelease{
    "UPDATE events INDEXED BY events_running SET state = 0, due = ?3 WHERE account = ?1 AND region "
    "= ?2 AND state = 1",
    "events_running(account,region)"};
// What waits longer than any retry, and what was not tried yet: but a firing (source 2) waits for
// its jitter, up to ?5. By the clock that was ahead none of these would ever be too old.
inline constexpr EventStatement kReleaseAhead{
    "UPDATE events SET due = ?3, accepted = min(accepted, ?3) WHERE +account = ?1 AND +region = ?2 "
    "AND seq IN (SELECT seq FROM events INDEXED BY events_waiting WHERE account = ?1 AND region = "
    "?2 AND state = 0 AND due > ?3 AND CASE WHEN attempts + throttles > 0 THEN due > ?4 OR "
    "accepted > ?5 WHEN source = 2 THEN due > ?5 ELSE 1 END LIMIT ?6)",
    "seq events_waiting(account,region)"};
// What ended in a time that has not come yet.
inline constexpr EventStatement kPullBack{
    "UPDATE events SET finished = ?3, accepted = min(accepted, ?3) WHERE +account = ?1 AND +region "
    "= ?2 AND seq IN (SELECT seq FROM events INDEXED BY events_ended WHERE account = ?1 AND region "
    "= ?2 AND state = ?4 AND state > 1 AND finished > ?3 LIMIT ?5)",
    "seq events_ended(account,region,state,finished>)"};
inline constexpr EventStatement kDueTimes{
    "SELECT function, url, min(due) FROM events INDEXED BY events_waiting WHERE account = ?1 AND "
    "region = ?2 AND state = 0 GROUP BY function, url",
    "events_waiting(account,region)"};

// ---- seeing
inline constexpr EventStatement kRowById{
    "SELECT seq FROM events WHERE account = ?1 AND region = ?2 AND id = ?3",
    "events_by_id(account,region,id)"};
inline constexpr EventStatement kInfo{
    "SELECT e.id, e.function, e.qualifier, e.state, e.source, e.accepted, e.due, e.finished, "
    "e.attempts, e.throttles, e.error_type, e.error_message, e.executed_version, "
    "length(p.payload), e.url FROM events e JOIN event_payloads p ON p.seq = e.seq "
    "WHERE +e.account = ?1 AND +e.region = ?2 AND e.seq = ?3",
    "seq"};
inline constexpr EventStatement kNewestWaiting{
    "SELECT seq FROM events INDEXED BY events_waiting WHERE account = ?1 AND region = ?2 AND "
    "function = ?3 AND state = 0 AND seq < ?4 ORDER BY seq DESC LIMIT ?5",
    "events_waiting(account,region,function)"};
inline constexpr EventStatement kNewestRunning{
    "SELECT seq FROM events INDEXED BY events_running WHERE account = ?1 AND region = ?2 AND "
    "function = ?3 AND state = 1 AND seq < ?4 ORDER BY seq DESC LIMIT ?5",
    "events_running(account,region,rowid<)"};
inline constexpr EventStatement kNewestSucceeded{
    "SELECT seq FROM events INDEXED BY events_of_function WHERE account = ?1 AND region = ?2 AND "
    "function = ?3 AND state = 2 AND seq < ?4 ORDER BY seq DESC LIMIT ?5",
    "events_of_function(account,region,function,rowid<)"};
inline constexpr EventStatement kNewestDead{
    "SELECT seq FROM events INDEXED BY events_dead WHERE account = ?1 AND region = ?2 AND function "
    "= ?3 AND state = 3 AND seq < ?4 ORDER BY seq DESC LIMIT ?5",
    "events_dead(account,region,function,state,rowid<)"};
inline constexpr EventStatement kPayload{
    "SELECT p.payload FROM events e JOIN event_payloads p ON p.seq = e.seq "
    "WHERE e.account = ?1 AND e.region = ?2 AND e.id = ?3",
    "events_by_id(account,region,id)"};
inline constexpr EventStatement kResultOf{
    "SELECT r.payload FROM events e JOIN event_results r ON r.seq = e.seq "
    "WHERE e.account = ?1 AND e.region = ?2 AND e.id = ?3 AND e.state > 1",
    "events_by_id(account,region,id)"};
// Counted within each index, in its order: sorting a million takes longer than counting them.
inline constexpr EventStatement kDepths{
    "SELECT function, sum(waiting), sum(running), sum(retrying), sum(dead), min(oldest) FROM ("
    "SELECT function, count(*) AS waiting, 0 AS running, sum(attempts + throttles > 0) AS "
    "retrying, 0 AS dead, min(accepted) AS oldest FROM events INDEXED BY events_waiting WHERE "
    "account = ?1 AND region = ?2 AND state = 0 GROUP BY function UNION ALL "
    "SELECT function, 0, count(*), 0, 0, min(accepted) FROM events INDEXED BY events_running WHERE "
    "account = ?1 AND region = ?2 AND state = 1 GROUP BY function UNION ALL "
    "SELECT function, 0, 0, 0, count(*), NULL FROM events INDEXED BY events_dead WHERE account = "
    "?1 AND region = ?2 AND state = 3 GROUP BY function) GROUP BY function",
    "events_waiting(account,region) events_running(account,region) events_dead(account,region)"};
inline constexpr EventStatement kDepthsOf{
    "SELECT function, sum(waiting), sum(running), sum(retrying), sum(dead), min(oldest) FROM ("
    "SELECT function, count(*) AS waiting, 0 AS running, sum(attempts + throttles > 0) AS "
    "retrying, 0 AS dead, min(accepted) AS oldest FROM events INDEXED BY events_waiting WHERE "
    "account = ?1 AND region = ?2 AND function = ?3 AND state = 0 GROUP BY function UNION ALL "
    "SELECT function, 0, count(*), 0, 0, min(accepted) FROM events INDEXED BY events_running WHERE "
    "account = ?1 AND region = ?2 AND function = ?3 AND state = 1 GROUP BY function UNION ALL "
    "SELECT function, 0, 0, 0, count(*), NULL FROM events INDEXED BY events_dead WHERE account = "
    "?1 AND region = ?2 AND function = ?3 AND state = 3 GROUP BY function) GROUP BY function",
    "events_waiting(account,region,function) events_running(account,region) "
    "events_dead(account,region,function,state)"};
inline constexpr EventStatement kPendingOf{
    "SELECT 1 FROM events WHERE account = ?1 AND region = ?2 AND function = ?3 AND qualifier = ?4 "
    "AND qualifier <> '' AND state < 2 LIMIT 1",
    "events_of_qualifier(account,region,function,qualifier)"};

// ---- steering
inline constexpr EventStatement kCancel{
    "DELETE FROM events WHERE account = ?1 AND region = ?2 AND id = ?3 AND state IN (0, 3)",
    "events_by_id(account,region,id)"};
inline constexpr EventStatement kRemove{
    "DELETE FROM events WHERE +account = ?1 AND +region = ?2 AND seq = ?3", "seq"};
// One of a schedule (source 2) that waits for its jitter is accepted when it is due.
inline constexpr EventStatement kToPurgeWaiting{
    "SELECT e.seq, length(p.payload) FROM events e INDEXED BY events_waiting JOIN event_payloads p "
    "ON p.seq = e.seq WHERE e.account = ?1 AND e.region = ?2 AND e.function = ?3 AND e.state = 0 "
    "AND (e.accepted <= ?4 OR (e.source = 2 AND e.due = e.accepted))",
    "events_waiting(account,region,function)"};
inline constexpr EventStatement kToPurgeDead{
    "SELECT e.seq, length(p.payload) FROM events e INDEXED BY events_dead JOIN event_payloads p ON "
    "p.seq = e.seq WHERE e.account = ?1 AND e.region = ?2 AND e.function = ?3 AND e.state = 3 AND "
    "e.finished <= ?4",
    "events_dead(account,region,function,state)"};
inline constexpr EventStatement kOfFunction{
    "SELECT e.seq, length(p.payload) + coalesce(length(r.payload), 0) FROM events e JOIN "
    "event_payloads p ON p.seq = e.seq LEFT JOIN event_results r ON r.seq = e.seq WHERE "
    "e.account = ?1 AND e.region = ?2 AND e.function = ?3",
    "events_of_function(account,region,function)"};
inline constexpr EventStatement kFindDead{
    "SELECT seq, function FROM events WHERE account = ?1 AND region = ?2 AND id = ?3 AND state = 3",
    "events_by_id(account,region,id)"};
inline constexpr EventStatement kReplacePayload{
    "UPDATE event_payloads SET payload = ?4 WHERE account = ?1 AND region = ?2 AND seq = ?3", ""};
inline constexpr EventStatement kRevive{
    "UPDATE events SET state = 0, due = ?4, accepted = ?4, finished = NULL, attempts = 0, "
    "throttles = 0, hops = 0 WHERE +account = ?1 AND +region = ?2 AND seq = ?3 RETURNING url",
    "seq"};
inline constexpr EventStatement kToRevive{
    "SELECT seq, 0 FROM events INDEXED BY events_dead WHERE account = ?1 AND region = ?2 AND "
    "function = ?3 AND state = 3 AND finished <= ?4",
    "events_dead(account,region,function,state)"};
inline constexpr EventStatement kExpired{
    "SELECT e.seq, length(p.payload) + coalesce(length(r.payload), 0) FROM events e JOIN "
    "event_payloads p ON p.seq = e.seq LEFT JOIN event_results r ON r.seq = e.seq WHERE "
    "e.account = ?1 AND e.region = ?2 AND e.state = ?3 AND e.state > 1 AND e.finished < ?4",
    "events_ended(account,region,state,finished<)"};

inline constexpr const EventStatement* kAll[] = {
    &kVersion,  &kFindToken,      &kInsert,         &kInsertPayload,   &kDue,
    &kClaim,    &kNextDue,        &kFinish,         &kResult,          &kRetry,
    &kRelease,  &kReleaseAhead,   &kPullBack,       &kDueTimes,        &kRowById,
    &kInfo,     &kNewestWaiting,  &kNewestRunning,  &kNewestSucceeded, &kNewestDead,
    &kPayload,  &kResultOf,       &kDepths,         &kDepthsOf,        &kPendingOf,
    &kCancel,   &kRemove,         &kToPurgeWaiting, &kToPurgeDead,     &kOfFunction,
    &kFindDead, &kReplacePayload, &kRevive,         &kToRevive,        &kExpired,
};

}  // namespace sql
}  // namespace lambda::events
