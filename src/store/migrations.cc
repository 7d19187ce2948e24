#include "store/migrations.h"

#include "base/crypto.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>

namespace lambda::store {
namespace {

// "LMBD": tells our databases from other people's.
constexpr int kApplicationId = 0x4C4D4244;

// Times are milliseconds since 1970, UTC. Version 0 is the draft, $LATEST. Every row that belongs
// to somebody carries (account, region).
constexpr const char* kFunctionsAndKeys = R"sql(
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE functions (
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  name    TEXT NOT NULL,
  host_label           TEXT,
  url_auth             TEXT NOT NULL,
  url_cors             TEXT NOT NULL,
  url_invoke_mode      TEXT NOT NULL,
  url_created          INTEGER NOT NULL,
  url_modified         INTEGER NOT NULL,
  reserved_concurrency INTEGER,
  created              INTEGER NOT NULL,
  next_version         INTEGER NOT NULL,
  PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX functions_by_label ON functions (account, region, host_label)
  WHERE host_label IS NOT NULL;

CREATE TABLE versions (
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  function TEXT NOT NULL,
  number   INTEGER NOT NULL,
  configuration  TEXT NOT NULL,
  code_sha256    TEXT NOT NULL,
  code_size      INTEGER NOT NULL,
  package_digest TEXT NOT NULL,
  image_uri      TEXT NOT NULL,
  image_id       TEXT NOT NULL,
  image_info     TEXT NOT NULL,
  revision_id    TEXT NOT NULL,
  last_modified  INTEGER NOT NULL,
  state                   TEXT NOT NULL,
  state_reason            TEXT NOT NULL,
  state_reason_code       TEXT NOT NULL,
  last_update             TEXT NOT NULL,
  last_update_reason      TEXT NOT NULL,
  last_update_reason_code TEXT NOT NULL,
  message           TEXT NOT NULL,
  deployed          INTEGER NOT NULL,
  live_since        INTEGER,
  draft_description TEXT NOT NULL,
  PRIMARY KEY (account, region, function, number),
  FOREIGN KEY (account, region, function) REFERENCES functions (account, region, name)
    ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE aliases (
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  function TEXT NOT NULL,
  name     TEXT NOT NULL,
  version            INTEGER NOT NULL,
  description        TEXT NOT NULL,
  revision_id        TEXT NOT NULL,
  additional_version INTEGER,
  additional_weight  REAL,
  PRIMARY KEY (account, region, function, name),
  FOREIGN KEY (account, region, function, version)
    REFERENCES versions (account, region, function, number) DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (account, region, function) REFERENCES functions (account, region, name)
    ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE tags (
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  function TEXT NOT NULL,
  key      TEXT NOT NULL,
  value    TEXT NOT NULL,
  PRIMARY KEY (account, region, function, key),
  FOREIGN KEY (account, region, function) REFERENCES functions (account, region, name)
    ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE keys (
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  id      TEXT NOT NULL,
  name    TEXT NOT NULL,
  scopes  TEXT NOT NULL,
  sealed_secret BLOB NOT NULL,
  created INTEGER NOT NULL,
  revoked INTEGER,
  PRIMARY KEY (id)
) WITHOUT ROWID;
)sql";

// The queue. Payloads and results lie apart: an event changes its state several times, and SQLite
// writes a whole row anew. `due` and the indices are for finding the next event of a function
// without looking at the others; state 0 waits, 1 runs, 2 has succeeded, 3 is dead. `url` is ''
// where the function is called; else the event is a webhook with one of its results.
constexpr const char* kEvents = R"sql(
CREATE TABLE events (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  id      TEXT NOT NULL,
  function  TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  state     INTEGER NOT NULL,
  source    INTEGER NOT NULL,
  token     TEXT,
  trace_id       TEXT NOT NULL,
  client_context TEXT NOT NULL,
  accepted  INTEGER NOT NULL,
  due       INTEGER NOT NULL,
  url       TEXT NOT NULL,
  hops      INTEGER NOT NULL,
  finished  INTEGER,
  attempts  INTEGER NOT NULL,
  throttles INTEGER NOT NULL,
  lease     INTEGER NOT NULL,
  error_type       TEXT NOT NULL,
  error_message    TEXT NOT NULL,
  executed_version TEXT NOT NULL,
  FOREIGN KEY (account, region, function) REFERENCES functions (account, region, name)
    ON DELETE CASCADE
);
CREATE UNIQUE INDEX events_by_id ON events (account, region, id);
CREATE UNIQUE INDEX events_by_token ON events (account, region, function, token)
  WHERE token IS NOT NULL;
CREATE INDEX events_waiting ON events (account, region, function, url, due) WHERE state = 0;
CREATE INDEX events_running ON events (account, region) WHERE state = 1;
CREATE INDEX events_of_function ON events (account, region, function);
CREATE INDEX events_dead ON events (account, region, function) WHERE state = 3;
CREATE INDEX events_ended ON events (account, region, state, finished) WHERE state > 1;

CREATE TABLE event_payloads (
  seq     INTEGER PRIMARY KEY REFERENCES events (seq) ON DELETE CASCADE,
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  payload BLOB NOT NULL
);

CREATE TABLE event_results (
  seq     INTEGER PRIMARY KEY REFERENCES events (seq) ON DELETE CASCADE,
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  payload BLOB NOT NULL
);

CREATE TABLE event_invoke_configs (
  account   TEXT NOT NULL,
  region    TEXT NOT NULL,
  function  TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  max_retries INTEGER,
  max_age      INTEGER,
  on_success   TEXT NOT NULL,
  on_failure   TEXT NOT NULL,
  modified     INTEGER NOT NULL,
  PRIMARY KEY (account, region, function, qualifier),
  FOREIGN KEY (account, region, function) REFERENCES functions (account, region, name)
    ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TRIGGER event_invoke_configs_of_alias AFTER DELETE ON aliases BEGIN
  DELETE FROM event_invoke_configs WHERE account = OLD.account AND region = OLD.region
    AND function = OLD.function AND qualifier = OLD.name;
END;
CREATE TRIGGER event_invoke_configs_of_version AFTER DELETE ON versions BEGIN
  DELETE FROM event_invoke_configs WHERE account = OLD.account AND region = OLD.region
    AND function = OLD.function AND qualifier = CAST(OLD.number AS TEXT);
END;
)sql";

// Schedules. `decided`: every time up to it has its row in firings, or had it (the newest are
// kept). A firing that was queued has no event yet. outcome 0 is fired, 1 queued, 2 skipped, 3
// missed; firings.state is the state in which its event ended, which is kept longer than the event;
// 4 was taken away.
constexpr const char* kSchedules = R"sql(
CREATE TABLE schedules (
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  id       TEXT NOT NULL,
  function TEXT NOT NULL,
  name     TEXT NOT NULL,
  expression TEXT NOT NULL,
  zone       TEXT NOT NULL,
  overlap    INTEGER NOT NULL,
  misfire    INTEGER NOT NULL,
  jitter     INTEGER NOT NULL,
  data       TEXT,
  starts     INTEGER,
  ends       INTEGER,
  declared   INTEGER NOT NULL,
  paused     INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  decided    INTEGER NOT NULL,
  fenced     INTEGER NOT NULL,
  last_event TEXT NOT NULL,
  PRIMARY KEY (account, region, function, name),
  FOREIGN KEY (account, region, function) REFERENCES functions (account, region, name)
    ON DELETE CASCADE
) WITHOUT ROWID;
CREATE UNIQUE INDEX schedules_by_id ON schedules (account, region, id);

CREATE TABLE firings (
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  schedule TEXT NOT NULL,
  time     INTEGER NOT NULL,
  outcome  INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  decided  INTEGER NOT NULL,
  event    TEXT,
  state    INTEGER,
  finished INTEGER,
  error    TEXT NOT NULL,
  PRIMARY KEY (account, region, schedule, time),
  FOREIGN KEY (account, region, schedule) REFERENCES schedules (account, region, id)
    ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX firings_by_event ON firings (account, region, event) WHERE event IS NOT NULL;
CREATE INDEX firings_queued ON firings (account, region, schedule, time) WHERE outcome = 1;

CREATE TRIGGER event_of_firing_ended AFTER UPDATE OF state ON events
WHEN NEW.source = 2 AND NEW.state > 1
BEGIN
  UPDATE firings SET state = NEW.state, finished = NEW.finished,
    error = NEW.error_type || CASE WHEN NEW.error_type = '' OR NEW.error_message = '' THEN ''
      ELSE ': ' END || NEW.error_message
  WHERE account = NEW.account AND region = NEW.region AND event = NEW.id;
END;
CREATE TRIGGER event_of_firing_cancelled AFTER DELETE ON events
WHEN OLD.source = 2 AND OLD.state = 0
BEGIN
  UPDATE firings SET state = 4
  WHERE account = OLD.account AND region = OLD.region AND event = OLD.id;
END;
)sql";

// Which versions are named by events that are still to be carried out: few name one.
constexpr const char* kEventsOfQualifier = R"sql(
CREATE INDEX events_of_qualifier ON events (account, region, function, qualifier)
  WHERE qualifier <> '' AND state < 2;
)sql";

// A draft says when it was live as it is: when a version was that is the same.
constexpr const char* kDraftsThatWereLive = R"sql(
UPDATE versions SET live_since = (
  SELECT max(v.live_since) FROM versions v
  WHERE v.account = versions.account AND v.region = versions.region
    AND v.function = versions.function AND v.number > 0 AND v.code_sha256 = versions.code_sha256
    AND v.image_id = versions.image_id AND v.configuration = versions.configuration)
WHERE number = 0;
)sql";

// With all that is counted: a look at a queue of a million reads none of its rows. `seq` keeps the
// order of those that are due at once; SQLite wants to see `state` too.
constexpr const char* kCountedByIndex = R"sql(
DROP INDEX events_waiting;
CREATE INDEX events_waiting
  ON events (account, region, function, url, due, seq, accepted, attempts, throttles, state)
  WHERE state = 0;
DROP INDEX events_dead;
CREATE INDEX events_dead ON events (account, region, function, state) WHERE state = 3;
)sql";

// Keys that may less, end, and say when they were used; `functions` are patterns with spaces
// between them, '' for all. The audit is appended to. Only what a cut names may go: its rows are
// older than audit_age, and it keeps the hash that the next one hangs on. phase 0 begins a change,
// 1 ends the row `begun`, 2 does both.
constexpr const char* kKeysAndAudit = R"sql(
ALTER TABLE keys ADD COLUMN functions TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN expires INTEGER;
ALTER TABLE keys ADD COLUMN last_used INTEGER;
ALTER TABLE keys ADD COLUMN last_address TEXT NOT NULL DEFAULT '';

CREATE TABLE audit (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  time    INTEGER NOT NULL,
  phase   INTEGER NOT NULL,
  begun   INTEGER,
  kind    TEXT NOT NULL,
  actor   TEXT NOT NULL,
  name    TEXT NOT NULL,
  address TEXT NOT NULL,
  operation TEXT NOT NULL,
  function  TEXT NOT NULL,
  note      TEXT NOT NULL,
  request   TEXT NOT NULL,
  status    INTEGER NOT NULL,
  error     TEXT NOT NULL,
  hash      BLOB NOT NULL
);
CREATE UNIQUE INDEX audit_ends ON audit (begun) WHERE begun IS NOT NULL;
CREATE INDEX audit_by_time ON audit (time);
CREATE TABLE audit_cuts (
  seq  INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  time INTEGER NOT NULL
);
CREATE TRIGGER audit_is_not_altered BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
WHEN OLD.seq > coalesce((SELECT max(seq) FROM audit_cuts), 0) BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_cuts_are_not_altered BEFORE UPDATE ON audit_cuts BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_cuts_are_not_removed BEFORE DELETE ON audit_cuts BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
)sql";

// Values that functions get at their start. `function` is '' where it is shared by those that ask
// for it; those of a function go with it.
constexpr const char* kSecrets = R"sql(
CREATE TABLE secrets (
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  function TEXT NOT NULL,
  name     TEXT NOT NULL,
  form     TEXT NOT NULL,
  digest   TEXT NOT NULL,
  sealed   BLOB NOT NULL,
  changed  INTEGER NOT NULL,
  PRIMARY KEY (account, region, function, name)
) WITHOUT ROWID;
CREATE TRIGGER secrets_of_function AFTER DELETE ON functions BEGIN
  DELETE FROM secrets WHERE account = OLD.account AND region = OLD.region
    AND function = OLD.name;
END;
)sql";

// What calls came to: of a version, of a function ("" for its version), and of the server (both
// ""). `totals` is JSON, written anew every few seconds. No foreign key: the server's rows have no
// function.
constexpr const char* kCallTotals = R"sql(
CREATE TABLE call_totals (
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  function TEXT NOT NULL,
  version  TEXT NOT NULL,
  totals   TEXT NOT NULL,
  PRIMARY KEY (account, region, function, version)
) WITHOUT ROWID;
CREATE TRIGGER call_totals_of_function AFTER DELETE ON functions BEGIN
  DELETE FROM call_totals
    WHERE account = old.account AND region = old.region AND function = old.name;
END;
CREATE TRIGGER call_totals_of_version AFTER DELETE ON versions BEGIN
  DELETE FROM call_totals
    WHERE account = old.account AND region = old.region AND function = old.function
      AND version = CAST(old.number AS TEXT);
END;
)sql";

// An event keeps the trace of whoever submitted it (W3C Trace Context) over its attempts.
constexpr const char* kEventTraces = R"sql(
ALTER TABLE events ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN tracestate TEXT NOT NULL DEFAULT '';
)sql";

// What a function says of its own log; NULL where it is kept as the server's configuration says.
constexpr const char* kFunctionLogs = R"sql(
ALTER TABLE functions ADD COLUMN log_size_mb INTEGER;
ALTER TABLE functions ADD COLUMN log_age_seconds INTEGER;
)sql";

constexpr std::array kSteps = {
    kFunctionsAndKeys,   kEvents,         kSchedules,    kEventsOfQualifier,
    kDraftsThatWereLive, kCountedByIndex, kKeysAndAudit, kSecrets,
    kCallTotals,         kEventTraces,    kFunctionLogs};

int pragma(SQLite::Database& database, const char* text) {
  return database.execAndGet(text).getInt();
}

Result<Done> check_origin(SQLite::Database& database, int schema, std::string_view name) {
  const bool empty = pragma(database, "SELECT count(*) FROM sqlite_schema") == 0;
  if (!empty && pragma(database, "PRAGMA application_id") != kApplicationId) {
    return fail(ErrorCode::invalid,
                "{} is an SQLite database, but not one of this program: choose another data "
                "directory",
                name);
  }
  if (schema > newest_schema()) {
    return fail(ErrorCode::invalid,
                "{} was written by a newer version of this program (schema {}, and this one knows "
                "up to {}): start the newer program again, or restore a copy of the data directory "
                "made before the upgrade",
                name, schema, newest_schema());
  }
  return Done{};
}

}  // namespace

int newest_schema() {
  return static_cast<int>(kSteps.size());
}

Result<Done> migrate(SQLite::Database& database, std::string_view name) {
  const int schema = pragma(database, "PRAGMA user_version");
  if (auto good = check_origin(database, schema, name); !good) return good;
  for (int step = schema; step < newest_schema(); ++step) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    database.exec(kSteps[static_cast<std::size_t>(step)]);
    if (step == 0) {
      database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
      SQLite::Statement insert(database, "INSERT INTO meta VALUES ('server_id', ?)");
      insert.bind(1, random_uuid());
      insert.exec();
    }
    database.exec(fmt::format("PRAGMA user_version = {}", step + 1));
    transaction.commit();
  }
  return Done{};
}

}  // namespace lambda::store
