// GroupCommit: many small changes from many loops, each durable when its caller goes on, all that
// wait together in one transaction with one sync of the disk.
//
//   auto insert = [row](SQLite::Database& database) { return table.insert(database, row); };
//   auto done = co_await commits.run("accept an event", std::move(insert));   // Result<T>
//
// Threads: run() on any loop; `work` runs on the store thread. It may run a second time, after a
// rollback of the first: when another change of the same transaction failed, each is tried in a
// transaction of its own, so that a bad one fails alone. It lets SQLiteCpp's exceptions pass.
// Changes of one caller happen in the order in which they were given.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "store/database.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace lambda::store {

class GroupCommit {
 public:
  // Both outlive this; `store_thread` has one thread, and finishes what was given before it ends.
  GroupCommit(Database& database, BlockingPool& store_thread);
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Errors: the database's (disk full, I/O), and then nothing of `work` has happened. Not to be
  // cancelled half-way: what was given is done, and its result awaited.
  // A change that may be synced later does not hold up those that may not, and costs no sync where
  // it is alone.
  template <class Work>
  Task<Result<std::invoke_result_t<Work, SQLite::Database&>>> run(
      std::string what, Work work, Database::Sync sync = Database::Sync::now);

 private:
  struct Change {
    std::string what;
    std::function<void(SQLite::Database&)> work;
    Database::Sync sync = Database::Sync::now;
    std::optional<Error> error;
    std::function<void()> done;  // called on the store thread
  };

  void add(std::shared_ptr<Change> change);
  void commit_waiting();
  void commit_together(const std::deque<std::shared_ptr<Change>>& batch);
  void commit_alone(Change& change);

  Database& database_;
  BlockingPool& store_thread_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<Change>> waiting_;
  bool posted_ = false;
};

template <class Work>
Task<Result<std::invoke_result_t<Work, SQLite::Database&>>> GroupCommit::run(std::string what,
                                                                             Work work,
                                                                             Database::Sync sync) {
  using Value = std::invoke_result_t<Work, SQLite::Database&>;
  // Shared with the store thread; lives until both sides are done with it.
  struct State {
    explicit State(Work its_work) : work(std::move(its_work)) {}
    Work work;
    std::optional<Value> value;
    AsyncEvent done;
  };
  const auto executor = co_await asio::this_coro::executor;
  auto state = std::make_shared<State>(std::move(work));
  auto change = std::make_shared<Change>();
  change->what = std::move(what);
  change->sync = sync;
  change->work = [state](SQLite::Database& database) {
    state->value.emplace(state->work(database));
  };
  change->done = [state, executor] { asio::post(executor, [state] { state->done.set(); }); };
  add(change);
  co_await state->done.wait_through();
  if (change->error) co_return fail(std::move(*change->error));
  co_return std::move(*state->value);
}

}  // namespace lambda::store
