#include "store/readers.h"

#include <SQLiteCpp/SQLiteCpp.h>

namespace lambda::store {

Readers::Readers(const std::filesystem::path& database, std::size_t count, int busy_timeout_ms) {
  for (std::size_t i = 0; i < count; ++i) {
    // It writes nothing but what it takes from the log into the file.
    auto connection = std::make_unique<SQLite::Database>(database.string(), SQLite::OPEN_READWRITE,
                                                         busy_timeout_ms);
    connection->exec("PRAGMA query_only = ON");
    connection->exec("PRAGMA synchronous = FULL");
    free_.push_back(connection.get());
    connections_.push_back(std::move(connection));
  }
}

Readers::~Readers() = default;

SQLite::Database& Readers::enter() {
  const std::lock_guard door(door_);
  std::unique_lock lock(mutex_);
  left_.wait(lock, [this] { return !free_.empty(); });
  auto* connection = free_.back();
  free_.pop_back();
  return *connection;
}

void Readers::leave(SQLite::Database& connection) {
  const std::lock_guard lock(mutex_);
  free_.push_back(&connection);
  left_.notify_one();
}

void Readers::alone(const std::function<void(SQLite::Database&)>& work) {
  const std::lock_guard door(door_);
  std::unique_lock lock(mutex_);
  left_.wait(lock, [this] { return free_.size() == connections_.size(); });
  work(*free_.front());
}

}  // namespace lambda::store
