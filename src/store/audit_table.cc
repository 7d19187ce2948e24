#include "store/audit_table.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "base/time_text.h"
#include "store/wall_time.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <spdlog/fmt/fmt.h>

#include <utility>

namespace lambda::store {
namespace {

// Each field with its length, so that nothing can move from one into the next.
void add_field(std::string& text, std::string_view field) {
  text += fmt::format("{}:", field.size());
  text += field;
}

constexpr const char* kColumns =
    "seq, time, phase, begun, kind, actor, name, address, operation, function, note, request, "
    "status, error";

AuditRow row_in(SQLite::Statement& select) {
  AuditRow row;
  row.seq = select.getColumn(0).getInt64();
  row.time = from_ms(select.getColumn(1).getInt64());
  row.phase = static_cast<AuditPhase>(select.getColumn(2).getInt());
  row.begun = select.getColumn(3).getInt64();
  row.kind = select.getColumn(4).getString();
  row.actor = select.getColumn(5).getString();
  row.name = select.getColumn(6).getString();
  row.address = select.getColumn(7).getString();
  row.operation = select.getColumn(8).getString();
  row.function = select.getColumn(9).getString();
  row.note = select.getColumn(10).getString();
  row.request_id = select.getColumn(11).getString();
  row.status = select.getColumn(12).getInt();
  row.error = select.getColumn(13).getString();
  return row;
}

struct Link {
  std::int64_t seq = 0;
  std::string hash;
};

// What the oldest row hangs on: the last one that expired, or nothing.
Link last_cut(SQLite::Database& connection) {
  SQLite::Statement select(connection,
                           "SELECT seq, hash FROM audit_cuts ORDER BY seq DESC LIMIT 1");
  Link link;
  if (select.executeStep()) {
    link.seq = select.getColumn(0).getInt64();
    link.hash = select.getColumn(1).getString();
  }
  return link;
}

std::int64_t last_given(SQLite::Database& connection) {
  SQLite::Statement select(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'audit'");
  return select.executeStep() ? select.getColumn(0).getInt64() : 0;
}

Link newest(SQLite::Database& connection) {
  SQLite::Statement select(connection, "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1");
  auto link = last_cut(connection);
  if (select.executeStep()) link.hash = select.getColumn(0).getString();
  link.seq = last_given(connection);
  return link;
}

}  // namespace

AuditTable::AuditTable(Database& database, const MasterKey& master, std::string account,
                       std::string region)
    : database_(database),
      secret_(master.derive("audit")),
      account_(std::move(account)),
      region_(std::move(region)) {}

std::string AuditTable::hash_of(const std::string& before, const AuditRow& row) const {
  std::string text = before;
  add_field(text, fmt::format("{} {} {} {} {}", row.seq, to_ms(row.time),
                              static_cast<int>(row.phase), row.begun, row.status));
  for (const auto* field : {&row.kind, &row.actor, &row.name, &row.address, &row.operation,
                            &row.function, &row.note, &row.request_id, &row.error})
    add_field(text, *field);
  return hmac_sha256(secret_, text);
}

std::int64_t AuditTable::append(SQLite::Database& connection, const AuditRow& given) const {
  const auto before = newest(connection);
  AuditRow row = given;
  row.seq = before.seq + 1;
  const auto hash = hash_of(before.hash, row);
  SQLite::Statement insert(
      connection,
      "INSERT INTO audit (seq, time, phase, begun, kind, actor, name, address, operation, "
      "function, note, request, status, error, hash, account, region) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, row.seq);
  insert.bind(2, to_ms(row.time));
  insert.bind(3, static_cast<int>(row.phase));
  if (row.begun != 0) insert.bind(4, row.begun);
  insert.bind(5, row.kind);
  insert.bind(6, row.actor);
  insert.bind(7, row.name);
  insert.bind(8, row.address);
  insert.bind(9, row.operation);
  insert.bind(10, row.function);
  insert.bind(11, row.note);
  insert.bind(12, row.request_id);
  insert.bind(13, row.status);
  insert.bind(14, row.error);
  insert.bind(15, hash.data(), static_cast<int>(hash.size()));
  insert.bind(16, account_);
  insert.bind(17, region_);
  insert.exec();
  return row.seq;
}

Result<Done> AuditTable::append(const AuditRow& row) {
  return database_.change("write the audit",
                          [&](SQLite::Database& connection) { append(connection, row); });
}

Result<std::vector<AuditEntry>> AuditTable::list(const Query& query) {
  std::vector<AuditEntry> entries;
  auto work = [&](SQLite::Database& connection) {
    entries.clear();
    SQLite::Statement select(
        connection,
        "SELECT b.seq, b.time, b.phase, b.begun, b.kind, b.actor, b.name, b.address, b.operation, "
        "coalesce(nullif(e.function, ''), b.function), coalesce(nullif(e.note, ''), b.note), "
        "b.request, coalesce(e.status, b.status), coalesce(e.error, b.error), e.seq IS NOT NULL "
        "FROM audit b LEFT JOIN audit e ON e.begun = b.seq "
        "WHERE b.begun IS NULL AND b.account = ?1 AND b.region = ?2 "
        "AND (?3 = '' OR coalesce(nullif(e.function, ''), b.function) = ?3) "
        "AND (?4 = '' OR b.actor = ?4 OR b.name = ?4) AND b.time >= ?5 "
        "AND (?6 = 0 OR b.seq < ?6) ORDER BY b.seq DESC LIMIT ?7");
    select.bind(1, account_);
    select.bind(2, region_);
    select.bind(3, query.function);
    select.bind(4, query.who);
    select.bind(5, query.since ? to_ms(*query.since) : std::int64_t{0});
    select.bind(6, query.before);
    select.bind(7, static_cast<std::int64_t>(query.limit));
    while (select.executeStep()) {
      AuditEntry entry;
      entry.row = row_in(select);
      entry.finished = entry.row.phase == AuditPhase::whole || select.getColumn(14).getInt() != 0;
      entries.push_back(std::move(entry));
    }
  };
  if (auto read = database_.read("read the audit", work); !read)
    return fail(std::move(read.error()));
  return entries;
}

Result<AuditTable::Verdict> AuditTable::verify() {
  Verdict verdict;
  auto work = [&](SQLite::Database& connection) {
    verdict = Verdict();
    auto before = last_cut(connection);
    SQLite::Statement select(connection,
                             fmt::format("SELECT {}, hash FROM audit ORDER BY seq", kColumns));
    while (select.executeStep()) {
      const auto row = row_in(select);
      const auto hash = select.getColumn(14).getString();
      if (row.seq != before.seq + 1) {
        verdict.problem = fmt::format("entries {} to {} are missing", before.seq + 1, row.seq - 1);
        return;
      }
      if (!equals_in_constant_time(hash, hash_of(before.hash, row))) {
        verdict.problem = fmt::format(
            "entry {} ({} {}Z) is not what was written, or what stands before it is not", row.seq,
            row.operation, format_iso(row.time));
        return;
      }
      if (verdict.rows++ == 0) verdict.first = row.seq;
      before = Link{row.seq, hash};
      verdict.last = row.seq;
      verdict.last_hash = hex_encode(hash);
    }
    const auto last = last_given(connection);
    if (before.seq < last)
      verdict.problem = fmt::format("entries {} to {} are missing", before.seq + 1, last);
  };
  if (auto read = database_.read("verify the audit", work); !read)
    return fail(std::move(read.error()));
  return verdict;
}

Result<std::size_t> AuditTable::expire(WallTime before, WallTime now) {
  std::size_t removed = 0;
  auto work = [&](SQLite::Database& connection) {
    removed = 0;
    // Up to the first that is young enough: a clock that was set leaves no hole.
    SQLite::Statement find(connection,
                           "SELECT seq, hash FROM audit WHERE seq < coalesce((SELECT min(seq) "
                           "FROM audit WHERE time >= ?), 9223372036854775807) "
                           "ORDER BY seq DESC LIMIT 1");
    find.bind(1, to_ms(before));
    if (!find.executeStep()) return;
    const auto last = find.getColumn(0).getInt64();
    const auto hash = find.getColumn(1).getString();
    SQLite::Statement cut(connection, "INSERT INTO audit_cuts (seq, hash, time) VALUES (?, ?, ?)");
    cut.bind(1, last);
    cut.bind(2, hash.data(), static_cast<int>(hash.size()));
    cut.bind(3, to_ms(now));
    cut.exec();
    SQLite::Statement remove(connection, "DELETE FROM audit WHERE seq <= ?");
    remove.bind(1, last);
    removed = static_cast<std::size_t>(remove.exec());
    AuditRow said;
    said.time = now;
    said.kind = "lambdad";
    said.actor = "lambdad";
    said.operation = "ExpireAudit";
    said.note = fmt::format("{} rows, up to {}; {}", removed, last, hex_encode(hash));
    said.status = 200;
    append(connection, said);
  };
  if (auto done = database_.change("expire the audit", work); !done)
    return fail(std::move(done.error()));
  return removed;
}

}  // namespace lambda::store
