// The audit: who changed what, when, from where, and what came of it. Rows are appended and never
// altered: triggers refuse it, and each row carries an HMAC over itself and the row before, under a
// secret made of the master key, so that who has the database alone can neither change a row nor
// leave one out unseen. A change is two rows: `begun` is on disk before the change begins, `ended`
// says what came of it.
//
// Threads: append() in a change of the database (GroupCommit, or the starting thread); list() and
// verify() on any thread that may block; expire() on the store thread.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"
#include "store/master_key.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::store {

enum class AuditPhase { begun = 0, ended = 1, whole = 2 };  // whole: begun and ended in one row

struct AuditRow {
  std::int64_t seq = 0;  // from 1, without gaps
  WallTime time{};
  AuditPhase phase = AuditPhase::whole;
  std::int64_t begun = 0;  // of an ended one: the row that it ends
  std::string kind;        // "key", "user" (on the unix socket), "lambdad"
  std::string actor;       // the key's id, the user's name
  std::string name;        // the key's
  std::string address;     // "192.0.2.1", "socket", ""
  std::string operation;
  std::string function;  // "" where it is none, or was not known yet
  std::string note;      // in some words, without secrets
  std::string request_id;
  int status = 0;     // HTTP's, of an ended one
  std::string error;  // AWS's code; "" for none
};

// A change with what came of it.
struct AuditEntry {
  AuditRow row;           // as it began; with the function and the note that its end knew
  bool finished = false;  // else it runs yet, or the server ended in its midst
};

class AuditTable {
 public:
  struct Query {
    std::string function;           // "" for any
    std::string who;                // a key's id or name, or a user; "" for any
    std::optional<WallTime> since;  // not before
    std::int64_t before = 0;        // only entries of a lower number; 0: from the newest
    std::size_t limit = 50;
  };
  struct Verdict {
    std::int64_t rows = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::string last_hash;  // hex: written down elsewhere, it shows later that nothing was cut off
    std::string problem;    // "" where every row is what was written
  };

  // `database` outlives it.
  AuditTable(Database& database, const MasterKey& master, std::string account, std::string region);

  // Its number. Lets SQLiteCpp's exceptions pass.
  std::int64_t append(SQLite::Database& connection, const AuditRow& row) const;
  // In a change of its own.
  Result<Done> append(const AuditRow& row);
  // The newest first.
  Result<std::vector<AuditEntry>> list(const Query& query);
  Result<Verdict> verify();
  // Removes what is older, keeps what the rest hangs on, and says so in a row. Returns how many.
  Result<std::size_t> expire(WallTime before, WallTime now);

 private:
  [[nodiscard]] std::string hash_of(const std::string& before, const AuditRow& row) const;

  Database& database_;
  std::string secret_;
  std::string account_;
  std::string region_;
};

}  // namespace lambda::store
