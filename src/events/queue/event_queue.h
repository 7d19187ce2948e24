// The durable queue of asynchronous events: what is accepted is executed at least once, or ends in
// the list of dead letters; kill -9 and power loss change nothing about that.
//
// Threads: any loop, but load() (while starting, before the loops run). Every change is on disk
// when it returns. Errors of all of them: unavailable where the database cannot be written (a full
// disk: nothing was accepted, try again), and what stands at each.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/watched_clock.h"
#include "events/queue/destination.h"
#include "events/queue/dispatcher.h"
#include "events/queue/event.h"
#include "events/queue/event_table.h"
#include "events/queue/invoke_config.h"
#include "store/group_commit.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace lambda::store {
class Database;
}

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::events {

// AWS's limit of an asynchronous event.
inline constexpr std::size_t kMaxEventBytes = 1'048'576;
// Of X-Lambda-Idempotency-Key.
inline constexpr std::size_t kLongestToken = 256;

class EventQueue {
 public:
  struct Limits {
    Dispatcher::Limits dispatch;
    std::chrono::seconds keep_results{3'600};         // of events that succeeded
    std::chrono::seconds keep_dead{14 * 24 * 3'600};  // dead letters
  };
  // All of it outlives the queue.
  struct Parts {
    Loop& loop;
    store::Database& database;
    store::GroupCommit& commits;
    BlockingPool& readers;  // for what is only looked at
    const function::Catalog& catalog;
    invoke::Invoker& invoker;
    WebhookSender& webhooks;
    const WatchedClock& clock;
    // Told of every webhook that is sent, for the span that it is in its trace. Null: nobody is.
    observe::CallSink* spans = nullptr;
  };
  EventQueue(Parts parts, Limits limits);

  // Everything that an earlier server had accepted.
  Result<Done> load();
  void start();
  // What is accepted from here on waits for the next server.
  Task<void> pause();
  // What runs on after the deadline is about to be ended by force, which is nobody's failure: it is
  // carried out again by the next server.
  Task<void> stop(SteadyTime deadline);

  // Returns once it is on disk. The id is the earlier event's where its token was seen before.
  // Errors: too_large (over kMaxEventBytes), invalid (a token over kLongestToken), not_found (the
  // function or its version was just deleted).
  Task<Result<EventTable::Inserted>> accept(NewEvent event);

  // --- for the scheduler, whose events are written with its own rows
  // Writes an event in the caller's transaction; after the commit notice() is called. Its age
  // counts from `due`. Store thread.
  void write(SQLite::Database& database, const NewEvent& event, WallTime due) {
    table_.insert(database, event, due, due);
  }
  void notice(std::string function, WallTime due) { dispatcher_.notice(std::move(function), due); }
  // Called on the queue's loop when a schedule's event of that function has ended. Before start().
  void on_scheduled_end(std::function<void(const std::string& function)> listener) {
    dispatcher_.on_scheduled_end(std::move(listener));
  }

  // --- seeing. not_found: there is no event by that id (any more).
  Task<Result<EventInfo>> find(std::string id);
  Task<Result<std::string>> payload(std::string id);
  // What the function answered: of an event that succeeded, or is dead. Errors: conflict while it
  // waits or runs.
  struct Ended {
    EventInfo event;
    std::string payload;
  };
  Task<Result<Ended>> result(std::string id);
  Task<Result<std::vector<QueueDepth>>> depths(std::string function);
  Task<Result<std::vector<EventInfo>>> list(EventTable::Listing listing);

  // --- steering
  // Takes away an event that waits, or a dead one. Errors: not_found; conflict: it runs, or has
  // succeeded.
  Task<Result<Done>> cancel(std::string id);
  Task<Result<std::size_t>> purge(std::string function, EventState state);
  // Takes away all events of a function that is about to be deleted. With the function the rest
  // goes, in one transaction: few, after this.
  Task<Result<Done>> clear(std::string function);
  // A dead event waits again. Errors: not_found; conflict: it is not dead.
  Task<Result<Done>> redrive(std::string id, std::optional<std::string> payload);
  Task<Result<std::size_t>> redrive_all(std::string function);

  // --- EventInvokeConfig; `config` nullopt removes it.
  [[nodiscard]] const InvokeConfigs& configs() const { return configs_; }
  // What holds where a configuration says nothing.
  [[nodiscard]] const RetryRules& retry_rules() const { return limits_.dispatch.retries; }
  Task<Result<Done>> configure(std::string function, std::string qualifier,
                               std::optional<InvokeConfig> config);

  // Whether an event that waits or runs is for this version. In the caller's transaction; store
  // thread.
  bool needs(SQLite::Database& database, const function::Version& version) {
    return table_.has_pending(database, version.function, version.label());
  }
  // Functions, versions or aliases are gone, and their rows went with them. Any thread.
  void keep_only(const function::Snapshot& known) { configs_.keep_only(known); }

  // --- where results go
  // A function, or a webhook. Errors: invalid; says what is possible.
  [[nodiscard]] Result<Destination> destination(std::string_view address) const;
  // What a function's webhooks are signed with. Errors: not_found.
  [[nodiscard]] Result<std::string> webhook_secret(std::string_view function) const {
    return parts_.webhooks.secret(function);
  }

 private:
  void tell_refusal(const Error& error);
  // Reads beside the changes: a queue of a million is counted without holding up anybody.
  template <class Work>
  Task<Result<std::invoke_result_t<Work, SQLite::Database&>>> look(const char* what, Work work);
  [[nodiscard]] std::chrono::milliseconds longest_wait() const;
  // In small transactions: what is accepted meanwhile waits for none of them long. Each says
  // whether there is more.
  using Step = std::function<bool(SQLite::Database&)>;
  Task<Result<Done>> in_steps(const char* what, Step step);
  Task<Result<Done>> follow_clock();
  Task<void> clean_up();
  Task<void> stop_here(SteadyTime deadline);
  Task<Result<Done>> configure_here(std::string function, std::string qualifier,
                                    std::optional<InvokeConfig> config);
  [[nodiscard]] tl::unexpected<Error> no_event(std::string_view id) const;

  Parts parts_;
  Limits limits_;
  EventTable table_;
  EventTable views_;  // what readers look through: statements belong to a connection
  InvokeConfigs configs_;
  Dispatcher dispatcher_;
  std::atomic<SteadyTime> refusal_told_{SteadyTime::min()};
  std::uint64_t followed_ = 0;  // of the times that the clock was set back; on the loop
  bool stopping_ = false;       // on the loop
  AsyncEvent stop_;             // on the loop
};

}  // namespace lambda::events
