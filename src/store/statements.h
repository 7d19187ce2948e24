// Statements: the prepared statements of one table, made when they are first used.
//
//   Statements::Use insert(statements_.prepare(database, kInsert));   // a constant: its address is
//   the key insert->bind(1, name); insert->exec();
//
// Threads: the store thread. Must be destroyed before the database; it belongs to one connection.
#pragma once

#include <SQLiteCpp/Statement.h>

#include <map>

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
    const auto [at, made] = statements_.try_emplace(text, database, text);
    at->second.clearBindings();
    return at->second;
  }

 private:
  std::map<const char*, SQLite::Statement> statements_;
};

}  // namespace lambda::store
