#include "api/audit_trail.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace lambda::api {

store::AuditRow AuditTrail::row_of(const access::Caller& caller, const http::Peer& peer) const {
  store::AuditRow row;
  row.time = clock_.now();
  row.kind = caller.has_key ? "key" : "user";
  row.actor = caller.access_key;
  if (caller.has_key) row.name = caller.name;
  row.address = peer.unix_uid ? "socket" : peer.address;
  return row;
}

Task<Result<std::int64_t>> AuditTrail::begin(store::AuditRow row) {
  row.phase = store::AuditPhase::begun;
  auto write = [&table = table_, row = std::move(row)](SQLite::Database& connection) {
    return table.append(connection, row);
  };
  auto seq = co_await commits_.run("write the audit", std::move(write));
  if (!seq) {
    co_return fail(std::move(seq.error()).as(ErrorCode::unavailable),
                   "no change is made without its row in the audit");
  }
  co_return *seq;
}

Task<void> AuditTrail::end(std::int64_t begun, store::AuditRow row) {
  row.phase = store::AuditPhase::ended;
  row.begun = begun;
  row.time = clock_.now();
  auto write = [&table = table_, row = std::move(row)](SQLite::Database& connection) {
    return table.append(connection, row);
  };
  auto seq =
      co_await commits_.run("write the audit", std::move(write), store::Database::Sync::later);
  if (!seq) {
    spdlog::error("the audit does not say what came of its entry {}: {}", begun,
                  seq.error().message());
  }
}

bool AuditTrail::has_room(store::AuditRow& row) {
  const auto now = std::chrono::floor<std::chrono::minutes>(row.time).time_since_epoch().count();
  const std::lock_guard guard(mutex_);
  auto& minute = refused_[row.actor];
  if (minute.minute != now) {
    const int more = minute.count - kRefusedAMinute;
    if (more > 0) row.note += fmt::format(" (in an earlier minute {} more refused attempts)", more);
    minute = Minute{now, 0};
  }
  return ++minute.count <= kRefusedAMinute;
}

Task<void> AuditTrail::refused(store::AuditRow row) {
  if (!has_room(row)) co_return;
  row.phase = store::AuditPhase::whole;
  auto write = [&table = table_, row = std::move(row)](SQLite::Database& connection) {
    return table.append(connection, row);
  };
  auto seq =
      co_await commits_.run("write the audit", std::move(write), store::Database::Sync::later);
  if (!seq) spdlog::error("a refused attempt is not in the audit: {}", seq.error().message());
}

}  // namespace lambda::api
