// Statements: the prepared statements of one table, made when they are first used.
//
//   Statements::Use insert(statements_.prepare(database, kInsert));   // a constant: its address is
//   the key insert->bind(1, name); insert->exec();
//
// Threads: any, each with a connection of its own, which has statements of its own. Must be
// destroyed before the database.
#pragma once

#include <SQLiteCpp/Statement.h>

#include <map>
#include <mutex>
#include <utility>

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::store {

class Statements {
 public:
  // A statement in use: clean when taken, and reset when it goes, so that none is left half-read
  // into the next transaction.
  class Use {
   public:
    explicit Use(SQLite::Statement& statement) : statement_(statement) {}
    ~Use() { statement_.tryReset(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    SQLite::Statement* operator->() { return &statement_; }

   private:
    SQLite::Statement& statement_;
  };

  // The statement, with no parameter bound; wrap it in a Use.
  [[nodiscard]] SQLite::Statement& prepare(SQLite::Database& database, const char* text) {
    const std::lock_guard guard(mutex_);
    const auto [at, made] = statements_.try_emplace(std::pair(&database, text), database, text);
    at->second.clearBindings();
    return at->second;
  }

 private:
  std::mutex mutex_;  // held to look one up
  std::map<std::pair<SQLite::Database*, const char*>, SQLite::Statement> statements_;
};

}  // namespace lambda::store
