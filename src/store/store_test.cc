#include "base/temporary_directory.h"
#include "base/unique_fd.h"
#include "store/database.h"
#include "store/master_key.h"
#include "store/migrations.h"
#include "store/statements.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <regex>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace lambda::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

int rows(Database& database, const std::string& table) {
  int count = -1;
  auto work = [&](SQLite::Database& connection) {
    count = connection.execAndGet("SELECT count(*) FROM " + table).getInt();
  };
  EXPECT_TRUE(database.read("count", work));
  return count;
}

TEST(Database, IsMadeInItsDirectoryAndKeepsItsServerId) {
  const TemporaryDirectory directory;
  const fs::path data = directory.path() / "data";
  EXPECT_FALSE(Database::open(data));
  fs::create_directory(data);
  std::string id;
  {
    auto database = Database::open(data);
    ASSERT_TRUE(database) << database.error().message();
    id = (*database)->server_id();
  }
  struct stat status {};
  ASSERT_EQ(::stat((data / "lambda.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ((*Database::open(data))->server_id(), id);
}

TEST(Database, WritesDurably) {
  auto database = Database::open_in_memory();
  ASSERT_TRUE(database);
  auto work = [](SQLite::Database& connection) {
    EXPECT_EQ(connection.execAndGet("PRAGMA synchronous").getInt(), 2);
    EXPECT_EQ(connection.execAndGet("PRAGMA foreign_keys").getInt(), 1);
  };
  EXPECT_TRUE((*database)->read("look", work));
  const TemporaryDirectory directory;
  auto on_disk = Database::open(directory.path());
  auto mode = [](SQLite::Database& connection) {
    EXPECT_EQ(connection.execAndGet("PRAGMA journal_mode").getString(), "wal");
  };
  EXPECT_TRUE((*on_disk)->read("look", mode));
}

TEST(Database, SomebodyWhoLooksIntoItTakesNothingAway) {
  const TemporaryDirectory directory;
  auto database = Database::open(directory.path());
  ASSERT_TRUE(database);
  const auto make = [](SQLite::Database& connection) {
    connection.exec("CREATE TABLE newest (n INTEGER)");
  };
  ASSERT_TRUE((*database)->change("make", make));
  const pid_t other = ::fork();
  if (other == 0) {
    // As `sqlite3 lambda.db` does it; the last one to close takes the log into the file.
    {
      SQLite::Database looked((directory.path() / "lambda.db").string(), SQLite::OPEN_READWRITE);
      looked.execAndGet("SELECT count(*) FROM newest");
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(fs::exists(directory.path() / "lambda.db-wal"));
  const auto insert = [](SQLite::Database& connection) {
    connection.exec("INSERT INTO newest VALUES (1)");
  };
  ASSERT_TRUE((*database)->change("insert", insert));
  // As a process that is killed would leave it, and the next one finds it.
  const auto copy = directory.path() / "copy";
  fs::create_directories(copy);
  for (const char* name : {"lambda.db", "lambda.db-wal"})
    fs::copy_file(directory.path() / name, copy / name);
  auto next = Database::open(copy);
  ASSERT_TRUE(next);
  EXPECT_EQ(rows(**next, "newest"), 1);
}

TEST(Database, TheLogStaysSmallWhileSomebodyAlwaysReads) {
  const TemporaryDirectory directory;
  auto database = Database::open(directory.path());
  ASSERT_TRUE(database);
  constexpr int kChanges = 300;  // of a megabyte each
  constexpr int kChangesInALook = 20;
  std::atomic<int> changes = 0;
  std::atomic<int> inside = 0;
  const auto look = [&](SQLite::Database& connection) {
    connection.execAndGet("SELECT count(*) FROM meta");
    const int until = std::min(changes + kChangesInALook, kChanges);
    ++inside;
    while (changes < until) std::this_thread::yield();
    --inside;
  };
  const auto look_on = [&] {
    while (changes < kChanges) EXPECT_TRUE((*database)->read("look", look));
  };
  std::thread one(look_on);
  std::thread other(look_on);
  const auto change = [](SQLite::Database& connection) {
    connection.exec("INSERT OR REPLACE INTO meta VALUES ('large', zeroblob(1000000))");
  };
  std::uintmax_t largest = 0;
  for (; changes < kChanges; ++changes) {
    while (inside == 0) std::this_thread::yield();
    EXPECT_TRUE((*database)->change("write", change, Database::Sync::later));
    largest = std::max(largest, fs::file_size(directory.path() / "lambda.db-wal"));
  }
  one.join();
  other.join();
  EXPECT_LT(largest, 100u << 20);
}

TEST(Database, ALongLookHoldsUpNoOther) {
  const TemporaryDirectory directory;
  auto database = Database::open(directory.path());
  ASSERT_TRUE(database);
  std::promise<void> begun;
  std::promise<void> others_have_looked;
  std::thread slow([&] {
    const auto look = [&](SQLite::Database&) {
      begun.set_value();
      EXPECT_EQ(others_have_looked.get_future().wait_for(std::chrono::seconds(20)),
                std::future_status::ready);
    };
    EXPECT_TRUE((*database)->read("look slowly", look));
  });
  begun.get_future().wait();
  EXPECT_EQ(rows(**database, "meta"), 1);
  EXPECT_EQ(rows(**database, "meta"), 1);
  others_have_looked.set_value();
  slow.join();
}

TEST(Statements, BelongToTheConnectionThatTheyWerePreparedFor) {
  const TemporaryDirectory directory;
  auto database = Database::open(directory.path());
  ASSERT_TRUE(database);
  Statements statements;
  static constexpr const char* kLook = "SELECT value FROM meta";
  const auto look_twice = [&](SQLite::Database& outer) {
    Statements::Use outside(statements.prepare(outer, kLook));
    EXPECT_TRUE(outside->executeStep());
    std::thread other([&] {
      const auto look = [&](SQLite::Database& inner) {
        Statements::Use inside(statements.prepare(inner, kLook));
        EXPECT_TRUE(inside->executeStep());
        EXPECT_EQ(inside->getColumn(0).getString(), (*database)->server_id());
      };
      EXPECT_TRUE((*database)->read("look", look));
    });
    other.join();
    EXPECT_FALSE(outside->executeStep());
  };
  EXPECT_TRUE((*database)->read("look twice", look_twice));
}

TEST(Database, ANewerDatabaseIsRefusedAndUntouched) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(Database::open(directory.path()));
  {
    SQLite::Database raw((directory.path() / "lambda.db").string(), SQLite::OPEN_READWRITE);
    raw.exec("PRAGMA user_version = 99");
  }
  auto again = Database::open(directory.path());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::invalid);
  EXPECT_THAT(again.error().message(), HasSubstr("newer version of this program (schema 99"));
  EXPECT_THAT(again.error().message(), HasSubstr("start the newer program again"));
}

TEST(Database, SomebodyElsesDatabaseIsRefused) {
  const TemporaryDirectory directory;
  {
    SQLite::Database raw((directory.path() / "lambda.db").string(),
                         SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    raw.exec("CREATE TABLE theirs (x)");
  }
  auto database = Database::open(directory.path());
  ASSERT_FALSE(database);
  EXPECT_THAT(database.error().message(), HasSubstr("not one of this program"));
}

TEST(Database, AFileThatIsNoDatabaseIsRefused) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "lambda.db") << std::string(5000, 'x');
  auto database = Database::open(directory.path());
  ASSERT_FALSE(database);
  EXPECT_THAT(database.error().message(), HasSubstr("damaged or not a database"));
}

TEST(Database, ASecondServerIsToldWhoHoldsTheDirectory) {
  const TemporaryDirectory directory;
  auto first = Database::open(directory.path());
  ASSERT_TRUE(first);
  auto second = Database::open(directory.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::conflict);
  EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(::getpid())));
  first->reset();
  EXPECT_TRUE(Database::open(directory.path()));
}

// As the command line does to see whether a server runs.
TEST(Database, AProgramThatLooksAtTheLockStopsNoStart) {
  const TemporaryDirectory directory;
  { ASSERT_TRUE(Database::open(directory.path())); }
  UniqueFd looking(::open((directory.path() / "lambda.lock").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(looking.get(), LOCK_SH | LOCK_NB), 0);
  std::promise<void> begun;
  std::thread ends_later([&] {
    begun.set_value();
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    looking.reset();
  });
  begun.get_future().wait();
  EXPECT_TRUE(Database::open(directory.path()));
  ends_later.join();
}

TEST(Database, AnErrorRollsTheWholeChangeBack) {
  auto database = Database::open_in_memory();
  auto work = [](SQLite::Database& connection) {
    connection.exec("INSERT INTO meta VALUES ('a', '1')");
    connection.exec("INSERT INTO meta VALUES ('a', '2')");
  };
  auto changed = (*database)->change("write twice", work);
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().message(), HasSubstr("write twice: "));
  EXPECT_EQ(rows(**database, "meta"), 1);
  auto thrower = [](SQLite::Database& connection) {
    connection.exec("INSERT INTO meta VALUES ('a', '1')");
    throw std::runtime_error("a defect");
  };
  EXPECT_THROW((void)(*database)->change("throw", thrower), std::runtime_error);
  EXPECT_EQ(rows(**database, "meta"), 1);
}

TEST(Database, AKilledWriterLeavesTheOldOrTheNewState) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(Database::open(directory.path()));
  const pid_t child = ::fork();
  if (child == 0) {
    auto database = Database::open(directory.path());
    auto first = [](SQLite::Database& connection) {
      connection.exec("INSERT INTO meta VALUES ('done', '1')");
    };
    (void)(*database)->change("first", first);
    auto second = [](SQLite::Database& connection) {
      connection.exec("INSERT INTO meta VALUES ('half', '1')");
      ::kill(::getpid(), SIGKILL);
    };
    (void)(*database)->change("second", second);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto database = Database::open(directory.path());
  ASSERT_TRUE(database) << database.error().message();
  EXPECT_EQ(rows(**database, "meta WHERE name = 'done'"), 1);
  EXPECT_EQ(rows(**database, "meta WHERE name = 'half'"), 0);
}

// A disk with room for about a megabyte: a small tmpfs where mounting is allowed, else a limit on
// the size of files.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m") == 0;
    if (mounted_) return;
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const struct rlimit small { 1 << 20, before_.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    if (mounted_)
      ::umount2(path_.c_str(), MNT_DETACH);
    else
      ::setrlimit(RLIMIT_FSIZE, &before_);
  }

 private:
  fs::path path_;
  bool mounted_ = false;
  struct rlimit before_ {};
};

TEST(Database, AFullDiskIsSaidInWordsAndLosesNothing) {
  const TemporaryDirectory directory;
  const SmallDisk disk(directory.path());
  auto database = Database::open(directory.path());
  ASSERT_TRUE(database) << database.error().message();
  auto large = [](SQLite::Database& connection) {
    connection.exec("INSERT INTO meta VALUES ('large', hex(zeroblob(2000000)))");
  };
  auto changed = (*database)->change("save something large", large);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code(), ErrorCode::internal);
  EXPECT_THAT(changed.error().message(), HasSubstr("full"));
  auto small = [](SQLite::Database& connection) {
    connection.exec("INSERT INTO meta VALUES ('small', '1')");
  };
  EXPECT_TRUE((*database)->change("save something small", small));
  EXPECT_EQ(rows(**database, "meta"), 2);
}

TEST(MasterKey, IsMadeOncePrivateAndReadBack) {
  const TemporaryDirectory directory;
  auto key = MasterKey::load(directory.path(), false);
  ASSERT_TRUE(key);
  struct stat status {};
  ASSERT_EQ(::stat((directory.path() / "master.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto sealed = key->seal("secret", "here");
  auto again = MasterKey::load(directory.path(), true);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->unseal(sealed, "here").value(), "secret");
}

TEST(MasterKey, MakesASecretForEachLabelThatStaysTheSame) {
  const TemporaryDirectory directory;
  const auto key = MasterKey::load(directory.path(), false);
  ASSERT_TRUE(key);
  const auto secret = key->derive("a");
  EXPECT_EQ(secret.size(), 32u);
  EXPECT_EQ(MasterKey::load(directory.path(), true)->derive("a"), secret);
  EXPECT_NE(key->derive("b"), secret);
  EXPECT_NE(MasterKey::ephemeral().derive("a"), secret);
}

TEST(MasterKey, IsNotReplacedWhenItIsNeededNorReadWhenOthersCan) {
  const TemporaryDirectory directory;
  auto missing = MasterKey::load(directory.path(), true);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message(), HasSubstr("restore it from a backup"));
  ASSERT_TRUE(MasterKey::load(directory.path(), false));
  ::chmod((directory.path() / "master.key").c_str(), 0644);
  auto open = MasterKey::load(directory.path(), true);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code(), ErrorCode::denied);
}

TEST(MasterKey, IsNotReadFromWhatIsNoWholeKeyAndNotMadeAnew) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "master.key";
  ASSERT_TRUE(MasterKey::load(directory.path(), false));
  ASSERT_EQ(::truncate(path.c_str(), 40), 0);
  for (const bool needed : {true, false}) {
    const auto half = MasterKey::load(directory.path(), needed);
    ASSERT_FALSE(half);
    EXPECT_THAT(half.error().message(), HasSubstr("it has 40 bytes): restore it from a backup"));
  }
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 40);
  // A pipe that nobody writes to.
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto pipe = MasterKey::load(directory.path(), true);
  ASSERT_FALSE(pipe);
  EXPECT_THAT(pipe.error().message(), HasSubstr("is no file"));
}

}  // namespace
}  // namespace lambda::store
