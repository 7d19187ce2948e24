// The connections that only read: as many can look at once, each at what was committed before.
//
// Threads: any that may block. The database file outlives this.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::store {

class Readers {
 public:
  // Of a database that is there. Throws SQLite::Exception.
  Readers(const std::filesystem::path& database, std::size_t count, int busy_timeout_ms);
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // A connection as long as this lives; waits where all are in use.
  class Inside {
   public:
    explicit Inside(Readers& readers) : readers_(readers), connection_(readers.enter()) {}
    ~Inside() { readers_.leave(connection_); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    [[nodiscard]] SQLite::Database& connection() const { return connection_; }

   private:
    Readers& readers_;
    SQLite::Database& connection_;
  };
  // Calls `work` while nobody is inside: waits for those who are, and lets no others in.
  void alone(const std::function<void(SQLite::Database&)>& work);

 private:
  SQLite::Database& enter();
  void leave(SQLite::Database& connection);

  std::vector<std::unique_ptr<SQLite::Database>> connections_;
  std::mutex door_;  // one after the other, so that nobody overtakes who waits for all to leave
  std::mutex mutex_;
  std::condition_variable left_;  // only who is in the door waits
  std::vector<SQLite::Database*> free_;
};

}  // namespace lambda::store
