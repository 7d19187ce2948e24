// run(): wait until a schedule is due -> for those that are, in one transaction: take the schedule
// from its last decision to now (fenced, so that what changed meanwhile is not fired), write the
// decisions and the events of those that fire -> tell the queue.
#include "events/scheduler/scheduler.h"

#include "base/background.h"
#include "base/crypto.h"
#include "events/scheduler/scheduled_event.h"
#include "invoke/trace_id.h"
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
// Of the times that are told apart.
constexpr std::chrono::milliseconds kFinest{1};
constexpr std::size_t kFiringsKept = 100;
constexpr std::size_t kTrimAfter = 20;
constexpr std::size_t kTimesShown = 3;
constexpr std::chrono::hours kLongestJitter{24};

bool same_times(const ScheduleDefinition& one, const ScheduleDefinition& other) {
  return one.expression == other.expression && one.zone == other.zone && one.from == other.from &&
         one.until == other.until;
}

bool is_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

Result<Done> check_fields(const ScheduleDefinition& definition, const function::Tenant& tenant) {
  if (!is_name(definition.name)) {
    return fail(ErrorCode::invalid,
                "a schedule's name has 1 to 64 letters, digits, \"-\", \"_\" and \".\", not \"{}\"",
                definition.name);
  }
  if (definition.jitter < std::chrono::milliseconds(0) || definition.jitter > kLongestJitter)
    return fail(ErrorCode::invalid, "jitter goes from 0 to 24 hours");
  if (definition.data && definition.data->size() > kMaxEventBytes) {
    return fail(ErrorCode::too_large, "the data has {} bytes, and an event at most {}",
                definition.data->size(), kMaxEventBytes);
  }
  if (const auto size = largest_event(definition, tenant); size > kMaxEventBytes) {
    return fail(ErrorCode::too_large,
                "with its placeholders (<aws.scheduler...>) filled in the data has {} bytes, and "
                "an event at most {}",
                size, kMaxEventBytes);
  }
  if (definition.from && definition.until && *definition.from > *definition.until)
    return fail(ErrorCode::invalid, "the schedule ends (until) before it begins (from)");
  return Done{};
}

}  // namespace

std::string_view to_string(ScheduleChange change) {
  switch (change) {
    case ScheduleChange::created:
      return "created";
    case ScheduleChange::changed:
      return "changed";
    case ScheduleChange::removed:
      return "removed";
  }
  return "";
}

Scheduler::Scheduler(Parts parts)
    : parts_(parts), table_(parts.catalog.tenant()), views_(parts.catalog.tenant()) {}

// ---- starting and stopping

Result<Done> Scheduler::load() {
  const auto now = parts_.clock.now();
  latest_ = now;
  std::vector<Schedule> schedules;
  auto work = [&](SQLite::Database& database) {
    table_.rebase(database, now + kClockWasWrong, now);
    schedules = table_.load(database);
  };
  auto loaded = parts_.database.change("load the schedules", work);
  if (!loaded) return loaded;
  for (auto& schedule : schedules) put(std::move(schedule));
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
      for (const auto& job : jobs) {
        // The others are due as before.
        if (room.firings == 0 || room.bytes == 0) break;
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
    table_.rebase(database, now + kClockWasWrong, now);
    return table_.load(database);
  };
  auto loaded = co_await parts_.commits.run("set schedules to the clock", std::move(work));
  if (!loaded) {
    spdlog::error("the schedules could not be set to the clock: {}", loaded.error().message());
    latest_ = now + 2 * kClockWasWrong;  // and again
    co_return;
  }
  for (auto& schedule : *loaded) {
    const auto found = entries_.find({schedule.definition.function, schedule.definition.name});
    if (found != entries_.end() && found->second.schedule.id == schedule.id)
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
  settled.stale = !table_.advance(database, schedule, decisions.decided);
  if (settled.stale) return settled;
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
  if (job.trim) table_.trim(database, schedule.id, kFiringsKept);
  return settled;
}

WallTime Scheduler::write_event(SQLite::Database& database, const Schedule& schedule,
                                std::string event_id, WallTime time, WallTime now) {
  NewEvent event;
  event.payload = scheduled_event(schedule, parts_.catalog.tenant(), time, event_id);
  event.id = std::move(event_id);
  event.function = schedule.definition.function;
  event.trace_id = invoke::trace_id_for("", now);
  event.source = EventSource::schedule;
  // Jitter does not go beyond the end, and what waits for it does not become old by that.
  auto due = time + jitter_of(schedule, time);
  if (const auto& until = schedule.definition.until) due = std::min(due, std::max(time, *until));
  due = std::max(now, due);
  parts_.queue.write(database, event, due);
  return due;
}

void Scheduler::take_in(const Settled& settled, WallTime now) {
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
  auto due = entry.next;
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

void Scheduler::put(Schedule schedule) {
  Key key{schedule.definition.function, schedule.definition.name};
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
  auto due = entry.next;
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
  for (auto time = entry.next; time && times.size() < count; time = entry.times->next(*time))
    times.push_back(*time);
  return times;
}

Scheduler::Info Scheduler::info_of(const Entry& entry) const {
  Info info;
  info.schedule = entry.schedule;
  info.next = entry.next;
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

// ---- changing

// The schedule as it will be; errors where it is wrong.
Result<Schedule> Scheduler::planned(const ScheduleDefinition& definition, WallTime now,
                                    Ended ended) const {
  auto good = check_fields(definition, parts_.catalog.tenant());
  if (!good) return fail(std::move(good.error()));
  Schedule schedule;
  schedule.id = random_uuid();
  schedule.created = now;
  schedule.decided = now;
  const auto found = entries_.find({definition.function, definition.name});
  if (found != entries_.end()) {
    const auto& before = found->second.schedule;
    schedule.id = before.id;
    schedule.paused = before.paused;
    schedule.fenced = before.fenced;
    schedule.queued = before.queued;
    if (same_times(before.definition, definition)) {
      schedule.created = before.created;
      schedule.decided = before.decided;
    }
  }
  schedule.definition = definition;
  auto times = FiringTimes::parse(schedule);
  if (!times) return fail(std::move(times.error()));
  if (ended == Ended::refused && !times->next(schedule.decided)) {
    return fail(ErrorCode::invalid, "{} would never fire{}", definition.expression,
                definition.until ? " before it ends (until)" : ": its time has passed");
  }
  return schedule;
}

tl::unexpected<Error> Scheduler::not_saved(Error error, const std::string& function) const {
  // The function was deleted meanwhile, and the database refuses a schedule without one.
  if (!parts_.catalog.snapshot()->functions.contains(function))
    return fail(ErrorCode::not_found, "there is no function \"{}\" any more", function);
  return fail(std::move(error).as(ErrorCode::unavailable));
}

Result<Done> Scheduler::check(const std::vector<ScheduleDefinition>& definitions) const {
  if (definitions.size() > kMostSchedules) {
    return fail(ErrorCode::invalid, "{} schedules are more than a function can have ({})",
                definitions.size(), kMostSchedules);
  }
  std::set<std::string> names;
  for (const auto& definition : definitions) {
    if (auto good = check_fields(definition, parts_.catalog.tenant()); !good) return good;
    if (!names.insert(definition.name).second) {
      return fail(ErrorCode::invalid, "two schedules have the name \"{}\": give each its own",
                  definition.name);
    }
    Schedule schedule;
    schedule.definition = definition;
    schedule.created = schedule.decided = parts_.clock.now();
    auto times = FiringTimes::parse(schedule);
    if (!times) return fail(std::move(times.error()), "schedule \"{}\"", definition.name);
  }
  return Done{};
}

std::vector<WallTime> Scheduler::times(const ScheduleDefinition& definition,
                                       std::size_t count) const {
  Schedule schedule;
  schedule.definition = definition;
  schedule.created = schedule.decided = parts_.clock.now();
  std::vector<WallTime> found;
  const auto times = FiringTimes::parse(schedule);
  if (!times) return found;
  for (auto time = times->next(schedule.created); time && found.size() < count;
       time = times->next(*time)) {
    found.push_back(*time);
  }
  return found;
}

Task<Result<Scheduler::Saved>> Scheduler::save(ScheduleDefinition definition) {
  auto task = save_here(std::move(definition));
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Task<Result<Scheduler::Saved>> Scheduler::save_here(ScheduleDefinition definition) {
  const Key key{definition.function, definition.name};
  const auto now = parts_.clock.now();
  auto schedule = planned(definition, now, Ended::refused);
  if (!schedule) co_return fail(std::move(schedule.error()));
  Saved saved;
  const auto before = entries_.find(key);
  if (before != entries_.end() && before->second.schedule.definition != definition)
    saved.replaced = before->second.schedule;
  auto good = room_for(key.first, {key}, {});
  if (good) good = nobody_changes({key});
  if (!good) co_return fail(std::move(good.error()));
  changing_.insert(key);
  auto work = [this, planned = std::move(*schedule)](SQLite::Database& database) {
    auto written = planned;
    table_.save(database, written);
    table_.refresh(database, written);
    return written;
  };
  auto done = co_await parts_.commits.run("save a schedule", std::move(work));
  changing_.erase(key);
  if (!done) co_return not_saved(std::move(done.error()), key.first);
  put(std::move(*done));
  const auto& entry = entries_.at(key);
  saved.info = info_of(entry);
  saved.times = times_of(entry, kTimesShown);
  co_return saved;
}

// Those that are being made by other requests count too.
Result<Done> Scheduler::room_for(const std::string& function, const std::set<Key>& wanted,
                                 const std::set<Key>& gone) const {
  auto keys = wanted;
  const auto add = [&](const Key& key) {
    if (key.first == function && !gone.contains(key)) keys.insert(key);
  };
  for (auto at = entries_.lower_bound({function, ""});
       at != entries_.end() && at->first.first == function; ++at) {
    add(at->first);
  }
  for (const auto& key : changing_) add(key);
  if (keys.size() <= kMostSchedules) return Done{};
  return fail(ErrorCode::invalid, "\"{}\" would have {} schedules, and {} are possible", function,
              keys.size(), kMostSchedules);
}

Result<Done> Scheduler::nobody_changes(const std::set<Key>& keys) const {
  for (const auto& key : keys) {
    if (!changing_.contains(key)) continue;
    return fail(ErrorCode::conflict, "the schedule {} of {} is being changed by another request",
                key.second, key.first);
  }
  return Done{};
}

Task<Result<Scheduler::Changes>> Scheduler::declare(std::string function,
                                                    std::vector<ScheduleDefinition> definitions) {
  auto task = declare_here(std::move(function), std::move(definitions));
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Result<Scheduler::Declaration> Scheduler::planned_declaration(
    const std::string& function, std::vector<ScheduleDefinition> definitions) const {
  if (auto right = check(definitions); !right) return fail(std::move(right.error()));
  const auto now = parts_.clock.now();
  Declaration plan;
  for (auto& definition : definitions) {
    definition.function = function;
    definition.declared = true;
    plan.wanted.insert({function, definition.name});
    const auto before = entries_.find({function, definition.name});
    if (before == entries_.end()) {
      plan.changes[definition.name] = ScheduleChange::created;
    } else if (before->second.schedule.definition != definition) {
      plan.changes[definition.name] = ScheduleChange::changed;
    }
    auto schedule = planned(definition, now, Ended::accepted);
    if (!schedule) return fail(std::move(schedule.error()), "schedule \"{}\"", definition.name);
    plan.kept.push_back(std::move(*schedule));
  }
  for (auto at = entries_.lower_bound({function, ""});
       at != entries_.end() && at->first.first == function; ++at) {
    if (!at->second.schedule.definition.declared || plan.wanted.contains(at->first)) continue;
    plan.gone.emplace_back(at->first, at->second.schedule.id);
    plan.going.insert(at->first);
    plan.changes[at->first.second] = ScheduleChange::removed;
  }
  auto good = room_for(function, plan.wanted, plan.going);
  if (!good) return fail(std::move(good.error()));
  return plan;
}

Task<Result<Done>> Scheduler::check_declared(std::string function,
                                             std::vector<ScheduleDefinition> definitions) {
  auto check_here = [](const Scheduler& scheduler, std::string of,
                       std::vector<ScheduleDefinition> wanted) -> Task<Result<Done>> {
    auto plan = scheduler.planned_declaration(of, std::move(wanted));
    if (!plan) co_return fail(std::move(plan.error()));
    co_return Done{};
  };
  auto task = check_here(*this, std::move(function), std::move(definitions));
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Task<Result<Scheduler::Changes>> Scheduler::declare_here(
    std::string function, std::vector<ScheduleDefinition> definitions) {
  auto plan = planned_declaration(function, std::move(definitions));
  if (!plan) co_return fail(std::move(plan.error()));
  auto good = nobody_changes(plan->wanted);
  if (good) good = nobody_changes(plan->going);
  if (!good) co_return fail(std::move(good.error()));
  auto changed = plan->wanted;
  changed.merge(plan->going);
  changing_.insert(changed.begin(), changed.end());
  auto work = [this, kept = std::move(plan->kept), gone = plan->gone](SQLite::Database& database) {
    for (const auto& [key, id] : gone) table_.remove(database, id);
    auto written = kept;
    for (auto& schedule : written) {
      table_.save(database, schedule);
      table_.refresh(database, schedule);
    }
    return written;
  };
  auto done = co_await parts_.commits.run("save the schedules of a function", std::move(work));
  for (const auto& key : changed) changing_.erase(key);
  if (!done) co_return not_saved(std::move(done.error()), function);
  for (const auto& [key, id] : plan->gone) erase(key);
  for (auto& schedule : *done) put(std::move(schedule));
  co_return std::move(plan->changes);
}

Task<Result<Done>> Scheduler::remove(std::string function, std::string name) {
  auto task = remove_here(std::move(function), std::move(name));
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Task<Result<Done>> Scheduler::remove_here(std::string function, std::string name) {
  auto entry = find(function, name);
  if (!entry) co_return fail(std::move(entry.error()));
  const auto id = (*entry)->schedule.id;
  auto work = [this, id](SQLite::Database& database) { return table_.remove(database, id); };
  auto done = co_await parts_.commits.run("delete a schedule", std::move(work));
  if (!done) co_return fail(std::move(done.error()).as(ErrorCode::unavailable));
  const auto found = entries_.find({function, name});
  if (found != entries_.end() && found->second.schedule.id == id) erase(Key(found->first));
  co_return Done{};
}

Task<Result<Scheduler::Info>> Scheduler::set_paused(std::string function, std::string name,
                                                    bool paused) {
  auto task = set_paused_here(std::move(function), std::move(name), paused);
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Task<Result<Scheduler::Info>> Scheduler::set_paused_here(std::string function, std::string name,
                                                         bool paused) {
  auto entry = find(function, name);
  if (!entry) co_return fail(std::move(entry.error()));
  if ((*entry)->schedule.paused == paused) co_return info_of(**entry);
  const Key key{function, name};
  if (!changing_.insert(key).second) {
    co_return fail(ErrorCode::conflict, "the schedule {} of {} is being changed by another request",
                   name, function);
  }
  auto schedule = (*entry)->schedule;
  schedule.paused = paused;
  // What came due while it was paused is nothing that was missed.
  if (!paused) schedule.decided = std::max(schedule.decided, parts_.clock.now());
  auto work = [this, changed = std::move(schedule)](SQLite::Database& database) {
    std::optional<Schedule> written;
    if (!table_.set_paused(database, changed.id, changed.paused, changed.decided)) return written;
    written = changed;
    table_.refresh(database, *written);
    return written;
  };
  auto done = co_await parts_.commits.run("pause a schedule", std::move(work));
  changing_.erase(key);
  if (!done) co_return fail(std::move(done.error()).as(ErrorCode::unavailable));
  if (!*done) co_return fail(ErrorCode::not_found, "the schedule {} was deleted meanwhile", name);
  put(std::move(**done));
  co_return info_of(entries_.at(key));
}

Task<Result<std::string>> Scheduler::run_now(std::string function, std::string name) {
  auto task = run_here(std::move(function), std::move(name));
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Task<Result<std::string>> Scheduler::run_here(std::string function, std::string name) {
  auto entry = find(function, name);
  if (!entry) co_return fail(std::move(entry.error()));
  const auto now = parts_.clock.now();
  auto schedule = (*entry)->schedule;
  const auto times = (*entry)->times;
  schedule.definition.jitter = std::chrono::milliseconds(0);
  auto event_id = random_uuid();
  auto work = [this, schedule, times, event_id, now](SQLite::Database& database) {
    const auto is_due = [&times](WallTime time) {
      return times && times->next(time - kFinest) == time;
    };
    Decision decision;
    decision.time = now;
    // Its time is its own: never one at which the schedule is due, nor that of another run.
    while (is_due(decision.time) ||
           !table_.add(database, schedule.id, decision, event_id, now, false))
      decision.time += kFinest;
    table_.trim(database, schedule.id, kFiringsKept);
    return write_event(database, schedule, event_id, now, now);
  };
  auto due = co_await parts_.commits.run("run a schedule", std::move(work));
  if (!due) co_return not_saved(std::move(due.error()), function);
  parts_.queue.notice(function, *due);
  co_return event_id;
}

// ---- seeing

Task<Result<std::vector<Scheduler::Info>>> Scheduler::list(std::string function) {
  auto task = list_here(std::move(function));
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Task<Result<std::vector<Scheduler::Info>>> Scheduler::list_here(std::string function) {
  std::vector<Info> listed;
  auto at = function.empty() ? entries_.begin() : entries_.lower_bound({function, ""});
  for (; at != entries_.end() && (function.empty() || at->first.first == function); ++at)
    listed.push_back(info_of(at->second));
  co_return listed;
}

Task<Result<Scheduler::Shown>> Scheduler::show(std::string function, std::string name,
                                               std::size_t times, std::size_t firings) {
  auto task = show_here(std::move(function), std::move(name), times, firings);
  co_return co_await cross_to(parts_.loop, std::move(task));
}

Task<Result<Scheduler::Shown>> Scheduler::show_here(std::string function, std::string name,
                                                    std::size_t times, std::size_t firings) {
  auto entry = find(function, name);
  if (!entry) co_return fail(std::move(entry.error()));
  Shown shown;
  shown.info = info_of(**entry);
  shown.times = times_of(**entry, times);
  auto work = [this, id = shown.info.schedule.id, firings, &found = shown.firings](
                  SQLite::Database& database) { found = views_.firings(database, id, firings); };
  auto job = [this, work = std::move(work)] { return parts_.database.read("read firings", work); };
  auto read = co_await run_blocking(parts_.readers, std::move(job));
  if (!read) co_return fail(std::move(read.error()).as(ErrorCode::unavailable));
  co_return shown;
}

}  // namespace lambda::events
