// The schedules of people: making, changing, removing, running and seeing them (scheduler.cc fires
// them). Each change is one transaction, and only then in memory.
#include "base/crypto.h"
#include "events/scheduler/scheduled_event.h"
#include "events/scheduler/scheduler.h"
#include "store/database.h"

#include <algorithm>
#include <string>
#include <utility>

namespace lambda::events {
namespace {

// Of the times that are told apart.
constexpr std::chrono::milliseconds kFinest{1};
constexpr std::size_t kTimesShown = 3;

std::size_t data_size(const ScheduleDefinition& definition) {
  return definition.data ? definition.data->size() : 0;
}

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
  if (definition.jitter < std::chrono::milliseconds(0) || definition.jitter > kLongestDelay)
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
  auto good = room_for(key.first, {{key, data_size(definition)}}, {});
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
Result<Done> Scheduler::room_for(const std::string& function, const Sizes& wanted,
                                 const std::set<Key>& gone) const {
  auto sizes = wanted;
  const auto add = [&](const Key& key, std::size_t size) {
    if (key.first == function && !gone.contains(key)) sizes.try_emplace(key, size);
  };
  for (auto at = entries_.lower_bound({function, ""});
       at != entries_.end() && at->first.first == function; ++at) {
    add(at->first, data_size(at->second.schedule.definition));
  }
  for (const auto& key : changing_) add(key, 0);
  if (sizes.size() > kMostSchedules) {
    return fail(ErrorCode::invalid, "\"{}\" would have {} schedules, and {} are possible", function,
                sizes.size(), kMostSchedules);
  }
  std::size_t bytes = 0;
  for (const auto& [key, size] : sizes) bytes += size;
  if (bytes <= kMostScheduleData) return Done{};
  return fail(
      ErrorCode::too_large,
      "the schedules of \"{}\" would have {} bytes of data in all, and {} are possible: let "
      "the function fetch what is large",
      function, bytes, kMostScheduleData);
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
  Sizes sizes;
  for (auto& definition : definitions) {
    sizes[{function, definition.name}] = data_size(definition);
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
  auto good = room_for(function, sizes, plan.going);
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
    table_.trim(database, schedule.id, kFiringsKept, std::max(now, schedule.decided));
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
  const auto& schedule = shown.info.schedule;
  // What a clock ahead has fired is shown when its time has come.
  const auto last = std::max(parts_.clock.now(), schedule.decided);
  auto work = [this, id = schedule.id, firings, last,
               &found = shown.firings](SQLite::Database& database) {
    found = views_.firings(database, id, firings, last);
  };
  auto job = [this, work = std::move(work)] { return parts_.database.read("read firings", work); };
  auto read = co_await run_blocking(parts_.readers, std::move(job));
  if (!read) co_return fail(std::move(read.error()).as(ErrorCode::unavailable));
  co_return shown;
}

}  // namespace lambda::events
