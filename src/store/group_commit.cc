#include "store/group_commit.h"

#include <algorithm>
#include <exception>
#include <string_view>

namespace lambda::store {
namespace {

// A transaction holds up what waits behind it on the store thread: some milliseconds at most.
constexpr std::size_t kLargestBatch = 512;

// An exception that is none of the database's is a defect in one change; it costs that one.
Result<Done> commit(Database& database, std::string_view what,
                    const std::function<void(SQLite::Database&)>& work, Database::Sync sync) {
  try {
    return database.change(what, work, sync);
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "{}: {}", what, error.what());
  }
}

}  // namespace

GroupCommit::GroupCommit(Database& database, BlockingPool& store_thread)
    : database_(database), store_thread_(store_thread) {}

void GroupCommit::add(std::shared_ptr<Change> change) {
  const std::lock_guard guard(mutex_);
  waiting_.push_back(std::move(change));
  if (std::exchange(posted_, true)) return;
  store_thread_.post([this] { commit_waiting(); });
}

// One batch, then back to the end of the thread's line: a deploy waits for one transaction only.
void GroupCommit::commit_waiting() {
  std::deque<std::shared_ptr<Change>> batch;
  {
    const std::lock_guard guard(mutex_);
    while (!waiting_.empty() && batch.size() < kLargestBatch) {
      batch.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
  }
  commit_together(batch);
  for (const auto& change : batch) change->done();
  const std::lock_guard guard(mutex_);
  posted_ = !waiting_.empty();
  if (posted_) store_thread_.post([this] { commit_waiting(); });
}

void GroupCommit::commit_together(const std::deque<std::shared_ptr<Change>>& batch) {
  std::size_t applied = 0;
  auto all = [&batch, &applied](SQLite::Database& database) {
    for (const auto& change : batch) {
      change->work(database);
      ++applied;
    }
  };
  const bool now = std::ranges::any_of(
      batch, [](const auto& change) { return change->sync == Database::Sync::now; });
  auto committed = commit(database_, "write to the database", all,
                          now ? Database::Sync::now : Database::Sync::later);
  if (committed) return;
  if (applied == batch.size() || batch.size() == 1) {
    // The commit itself failed: it would fail for each of them.
    for (const auto& change : batch)
      change->error = Error(committed.error()).with_context(change->what);
    return;
  }
  for (const auto& change : batch) commit_alone(*change);
}

void GroupCommit::commit_alone(Change& change) {
  auto committed = commit(database_, change.what, change.work, change.sync);
  if (!committed) change.error = std::move(committed.error());
}

}  // namespace lambda::store
