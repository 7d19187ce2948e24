// Opening: directory -> lock -> settings of the connection -> migrations -> server id.
#include "store/database.h"

#include "base/closed_directory.h"
#include "base/unique_fd.h"
#include "store/migrations.h"
#include "store/readers.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace lambda::store {
namespace {

namespace fs = std::filesystem;

constexpr int kBusyTimeoutMs = 5000;
constexpr std::uintmax_t kLargestLog = 64u << 20;

// What SQLite says, in words that name the cause and the remedy.
Error describe(const SQLite::Exception& error, std::string_view name) {
  const std::string said = error.what();
  switch (error.getErrorCode()) {
    case SQLITE_FULL:
      return Error(ErrorCode::internal,
                   fmt::format("the disk that holds {} is full: nothing was changed; free some "
                               "space and try again",
                               name));
    case SQLITE_IOERR:
      return Error(ErrorCode::internal,
                   fmt::format("reading or writing {} failed (SQLite: {}, code {}): nothing was "
                               "changed; look for a full or failing disk",
                               name, said, error.getExtendedErrorCode()));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(ErrorCode::invalid,
                   fmt::format("{} is damaged or not a database (SQLite: {}): restore it from a "
                               "backup, or move it away to start empty",
                               name, said));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return Error(ErrorCode::denied,
                   fmt::format("{} cannot be opened for writing (SQLite: {}): the user that runs "
                               "this server (uid {}) must own it and its directory",
                               name, said, ::geteuid()));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(
          ErrorCode::unavailable,
          fmt::format("{} is locked by another program: end that one and try again", name));
    default:
      return Error(ErrorCode::internal, fmt::format("{}: SQLite: {}", name, said));
  }
}

// It was made, with its mode, before the server became who it is.
Result<Done> check_directory(const fs::path& directory) {
  if (::access(directory.c_str(), R_OK | W_OK | X_OK) == 0) return Done{};
  const auto failure = Error::from_errno("access");
  const auto why = what_is_in_the_way(directory);
  return fail(failure.code(),
              "the data directory {} is not writable for the user that runs this server, {}: {}",
              directory.string(), own_user(),
              why.empty() ? fmt::format("give it to that user, or choose another with --data-dir "
                                        "(LAMBDA_DATA_DIR) ({})",
                                        failure.message())
                          : why + ", or choose another with --data-dir (LAMBDA_DATA_DIR)");
}

// The database and what SQLite puts beside it hold secrets and environments (sealed), and events
// (not). Before SQLite opens it, and never while it is open: closing any descriptor of a file gives
// up all of the process's locks on it, and then another program that looks into the database
// believes that it is alone, and takes the log of the newest changes away.
Result<Done> make_file(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail(Error::from_errno(fmt::format("open {}", path.string())));
  return Done{};
}

// A program that only looks whether a server holds it has it for a moment.
bool lock_now(const UniqueFd& file) {
  constexpr int kTries = 10;
  for (int turn = 1; ::flock(file.get(), LOCK_EX | LOCK_NB) != 0; ++turn) {
    if (turn == kTries) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return true;
}

// Held as long as the descriptor is open; the kernel lets go of it however the process ends.
Result<UniqueFd> take_lock(const fs::path& directory) {
  const fs::path path = directory / "lambda.lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail(Error::from_errno(fmt::format("open {}", path.string())));
  if (!lock_now(file)) {
    std::array<char, 64> holder{};
    const auto length = ::pread(file.get(), holder.data(), holder.size() - 1, 0);
    std::string_view pid(holder.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    while (pid.ends_with('\n')) pid.remove_suffix(1);
    return fail(
        ErrorCode::conflict,
        "the data directory {} is in use by another lambdad (process {}): stop that one, or "
        "choose another directory with --data-dir",
        directory.string(), pid.empty() ? "unknown" : pid);
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // For people, and for whoever looks whether server.json is this server's. A failure to write it
  // changes nothing.
  if (::ftruncate(file.get(), 0) == 0) (void)!::pwrite(file.get(), pid.data(), pid.size(), 0);
  return file;
}

}  // namespace

struct Database::Impl {
  std::string name;  // for messages
  UniqueFd lock;
  std::unique_ptr<SQLite::Database> connection;
  std::unique_ptr<Readers> readers;  // none in memory
  fs::path log;
  std::string server_id;
  std::mutex turn;
  std::mutex mutex;
  Sync sync = Sync::now;  // of the connection, as it is set

  Result<Done> start();
  std::unique_lock<std::mutex> take_turn();
  [[nodiscard]] bool has_large_log() const;
  void empty_log(SQLite::Database& reader);
  void set_sync(Sync wanted);
  Result<Done> change(std::string_view what, const std::function<void(SQLite::Database&)>& work,
                      Sync wanted);
  Result<Done> read(std::string_view what, const std::function<void(SQLite::Database&)>& work);
  Result<Done> read_from(SQLite::Database& from, std::string_view what,
                         const std::function<void(SQLite::Database&)>& work) const;
  Result<Done> scrub();
};

Result<Done> Database::Impl::start() {
  try {
    connection->exec("PRAGMA journal_mode = WAL");
    connection->exec("PRAGMA synchronous = FULL");
    connection->exec("PRAGMA foreign_keys = ON");
    connection->exec(fmt::format("PRAGMA journal_size_limit = {}", kLargestLog));
    // The log grows to 32 MB before it is worked into the database: pages that are changed again
    // and again (the queue's) are written there once, and not many times.
    connection->exec("PRAGMA wal_autocheckpoint = 8192");
    connection->exec("PRAGMA cache_size = -16384");
    if (auto migrated = migrate(*connection, name); !migrated) return migrated;
    server_id =
        connection->execAndGet("SELECT value FROM meta WHERE name = 'server_id'").getString();
  } catch (const SQLite::Exception& error) {
    return fail(describe(error, name));
  }
  return Done{};
}

// Who changes again and again would take the mutex back before anybody who waits for it has it.
std::unique_lock<std::mutex> Database::Impl::take_turn() {
  const std::lock_guard next(turn);
  return std::unique_lock(mutex);
}

bool Database::Impl::has_large_log() const {
  std::error_code unknown;
  const auto size = fs::file_size(log, unknown);
  return !unknown && size > kLargestLog;
}

// SQLite begins the log anew only while nobody reads from it, which with one look after the other
// is never: it would grow as long as somebody looks. So whoever looks next waits for the others to
// leave, and empties it; most of it beside the changes, which wait for the rest. What fails (a full
// disk, another program that reads) is left as it is, to be tried again before the next look.
void Database::Impl::empty_log(SQLite::Database& reader) {
  (void)::sqlite3_wal_checkpoint_v2(reader.getHandle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                    nullptr);
  const auto guard = take_turn();
  connection->setBusyTimeout(0);
  (void)::sqlite3_wal_checkpoint_v2(connection->getHandle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                    nullptr, nullptr);
  connection->setBusyTimeout(kBusyTimeoutMs);
}

void Database::Impl::set_sync(Sync wanted) {
  if (std::exchange(sync, wanted) == wanted) return;
  connection->exec(wanted == Sync::now ? "PRAGMA synchronous = FULL"
                                       : "PRAGMA synchronous = NORMAL");
}

Result<Done> Database::Impl::change(std::string_view what,
                                    const std::function<void(SQLite::Database&)>& work,
                                    Sync wanted) {
  const auto guard = take_turn();
  try {
    set_sync(wanted);
    SQLite::Transaction transaction(*connection, SQLite::TransactionBehavior::IMMEDIATE);
    work(*connection);
    transaction.commit();
  } catch (const SQLite::Exception& error) {
    return fail(describe(error, name), "{}", what);
  }
  return Done{};
}

Result<Done> Database::Impl::read(std::string_view what,
                                  const std::function<void(SQLite::Database&)>& work) {
  if (!readers) {
    const auto guard = take_turn();
    return read_from(*connection, what, work);
  }
  if (has_large_log()) {
    readers->alone([this](SQLite::Database& reader) { empty_log(reader); });
  }
  const Readers::Inside inside(*readers);
  return read_from(inside.connection(), what, work);
}

Result<Done> Database::Impl::read_from(SQLite::Database& from, std::string_view what,
                                       const std::function<void(SQLite::Database&)>& work) const {
  try {
    SQLite::Transaction transaction(from, SQLite::TransactionBehavior::DEFERRED);
    work(from);
    transaction.commit();
  } catch (const SQLite::Exception& error) {
    return fail(describe(error, name), "{}", what);
  }
  return Done{};
}

Result<Done> Database::Impl::scrub() {
  const auto guard = take_turn();
  try {
    connection->exec("VACUUM");
  } catch (const SQLite::Exception& error) {
    return fail(describe(error, name), "write the database anew");
  }
  const int emptied = ::sqlite3_wal_checkpoint_v2(connection->getHandle(), nullptr,
                                                  SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (emptied != SQLITE_OK) {
    return fail(ErrorCode::unavailable, "the log of changes of {} cannot be emptied: {}", name,
                ::sqlite3_errstr(emptied));
  }
  return Done{};
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const fs::path& data_directory) {
  if (auto fits = check_directory(data_directory); !fits) return fail(std::move(fits.error()));
  auto lock = take_lock(data_directory);
  if (!lock) return fail(std::move(lock.error()));
  auto impl = std::make_unique<Impl>();
  const fs::path path = data_directory / "lambda.db";
  impl->name = path.string();
  impl->lock = std::move(*lock);
  if (auto made = make_file(path); !made) return fail(std::move(made.error()));
  try {
    impl->connection = std::make_unique<SQLite::Database>(
        path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyTimeoutMs);
  } catch (const SQLite::Exception& error) {
    return fail(describe(error, impl->name));
  }
  if (auto started = impl->start(); !started) return fail(std::move(started.error()));
  impl->log = path.string() + "-wal";
  try {
    impl->readers = std::make_unique<Readers>(path, kReaders, kBusyTimeoutMs);
  } catch (const SQLite::Exception& error) {
    return fail(describe(error, impl->name));
  }
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Result<std::unique_ptr<Database>> Database::open_in_memory() {
  auto impl = std::make_unique<Impl>();
  impl->name = "the database in memory";
  impl->connection = std::make_unique<SQLite::Database>(
      ":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyTimeoutMs);
  if (auto started = impl->start(); !started) return fail(std::move(started.error()));
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Result<Done> Database::change(std::string_view what,
                              const std::function<void(SQLite::Database&)>& work, Sync sync) {
  return impl_->change(what, work, sync);
}

Result<Done> Database::read(std::string_view what,
                            const std::function<void(SQLite::Database&)>& work) {
  return impl_->read(what, work);
}

Result<Done> Database::scrub() {
  return impl_->scrub();
}

const std::string& Database::server_id() const {
  return impl_->server_id;
}

}  // namespace lambda::store
