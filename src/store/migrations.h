// The schema, as numbered steps from an empty database to today's. A step that has been released is
// never edited; a change is a new step. PRAGMA user_version holds the number of the last one done.
// Throws SQLite::Exception; store/database.cc turns that into words.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <string_view>

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::store {

[[nodiscard]] int newest_schema();

// Runs the steps that are missing, each in a transaction of its own. Error: invalid when the
// database is from a newer program or not one of ours; `name` is how the message calls it.
Result<Done> migrate(SQLite::Database& database, std::string_view name);

}  // namespace lambda::store
