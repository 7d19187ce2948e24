// run(): wait until a schedule is due -> for those that are, in one transaction: take the schedule
// from its last decision to now (fenced, so that what changed meanwhile is not fired), write the
// decisions and the events of those that fire -> tell the queue.
#include "events/scheduler/scheduler.h"

#include "base/background.h"
#include "base/crypto.h"
#include "events/scheduler/scheduled_event.h"
#include "store/database.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <string>

namespace lambda::events {
namespace {

// A transaction holds up what waits behind it: some milliseconds, whatever is made up for. Of the
// bytes there may be one event more.
constexpr std::size_t kSchedulesAtOnce = 256;
constexpr std::size_t kFiringsAtOnce = 512;
constexpr std::size_t kBytesAtOnce = 4u << 20;
// Of times that were missed; a time costs some hundred nanoseconds, and one schedule may have more.
constexpr std::uint64_t kCountedAtOnce = 20'000;
// Beside the event itself.
constexpr std::size_t kBytesOfRow = 512;
// Clocks may be set: no wait for a due time is longer than this.
constexpr std::chrono::milliseconds kLongestSleep{1'000};
// A database that cannot be written (a full disk) is tried again so often.
constexpr std::chrono::seconds kDatabaseRetry{1};
// A queued firing is looked at when its predecessor ends; where that was taken away, so often.
constexpr std::chrono::seconds kLookAtQueued{5};
// Where another change came between.
constexpr std::chrono::seconds kLookAgain{1};
// While times are decided anew: how far the clock has gone on is written down so often, so that a
// leap (decided_by()) can be told from it.
constexpr std::chrono::hours kNoteClock{12};
static_assert(kNoteClock < kClockWasWrong);
constexpr std::size_t kTrimAfter = 20;

// When it is due, or its clock is to be noted.
std::optional<WallTime> looked_at(const Schedule& schedule, std::optional<WallTime> next) {
  if (!next || !schedule.decides_anew()) return next;
  return std::min(*next, schedule.decided + kNoteClock);
}

}  // namespace

Scheduler::Scheduler(Parts parts)
    : parts_(parts), table_(parts.catalog.tenant()), views_(parts.catalog.tenant()) {}

// ---- starting and stopping

Result<Done> Scheduler::load() {
  const auto now = parts_.clock.now();
  latest_ = now;
  Stock found;
  auto work = [&](SQLite::Database& database) {
    if (table_.latest(database) > now + kClockWasWrong) table_.rebase(database, now);
    found = stock(database);
  };
  auto loaded = parts_.database.change("load the schedules", work);
  if (!loaded) return loaded;
  for (auto& schedule : found.schedules) put(std::move(schedule));
  for (auto& [key, entry] : entries_) entry.ahead = std::move(found.ahead[entry.schedule.id]);
  return Done{};
}

void Scheduler::start() {
  running_ = true;
  parts_.queue.on_scheduled_end([this](const std::string& function) { look_at_queued(function); });
  asio::co_spawn(parts_.loop, run(), in_background("the scheduler"));
}

Task<void> Scheduler::run() {
  while (!stopping_) {
    std::string broken;
    try {
      co_await take_turn();
    } catch (const std::exception& error) {
      broken = error.what();
    }
    if (broken.empty()) continue;
    spdlog::error("the schedules stand still: {}", broken);
    co_await wake_.wait_until(std::chrono::steady_clock::now() + kDatabaseRetry);
  }
  running_ = false;
  ended_.set();
}

Task<void> Scheduler::take_turn() {
  wake_.reset();
  co_await fire_due();
  if (!stopping_) co_await wait_for_work();
}

Task<void> Scheduler::stop() {
  auto stop_here = [](Scheduler& scheduler) -> Task<void> {
    scheduler.stopping_ = true;
    scheduler.wake_.set();
    if (scheduler.running_) co_await scheduler.ended_.wait();
  };
  auto task = stop_here(*this);
  co_await cross_to(parts_.loop, std::move(task));
}

Task<void> Scheduler::wait_for_work() {
  auto sleep = kLongestSleep;
  if (!due_.empty()) sleep = std::min(sleep, due_.begin()->first - parts_.clock.now());
  co_await wake_.wait_until(std::chrono::steady_clock::now() +
                            std::max(sleep, std::chrono::milliseconds(1)));
}

// ---- firing

Task<void> Scheduler::fire_due() {
  while (!stopping_) {
    const auto now = parts_.clock.now();
    co_await rebase_where_clock_went_back(now);
    auto jobs = due_jobs(now);
    if (jobs.empty()) co_return;
    auto work = [this, jobs = std::move(jobs), now](SQLite::Database& database) {
      std::vector<Settled> settled;
      Room room;
      room.firings = kFiringsAtOnce;
      room.bytes = kBytesAtOnce;
      room.counted = kCountedAtOnce;
      for (const auto& job : jobs) {
        // The others are due as before.
        if (room.firings == 0 || room.bytes == 0 || room.counted == 0) break;
        settled.push_back(settle(database, job, now, room));
      }
      return settled;
    };
    auto settled = co_await parts_.commits.run("fire schedules", std::move(work));
    if (!settled) {
      spdlog::error("the schedules stand still: {}", settled.error().message());
      co_await sleep_for(kDatabaseRetry);
      co_return;
    }
    for (const auto& one : *settled) take_in(one, now);
  }
}

// A schedule waits for times that are later than what is decided. If the clock was a year ahead for
// a while, it would wait for a year.
Task<void> Scheduler::rebase_where_clock_went_back(WallTime now) {
  const bool back = now + kClockWasWrong < latest_;
  latest_ = back ? now : std::max(latest_, now);
  if (!back) co_return;
  spdlog::warn("the clock was set back by more than a day: schedules go on from now");
  auto work = [this, now](SQLite::Database& database) {
    table_.rebase(database, now);
    return stock(database);
  };
  auto loaded = co_await parts_.commits.run("set schedules to the clock", std::move(work));
  if (!loaded) {
    spdlog::error("the schedules could not be set to the clock: {}", loaded.error().message());
    latest_ = now + 2 * kClockWasWrong;  // and again
    co_return;
  }
  for (auto& schedule : loaded->schedules) {
    const auto found = entries_.find({schedule.definition.function, schedule.definition.name});
    if (found == entries_.end() || found->second.schedule.id != schedule.id) continue;
    found->second.ahead = std::move(loaded->ahead[schedule.id]);
    put(std::move(schedule));
  }
}

std::vector<Scheduler::Job> Scheduler::due_jobs(WallTime now) {
  std::vector<Job> jobs;
  for (auto at = due_.begin(); at != due_.end() && at->first <= now; ++at) {
    auto& entry = entries_.at(at->second);
    Job job;
    job.key = at->second;
    job.schedule = entry.schedule;
    job.times = entry.times;
    job.trim = ++entry.since_trim >= kTrimAfter;
    if (job.trim) entry.since_trim = 0;
    jobs.push_back(std::move(job));
    if (jobs.size() == kSchedulesAtOnce) break;
  }
  return jobs;
}

// On the store thread, inside a transaction.
Scheduler::Settled Scheduler::settle(SQLite::Database& database, const Job& job, WallTime now,
                                     Room& room) {
  const auto& schedule = job.schedule;
  Settled settled;
  settled.key = job.key;
  settled.id = schedule.id;
  const auto& data = schedule.definition.data;
  const auto bytes = kBytesOfRow + (data ? data->size() : 0);
  const auto most = std::min(room.firings, std::max<std::size_t>(1, room.bytes / bytes));
  settled.decisions = decide(schedule, *job.times, table_.runs(database, schedule.id), now, most);
  const auto& decisions = settled.decisions;
  settled.queued = schedule.queued;
  const auto count = decisions.firings.size() + (decisions.release ? 1 : 0);
  room.firings -= std::min(room.firings, count);
  room.bytes -= std::min(room.bytes, count * bytes);
  room.counted -= std::min(room.counted, decisions.counted);
  settled.stale = !table_.advance(database, schedule, decisions.decided);
  if (settled.stale) return settled;
  if (schedule.fenced > decisions.since)
    table_.decide_anew(database, schedule.id, decisions.since, decisions.decided);
  if (decisions.release) {
    const auto event_id = random_uuid();
    const auto time = table_.release(database, schedule.id, event_id, now);
    if (time) settled.due.push_back(write_event(database, schedule, event_id, *time, now));
    if (settled.queued > 0) --settled.queued;
  }
  for (const auto& decision : decisions.firings) {
    const bool fires = decision.outcome == Outcome::fired;
    const auto event_id = fires ? random_uuid() : std::string();
    if (!table_.add(database, schedule.id, decision, event_id, now)) continue;
    if (fires) settled.due.push_back(write_event(database, schedule, event_id, decision.time, now));
    if (decision.outcome == Outcome::queued) ++settled.queued;
  }
  if (job.trim) table_.trim(database, schedule.id, kFiringsKept, std::max(now, decisions.decided));
  return settled;
}

WallTime Scheduler::write_event(SQLite::Database& database, const Schedule& schedule,
                                std::string event_id, WallTime time, WallTime now) {
  NewEvent event;
  event.payload = scheduled_event(schedule, parts_.catalog.tenant(), time, event_id);
  event.id = std::move(event_id);
  event.function = schedule.definition.function;
  event.source = EventSource::schedule;
  // Jitter does not go beyond the end, and what waits for it does not become old by that.
  auto due = time + jitter_of(schedule, time);
  if (const auto& until = schedule.definition.until) due = std::min(due, std::max(time, *until));
  due = std::max(now, due);
  parts_.queue.write(database, event, due);
  return due;
}

void Scheduler::tell(const Settled& settled) const {
  if (!listener_ || settled.stale) return;
  const auto now = parts_.clock.now();
  std::size_t fired = 0;
  for (const auto& decision : settled.decisions.firings) {
    Decided decided{decision.outcome, decision.count, std::nullopt};
    if (decision.outcome == Outcome::fired) {
      ++fired;
      decided.late = std::max(std::chrono::milliseconds(0), now - decision.time);
    }
    listener_(decided);
  }
  // One that had been queued.
  if (settled.due.size() > fired) listener_({Outcome::fired, 1, std::nullopt});
}

void Scheduler::take_in(const Settled& settled, WallTime now) {
  tell(settled);
  for (const auto due : settled.due) parts_.queue.notice(settled.key.first, due);
  const auto found = entries_.find(settled.key);
  if (found == entries_.end() || found->second.schedule.id != settled.id) return;
  auto& entry = found->second;
  if (settled.stale) {
    // Whoever changed it has put it here since, or is about to.
    if (entry.due && *entry.due <= now) set_due(settled.key, entry, now + kLookAgain);
    return;
  }
  entry.schedule.decided = settled.decisions.decided;
  entry.schedule.queued = settled.queued;
  entry.next = settled.decisions.next;
  entry.ahead.erase(entry.ahead.begin(), entry.ahead.upper_bound(entry.schedule.decided));
  auto due = looked_at(entry.schedule, entry.next);
  if (settled.queued > 0) due = std::min(due.value_or(WallTime::max()), now + kLookAtQueued);
  set_due(settled.key, entry, due);
}

// A firing of the function is over: those that wait for it can begin.
void Scheduler::look_at_queued(const std::string& function) {
  for (auto at = entries_.lower_bound({function, ""});
       at != entries_.end() && at->first.first == function; ++at) {
    if (at->second.schedule.queued > 0 && at->second.due)
      set_due(at->first, at->second, parts_.clock.now());
  }
}

// ---- what is in memory

Scheduler::Stock Scheduler::stock(SQLite::Database& database) {
  Stock stock;
  stock.schedules = table_.load(database);
  stock.ahead = table_.fired_ahead(database);
  return stock;
}

void Scheduler::put(Schedule schedule) {
  Key key{schedule.definition.function, schedule.definition.name};
  latest_ = std::max(latest_, schedule.decided);
  auto& entry = entries_[key];
  auto times = FiringTimes::parse(schedule);
  entry.schedule = std::move(schedule);
  entry.times = nullptr;
  entry.problem.clear();
  entry.next = std::nullopt;
  if (times) {
    entry.times = std::make_shared<const FiringTimes>(std::move(*times));
    if (!entry.schedule.paused) entry.next = entry.times->next(entry.schedule.decided);
  } else {
    entry.problem = times.error().message();
    spdlog::error("the schedule {} of {} cannot fire: {}", key.second, key.first, entry.problem);
  }
  auto due = looked_at(entry.schedule, entry.next);
  if (entry.times && !entry.schedule.paused && entry.schedule.queued > 0) due = parts_.clock.now();
  set_due(key, entry, due);
}

void Scheduler::erase(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  set_due(key, found->second, std::nullopt);
  entries_.erase(found);
}

void Scheduler::set_due(const Key& key, Entry& entry, std::optional<WallTime> due) {
  if (entry.due) due_.erase({*entry.due, key});
  entry.due = due;
  if (!due) return;
  const bool first = due_.empty() || *due < due_.begin()->first;
  due_.emplace(*due, key);
  if (first) wake_.set();
}

void Scheduler::forget(std::string function) {
  asio::post(parts_.loop, [this, function = std::move(function)] {
    // A new function of that name gets its schedules later than this.
    while (true) {
      const auto found = entries_.lower_bound({function, ""});
      if (found == entries_.end() || found->first.first != function) return;
      erase(Key(found->first));
    }
  });
}

std::vector<WallTime> Scheduler::times_of(const Entry& entry, std::size_t count) const {
  std::vector<WallTime> times;
  for (auto time = entry.next; time && times.size() < count; time = entry.times->next(*time)) {
    if (!entry.ahead.contains(*time)) times.push_back(*time);
  }
  return times;
}

Scheduler::Info Scheduler::info_of(const Entry& entry) const {
  Info info;
  info.schedule = entry.schedule;
  const auto times = times_of(entry, 1);
  if (!times.empty()) info.next = times.front();
  info.problem = entry.problem;
  return info;
}

Result<Scheduler::Entry*> Scheduler::find(const std::string& function, const std::string& name) {
  const auto found = entries_.find({function, name});
  if (found != entries_.end()) return &found->second;
  std::string names;
  for (auto at = entries_.lower_bound({function, ""});
       at != entries_.end() && at->first.first == function; ++at) {
    names += (names.empty() ? "" : ", ") + at->first.second;
  }
  return fail(ErrorCode::not_found, "\"{}\" has no schedule \"{}\"{}", function, name,
              names.empty() ? ", and no other" : "; it has: " + names);
}

}  // namespace lambda::events
