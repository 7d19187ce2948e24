#include "events/queue/event_queue.h"

#include "base/background.h"
#include "events/webhook/webhook_url.h"
#include "store/database.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace lambda::events {
namespace {

constexpr std::chrono::seconds kCleanUpEvery{30};
// Many rows are changed in many transactions: what is accepted meanwhile waits for none of them
// long.
constexpr EventTable::Step kStep;
constexpr std::chrono::seconds kTellRefusalEvery{10};
constexpr std::chrono::seconds kLookAtClockEvery{1};
constexpr int kManyFailures = 1'000;

// To a client a disk that is full is a server that cannot take more just now.
tl::unexpected<Error> refused(Error error) {
  return fail(std::move(error).as(ErrorCode::unavailable));
}

}  // namespace

EventQueue::EventQueue(Parts parts, Limits limits)
    : parts_(parts),
      limits_(limits),
      table_(parts.catalog.tenant()),
      views_(parts.catalog.tenant()),
      configs_(parts.catalog.tenant()),
      dispatcher_(
          Dispatcher::Parts{parts.loop, parts.commits, table_, configs_, parts.catalog,
                            parts.invoker, parts.webhooks, parts.readers, parts.clock, parts.spans},
          limits.dispatch) {}

Result<Done> EventQueue::load() {
  std::size_t interrupted = 0;
  auto work = [&](SQLite::Database& database) {
    const auto now = parts_.clock.now();
    interrupted = table_.release_running(database, now);
    while (table_.release_ahead(database, now, longest_wait(), kStep.rows)) {
    }
    for (const auto state : {EventState::succeeded, EventState::dead}) {
      while (table_.pull_back(database, state, now, kStep.rows)) {
      }
    }
    dispatcher_.load(table_.due_times(database));
    configs_.load(database);
  };
  auto loaded = parts_.database.change("load the event queue", work);
  if (loaded && interrupted > 0)
    spdlog::info("{} events that an earlier server did not finish are carried out again",
                 interrupted);
  return loaded;
}

void EventQueue::start() {
  asio::co_spawn(parts_.loop, dispatcher_.run(), in_background("the event queue"));
  asio::co_spawn(parts_.loop, clean_up(), in_background("the event queue's clean-up"));
}

Task<void> EventQueue::pause() {
  auto pause_here = [](Dispatcher& dispatcher) -> Task<void> {
    dispatcher.pause();
    co_return;
  };
  auto task = pause_here(dispatcher_);
  co_await cross_to(parts_.loop, std::move(task));
}

Task<void> EventQueue::stop(SteadyTime deadline) {
  auto task = stop_here(deadline);
  co_await cross_to(parts_.loop, std::move(task));
}

Task<void> EventQueue::stop_here(SteadyTime deadline) {
  stopping_ = true;
  stop_.set();
  co_await dispatcher_.stop(deadline);
}

Task<Result<EventTable::Inserted>> EventQueue::accept(NewEvent event) {
  if (event.payload.size() > kMaxEventBytes) {
    co_return fail(ErrorCode::too_large,
                   "{} byte payload is too large for the Event invocation type (limit {} bytes)",
                   event.payload.size(), kMaxEventBytes);
  }
  if (event.token.size() > kLongestToken) {
    co_return fail(ErrorCode::invalid, "X-Lambda-Idempotency-Key has at most {} bytes",
                   kLongestToken);
  }
  const auto now = parts_.clock.now();
  auto function = event.function;
  auto qualifier = event.qualifier;
  auto work = [this, now, event = std::move(event)](SQLite::Database& database) {
    std::optional<EventTable::Inserted> inserted;
    if (table_.has_target(database, event)) inserted = table_.insert(database, event, now);
    return inserted;
  };
  auto inserted = co_await parts_.commits.run("accept an event", std::move(work));
  if (!inserted) {
    // It was deleted after its caller had found it.
    if (auto there = parts_.catalog.resolve(function, ""); !there) {
      co_return fail(std::move(there.error()));
    }
    tell_refusal(inserted.error());
    co_return refused(std::move(inserted.error()));
  }
  if (!*inserted) {
    // Cleaned up after its caller had found it.
    if (auto there = parts_.catalog.resolve(function, ""); !there)
      co_return fail(std::move(there.error()));
    co_return fail(ErrorCode::not_found, "\"{}\" has no version {} any more", function, qualifier);
  }
  if (!(*inserted)->duplicate) dispatcher_.notice(std::move(function), now);
  co_return std::move(**inserted);
}

// Not for every client that tries.
void EventQueue::tell_refusal(const Error& error) {
  const auto now = std::chrono::steady_clock::now();
  auto told = refusal_told_.load();
  const bool lately = told != SteadyTime::min() && now - told < kTellRefusalEvery;
  if (!lately && refusal_told_.compare_exchange_strong(told, now))
    spdlog::error("events are not accepted: {}", error.message());
}

Result<Destination> EventQueue::destination(std::string_view address) const {
  auto destination = parse_destination(address, parts_.catalog);
  if (!destination || destination->url.empty()) return destination;
  auto url = parse_webhook_url(destination->url, parts_.webhooks.rules());
  if (!url) {
    return fail(std::move(url.error()), "The destination is invalid");
  }
  return destination;
}

tl::unexpected<Error> EventQueue::no_event(std::string_view id) const {
  return fail(ErrorCode::not_found,
              "there is no event {}: results are kept for {} minutes, dead letters for {} days", id,
              limits_.keep_results.count() / 60, limits_.keep_dead.count() / 86'400);
}

template <class Work>
Task<Result<std::invoke_result_t<Work, SQLite::Database&>>> EventQueue::look(const char* what,
                                                                             Work work) {
  using Value = std::invoke_result_t<Work, SQLite::Database&>;
  auto job = [this, what, work = std::move(work)]() -> Result<Value> {
    std::optional<Value> value;
    auto read = parts_.database.read(
        what, [&](SQLite::Database& database) { value.emplace(work(database)); });
    if (!read) return fail(std::move(read.error()));
    return std::move(*value);
  };
  co_return co_await run_blocking(parts_.readers, std::move(job));
}

Task<Result<EventInfo>> EventQueue::find(std::string id) {
  auto work = [this, id](SQLite::Database& database) { return views_.find(database, id); };
  auto found = co_await look("look for an event", std::move(work));
  if (!found) co_return refused(std::move(found.error()));
  if (!*found) co_return no_event(id);
  co_return std::move(**found);
}

Task<Result<std::string>> EventQueue::payload(std::string id) {
  auto work = [this, id](SQLite::Database& database) { return views_.payload(database, id); };
  auto found = co_await look("read an event", std::move(work));
  if (!found) co_return refused(std::move(found.error()));
  if (!*found) co_return no_event(id);
  co_return std::move(**found);
}

Task<Result<EventQueue::Ended>> EventQueue::result(std::string id) {
  auto work = [this, id](SQLite::Database& database) {
    return std::pair(views_.find(database, id), views_.result(database, id));
  };
  auto found = co_await look("read a result", std::move(work));
  if (!found) co_return refused(std::move(found.error()));
  auto& [event, payload] = *found;
  if (!event) co_return no_event(id);
  if (!payload) {
    co_return fail(ErrorCode::conflict, "event {} of {} has no result yet: it is {}", id,
                   event->function, to_string(event->state));
  }
  Ended ended;
  ended.event = std::move(*event);
  ended.payload = std::move(*payload);
  co_return ended;
}

Task<Result<std::vector<QueueDepth>>> EventQueue::depths(std::string function) {
  auto work = [this, function](SQLite::Database& database) {
    return views_.depths(database, function);
  };
  auto found = co_await look("count the queue", std::move(work));
  if (!found) co_return refused(std::move(found.error()));
  co_return found;
}

Task<Result<std::vector<EventInfo>>> EventQueue::list(EventTable::Listing listing) {
  auto work = [this, listing](SQLite::Database& database) {
    return views_.list(database, listing);
  };
  auto found = co_await look("list the queue", std::move(work));
  if (!found) co_return refused(std::move(found.error()));
  if (!*found) co_return no_event(listing.before);
  co_return std::move(**found);
}

Task<Result<Done>> EventQueue::cancel(std::string id) {
  auto work = [this, id](SQLite::Database& database) {
    return std::pair(table_.cancel(database, id), table_.find(database, id));
  };
  auto done = co_await parts_.commits.run("cancel an event", std::move(work));
  if (!done) co_return refused(std::move(done.error()));
  if (done->first) co_return Done{};
  if (!done->second) co_return no_event(id);
  co_return fail(ErrorCode::conflict, "event {} cannot be cancelled: it is {}", id,
                 done->second->state == EventState::running ? "running" : "over");
}

Task<Result<std::size_t>> EventQueue::purge(std::string function, EventState state) {
  const auto now = parts_.clock.now();
  std::size_t removed = 0;
  while (true) {
    auto work = [this, function, state, now](SQLite::Database& database) {
      return table_.purge(database, function, state, now, kStep);
    };
    auto done = co_await parts_.commits.run("purge the queue", std::move(work));
    if (!done) co_return refused(std::move(done.error()));
    removed += done->count;
    if (!done->more) co_return removed;
  }
}

Task<Result<Done>> EventQueue::clear(std::string function) {
  while (true) {
    auto work = [this, function](SQLite::Database& database) {
      return table_.clear(database, function, kStep);
    };
    auto done = co_await parts_.commits.run("empty the queue", std::move(work));
    if (!done) co_return refused(std::move(done.error()));
    if (!done->more) co_return Done{};
  }
}

Task<Result<Done>> EventQueue::redrive(std::string id, std::optional<std::string> payload) {
  if (payload && payload->size() > kMaxEventBytes)
    co_return fail(ErrorCode::too_large, "an event has at most {} bytes", kMaxEventBytes);
  const auto now = parts_.clock.now();
  auto work = [this, id, payload = std::move(payload), now](SQLite::Database& database) {
    return std::pair(table_.redrive(database, id, payload, now), table_.find(database, id));
  };
  auto done = co_await parts_.commits.run("redrive an event", std::move(work));
  if (!done) co_return refused(std::move(done.error()));
  if (!done->first && !done->second) co_return no_event(id);
  if (!done->first) {
    co_return fail(ErrorCode::conflict, "event {} is not dead: it is {}", id,
                   to_string(done->second->state));
  }
  dispatcher_.notice(std::move(*done->first), now);
  co_return Done{};
}

Task<Result<std::size_t>> EventQueue::redrive_all(std::string function) {
  const auto now = parts_.clock.now();
  std::size_t redriven = 0;
  while (true) {
    auto work = [this, function, now](SQLite::Database& database) {
      return table_.redrive_all(database, function, now, kStep);
    };
    auto done = co_await parts_.commits.run("redrive events", std::move(work));
    if (!done) co_return refused(std::move(done.error()));
    for (const auto& lane : done->lanes) dispatcher_.notice(lane, now);
    redriven += done->changed.count;
    if (!done->changed.more) co_return redriven;
  }
}

Task<Result<Done>> EventQueue::configure(std::string function, std::string qualifier,
                                         std::optional<InvokeConfig> config) {
  auto task = configure_here(std::move(function), std::move(qualifier), std::move(config));
  co_return co_await cross_to(parts_.loop, std::move(task));
}

// On the one loop: what is published last was written last.
Task<Result<Done>> EventQueue::configure_here(std::string function, std::string qualifier,
                                              std::optional<InvokeConfig> config) {
  auto work = [this, function, qualifier, config](SQLite::Database& database) {
    if (config) {
      configs_.put(database, function, qualifier, *config);
    } else {
      configs_.remove(database, function, qualifier);
    }
    return Done{};
  };
  auto done = co_await parts_.commits.run("save an event configuration", std::move(work));
  if (!done) co_return refused(std::move(done.error()));
  configs_.publish(function, qualifier, std::move(config));
  // The function may have gone meanwhile, and its row with it.
  configs_.keep_only(*parts_.catalog.snapshot());
  co_return Done{};
}

// Between two attempts, by any rule.
std::chrono::milliseconds EventQueue::longest_wait() const {
  constexpr std::chrono::hours kAtLeast{1};
  return std::max<std::chrono::milliseconds>(
      {kAtLeast, 2 * limits_.dispatch.retries.retry_delay,
       wait_after(kManyFailures, limits_.dispatch.deliveries)});
}

// Until it says that there is no more.
Task<Result<Done>> EventQueue::in_steps(const char* what, Step step) {
  while (true) {
    auto work = [&step](SQLite::Database& database) { return step(database); };
    auto more = co_await parts_.commits.run(what, std::move(work));
    if (!more) co_return fail(std::move(more.error()));
    if (!*more || stopping_) co_return Done{};
  }
}

// What was given a time by a clock that was ahead would wait until that one is there, and what
// ended then would be none of what ended before now.
Task<Result<Done>> EventQueue::follow_clock() {
  constexpr auto kWhat = "set the queue to the clock";
  // In this order: what is set back between the two is seen at the next look.
  const auto times = parts_.clock.times_set_back();
  const auto now = parts_.clock.now();
  if (times == followed_) co_return Done{};
  Step release = [this, now](SQLite::Database& database) {
    return table_.release_ahead(database, now, longest_wait(), kStep.rows);
  };
  auto released = co_await in_steps(kWhat, std::move(release));
  if (!released) co_return released;
  auto look = [this](SQLite::Database& database) { return table_.due_times(database); };
  auto due = co_await parts_.commits.run(kWhat, std::move(look));
  if (!due) co_return fail(std::move(due.error()));
  dispatcher_.load(*due);
  for (const auto state : {EventState::succeeded, EventState::dead}) {
    Step pull_back = [this, now, state](SQLite::Database& database) {
      return table_.pull_back(database, state, now, kStep.rows);
    };
    auto pulled = co_await in_steps(kWhat, std::move(pull_back));
    if (!pulled) co_return pulled;
  }
  followed_ = times;
  co_return Done{};
}

// A clock that jumped ahead may be wrong: nothing is removed for its age until it has stood so for
// a while.
Task<void> EventQueue::clean_up() {
  while (!stopping_) {
    const auto now = parts_.clock.now();
    const auto next = parts_.clock.steady_now() + kCleanUpEvery;
    Step expire = [this, now](SQLite::Database& database) {
      using enum EventState;
      const auto results = table_.expire(database, succeeded, now - limits_.keep_results, kStep);
      return results.more || table_.expire(database, dead, now - limits_.keep_dead, kStep).more;
    };
    Result<Done> removed;
    if (parts_.clock.is_trusted())
      removed = co_await in_steps("remove old events", std::move(expire));
    if (!removed) spdlog::warn("old events cannot be removed now: {}", removed.error().message());
    bool told = false;
    while (!stopping_ && parts_.clock.steady_now() < next) {
      const auto followed = co_await follow_clock();
      if (!followed && !told)
        spdlog::warn("the queue goes by a clock that was wrong: {}", followed.error().message());
      told = !followed;
      co_await stop_.wait_until(std::chrono::steady_clock::now() + kLookAtClockEvery);
    }
  }
}

}  // namespace lambda::events
