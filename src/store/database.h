// The server's database, <data>/lambda.db: SQLite in WAL mode with synchronous=FULL, so that what a
// finished change wrote survives kill -9 and power loss. Tables are made and altered by the
// numbered steps of store/migrations.cc.
//
// Threads: open it and load from it on the starting thread; afterwards only the one "store" thread
// writes (a mutex guards against a mistake, not for speed). Reading has connections of its own, and
// waits for no change, nor a change for it; on any thread that may block. Only a log of changes
// that has become large is emptied before a look, while all wait. One process owns a data
// directory: it holds a lock on <data>/lambda.lock as long as the Database lives.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::store {

class Database {
 public:
  // In a directory that is there. Makes the database where it is not there yet, takes the lock, and
  // brings an older database up to date. Errors: denied (not writable), conflict (another
  // server holds the directory: says which process), invalid (written by a newer program, or not a
  // database), internal (disk full, I/O). Each says what to do.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& data_directory);
  // For tests: nothing on disk, no lock.
  static Result<std::unique_ptr<Database>> open_in_memory();
  ~Database();

  // One transaction around `work`: committed and on disk when this returns Done, rolled back
  // entirely otherwise. `work` uses SQLiteCpp and lets its exceptions pass; other exceptions are
  // rethrown after the rollback. `what` begins the message ("save function greet").
  // With Sync::later it is on disk with the next change that is synced, or with none: kill -9 takes
  // nothing of it, power loss may.
  enum class Sync { now, later };
  Result<Done> change(std::string_view what, const std::function<void(SQLite::Database&)>& work,
                      Sync sync = Sync::now);
  // The same for reading: what was committed before it. Nothing may be changed. So many read at
  // once, others wait.
  static constexpr unsigned kReaders = 2;
  Result<Done> read(std::string_view what, const std::function<void(SQLite::Database&)>& work);

  // Leaves nothing of what was changed or deleted so far in the database's files: writes it anew,
  // and empties the log of changes. Takes as long as copying it, and as much room meanwhile.
  Result<Done> scrub();

  // A UUID made with the database: labels what this server makes outside of it (containers,
  // cgroups), so that two servers on one machine leave each other's alone.
  [[nodiscard]] const std::string& server_id() const;

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lambda::store
