// run(): choose lanes that are due -> claim their events (one transaction) -> execute each: call
// the function, or deliver the webhook -> record what came of it (one transaction, with others').
// When nothing is due or there is no room, it waits for the earliest of the lanes, a notice, or an
// end.
#include "events/queue/dispatcher.h"

#include "base/background.h"
#include "base/crypto.h"
#include "events/queue/destination.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace lambda::events {
namespace {

// A database that cannot be written (a full disk) is tried again so often.
constexpr std::chrono::seconds kDatabaseRetry{1};
constexpr std::chrono::seconds kTellUnwrittenEvery{10};
// Clocks may be set: no wait for a due time is longer than this.
constexpr std::chrono::milliseconds kLongestSleep{1'000};
// How long a lane rests whose function could not be called.
constexpr std::chrono::milliseconds kRest{1'000};
// Webhooks on their way at once: to all addresses; of those to addresses that are new, slow or
// fail; of those to addresses that fail.
constexpr Lanes::Most kWebhooks{256, 160, 64};
constexpr Lanes::Most kWebhookBytes{64u << 20, 48u << 20, 16u << 20};
constexpr std::size_t kWebhooksSpare = 32;
// To one address that works, and to one that works slowly.
constexpr std::size_t kWebhooksEach = 8;
constexpr std::size_t kWebhooksEachSlow = 4;
constexpr std::chrono::milliseconds kSlowWebhook{2'000};
// Older than any event: what the clock says of ages is not believed.
constexpr std::chrono::hours kNoAge{24 * 365 * 100};
// Where results go from function to function in a circle, it ends here.
constexpr int kMostHops = 16;

// A slow function must not hold every place, nor a function's events throttle each other or its
// synchronous calls.
Lanes::Limits function_lanes(std::size_t concurrency, const function::Catalog& catalog) {
  Lanes::Limits limits;
  limits.own = [&catalog](const LaneKey& lane) -> std::optional<std::size_t> {
    const auto now = catalog.snapshot();
    const auto found = now->functions.find(lane.function);
    if (found == now->functions.end() || !found->second->reserved_concurrency) return std::nullopt;
    return static_cast<std::size_t>(*found->second->reserved_concurrency) / 2;
  };
  limits.events[0] = concurrency;
  limits.spare = concurrency / 4;
  limits.each = std::max<std::size_t>(1, concurrency / 2);
  return limits;
}

std::chrono::milliseconds time_since(SteadyTime then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               then);
}

Lanes::Limits webhook_lanes() {
  Lanes::Limits limits;
  limits.events = kWebhooks;
  limits.bytes = kWebhookBytes;
  limits.spare = kWebhooksSpare;
  limits.each = kWebhooksEach;
  limits.each_slow = kWebhooksEachSlow;
  limits.each_unproven = 1;
  limits.slow_after = kSlowWebhook;
  return limits;
}

}  // namespace

Dispatcher::Dispatcher(Parts parts, Limits limits)
    : parts_(parts),
      limits_(limits),
      functions_(function_lanes(limits.concurrency, parts.catalog)),
      webhooks_(webhook_lanes()) {}

void Dispatcher::load(const std::map<LaneKey, WallTime>& due_times) {
  for (const auto& [lane, due] : due_times) note(lane, due);
}

void Dispatcher::notice(LaneKey lane, WallTime due) {
  asio::post(parts_.loop, [this, lane = std::move(lane), due] { note(lane, due); });
}

void Dispatcher::notice(std::string function, WallTime due) {
  LaneKey lane;
  lane.function = std::move(function);
  notice(std::move(lane), due);
}

Lanes& Dispatcher::lanes_of(const LaneKey& lane) {
  return lane.url.empty() ? functions_ : webhooks_;
}

void Dispatcher::note(const LaneKey& lane, WallTime due) {
  lanes_of(lane).note(lane, due);
  wake_.set();
}

Task<void> Dispatcher::run() {
  while (!stopping_) {
    bool well = false;
    try {
      well = co_await take_turn();
    } catch (const std::exception& error) {
      spdlog::error("the queue stands still: {}", error.what());
      functions_.look_again(parts_.clock.now());
      webhooks_.look_again(parts_.clock.now());
    }
    if (!well && !stopping_) co_await sleep_for(kDatabaseRetry);
  }
}

// False where there is something to do that could not be done.
Task<bool> Dispatcher::take_turn() {
  wake_.reset();
  const Lanes::Time now{parts_.clock.now(), parts_.clock.steady_now()};
  Turn turn;
  turn.functions = functions_.choose(now);
  turn.webhooks = webhooks_.choose(now);
  if (turn.functions.empty() && turn.webhooks.empty()) {
    co_await wait_for_work(now);
    co_return true;
  }
  co_return co_await claim(std::move(turn), now.wall);
}

Task<void> Dispatcher::wait_for_work(const Lanes::Time& now) {
  const auto sleep =
      std::min(functions_.idle_time(now, kLongestSleep), webhooks_.idle_time(now, kLongestSleep));
  co_await wake_.wait_until(std::chrono::steady_clock::now() +
                            std::max(sleep, std::chrono::milliseconds(1)));
}

// False where the database could not be written.
Task<bool> Dispatcher::claim(Turn turn, WallTime now) {
  auto work = [&table = parts_.table, turn, now,
               room = webhooks_.bytes()](SQLite::Database& database) {
    auto claims = table.claim(database, turn.functions, now);
    auto webhooks = table.claim(database, turn.webhooks, now, room);
    std::ranges::move(webhooks.events, std::back_inserter(claims.events));
    claims.next_due.merge(webhooks.next_due);
    return claims;
  };
  // A claim that power loss takes back is an event that waits: as good.
  auto claims =
      co_await parts_.commits.run("claim events", std::move(work), store::Database::Sync::later);
  if (!claims) {
    spdlog::error("the queue stands still: {}", claims.error().message());
    for (const auto* lanes : {&turn.functions, &turn.webhooks}) {
      for (const auto& part : *lanes) note(part.lane, now);
    }
    co_return false;
  }
  // They stay claimed: the next server carries them out.
  if (stopping_) co_return true;
  for (auto& event : claims->events) {
    const auto lane = event.event.lane();
    lanes_of(lane).began(lane, event.event.payload.size());
    idle_.reset();
    asio::co_spawn(parts_.loop, execute(std::move(event)), in_background("an event"));
  }
  for (const auto& [lane, due] : claims->next_due) lanes_of(lane).seen(lane, due);
  co_return true;
}

Task<void> Dispatcher::execute(ClaimedEvent event) {
  const auto lane = event.event.lane();
  Lanes::Ending ending;
  ending.well = false;
  std::string broken;
  try {
    ending = co_await carry_out(event);
  } catch (const std::exception& error) {
    broken = error.what();
  }
  if (!broken.empty()) co_await put_back(event, std::move(broken));
  // As long as it took to fail: one that hangs takes no more than half of a place's time.
  if (!lane.url.empty() && !ending.well)
    webhooks_.rest(lane, parts_.clock.steady_now() + ending.took);
  lanes_of(lane).ended(lane, event.event.payload.size(), ending);
  wake_.set();
  if (functions_.running() + webhooks_.running() == 0) idle_.set();
}

Task<Lanes::Ending> Dispatcher::carry_out(const ClaimedEvent& event) {
  if (!event.event.url.empty()) co_return co_await deliver(event);
  co_await call_function(event);
  co_return Lanes::Ending();
}

template <class Rules>
Rules Dispatcher::in_time(Rules rules) const {
  if (!parts_.clock.is_trusted()) rules.max_age = kNoAge;
  return rules;
}

// After a defect of ours: the event is tried again, later and later.
Task<void> Dispatcher::put_back(const ClaimedEvent& event, std::string reason) {
  spdlog::error("event {} of {} was not carried out, and is tried again: {}", event.event.id,
                event.event.function, reason);
  try {
    const auto now = parts_.clock.now();
    auto verdict =
        verdict_of(event, in_time(limits_.retries), fail(ErrorCode::internal, "{}", reason), now);
    co_await record(event, std::move(verdict), {});
  } catch (const std::exception& error) {
    spdlog::error("event {} waits for the next start: {}", event.event.id, error.what());
  }
}

Task<void> Dispatcher::call_function(const ClaimedEvent& event) {
  const auto config = config_of(event.event);
  auto made = co_await attempt(event, config);
  auto& verdict = made.verdict;
  if (was_cut_off(verdict)) co_return;
  auto next = co_await onward(event, made, config);
  verdict.success.problem = verdict.failure.problem = std::move(next.problem);
  if (verdict.failure.throttles > event.throttles)
    functions_.rest(event.event.lane(), parts_.clock.steady_now() + kRest);
  co_await record(event, std::move(verdict), std::move(next.events));
}

void Dispatcher::tell_span(const ClaimedEvent& event, const invoke::CallTrace& trace,
                           const Verdict& verdict, unsigned status, WallTime began,
                           std::chrono::microseconds took) const {
  if (parts_.spans == nullptr) return;
  observe::CallRecord record;
  record.request_id = event.event.id;
  record.function = event.event.function;
  record.source = observe::CallSource::webhook;
  record.trace = trace.context;
  record.trace_state = trace.state;
  record.begin = began;
  record.total = took;
  record.attempt = event.attempts + 1;
  record.status = status;
  record.payload_bytes = event.event.payload.size();
  if (verdict.state != EventState::succeeded) {
    record.end = observe::CallEnd::unavailable;
    record.error_type = verdict.failure.error_type;
    record.reason = verdict.failure.error_message;
  }
  parts_.spans->record(record);
}

Task<Lanes::Ending> Dispatcher::deliver(const ClaimedEvent& event) {
  Lanes::Ending ending;
  Verdict verdict;
  const auto now = parts_.clock.now();
  if (too_old(event, in_time(limits_.deliveries), now)) {
    verdict = verdict_too_old(event, limits_.deliveries);
  } else {
    const auto began = std::chrono::steady_clock::now();
    const auto& sent = event.event;
    const auto trace = limits_.traces.resume(sent.trace, sent.id, event.accepted);
    auto answer = co_await parts_.webhooks.send(event, trace);
    ending.took = time_since(began);
    const auto status = answer ? answer->status : 0;
    const auto end = parts_.clock.now();
    verdict = verdict_of(event, in_time(limits_.deliveries), std::move(answer), end);
    tell_span(event, trace, verdict, status, now, ending.took);
  }
  ending.well = verdict.state == EventState::succeeded;
  if (was_cut_off(verdict)) co_return ending;
  co_await record(event, std::move(verdict), {});
  co_return ending;
}

std::optional<InvokeConfig> Dispatcher::config_of(const NewEvent& event) const {
  if (!event.qualifier.empty()) return parts_.configs.find(event.function, event.qualifier);
  auto found = parts_.configs.in_effect(event.function);
  if (!found) return std::nullopt;
  return std::move(found->config);
}

Result<function::Resolved> Dispatcher::target_of(const NewEvent& event) const {
  return event.qualifier.empty() ? parts_.catalog.resolve_live(event.function)
                                 : parts_.catalog.resolve(event.function, event.qualifier);
}

Task<Dispatcher::Attempt> Dispatcher::attempt(const ClaimedEvent& event,
                                              const std::optional<InvokeConfig>& config) {
  const auto rules = rules_for(limits_.retries, config);
  const auto now = parts_.clock.now();
  const auto& submitted = event.event;
  auto trace = limits_.traces.resume(submitted.trace, submitted.id, event.accepted);
  Attempt made;
  made.trace = invoke::kept(trace);
  auto target = target_of(submitted);
  if (event.event.hops > kMostHops) {
    made.verdict = verdict_in_circles(event);
  } else if (too_old(event, in_time(rules), now)) {
    made.verdict = verdict_too_old(event);
  } else if (!target) {
    made.verdict = verdict_missing(event, target.error());
  } else {
    made.trace = invoke::kept_below(trace);
    auto outcome = co_await call(event, std::move(*target), std::move(trace));
    const auto end = parts_.clock.now();
    made.verdict = verdict_of(event, in_time(rules), std::move(outcome), end);
  }
  co_return made;
}

Task<Result<invoke::Outcome>> Dispatcher::call(const ClaimedEvent& event, function::Resolved target,
                                               invoke::CallTrace trace) {
  const auto& submitted = event.event;
  invoke::Call call;
  call.payload = submitted.payload;
  call.request_id = submitted.id;
  call.trace = trace.context;
  call.trace_id = std::move(trace.amzn);
  call.trace_state = std::move(trace.state);
  call.client_context = submitted.client_context;
  call.source = submitted.source == EventSource::schedule ? observe::CallSource::schedule
                                                          : observe::CallSource::queue;
  call.attempt = event.attempts + event.throttles + 1;
  call.accepted = event.accepted;
  call.invoked_arn = parts_.catalog.function_arn(submitted.function, target.qualifier);
  call.target = std::move(target);
  co_return co_await parts_.invoker.invoke(std::move(call));
}

// Without a payload.
Result<NewEvent> Dispatcher::event_for(const std::string& address, const ClaimedEvent& event,
                                       const invoke::KeptTrace& trace) const {
  auto destination = parse_destination(address, parts_.catalog);
  if (!destination) {
    spdlog::warn("the result of event {} of {} goes nowhere: {}", event.event.id,
                 event.event.function, destination.error().message());
    return fail(std::move(destination.error()), "the result went nowhere");
  }
  NewEvent next;
  next.id = random_uuid();
  next.url = std::move(destination->url);
  if (next.url.empty()) {
    next.function = std::move(destination->function);
    next.qualifier = std::move(destination->qualifier);
  } else {
    next.function = event.event.function;
    next.qualifier = event.event.qualifier;
  }
  next.trace = trace;
  next.source = EventSource::destination;
  next.hops = event.event.hops + 1;
  return next;
}

Task<Dispatcher::Onward> Dispatcher::onward(const ClaimedEvent& event, const Attempt& attempt,
                                            const std::optional<InvokeConfig>& config) const {
  Onward onward;
  const auto& verdict = attempt.verdict;
  if (verdict.state == EventState::waiting || verdict.condition == Condition::circle)
    co_return onward;
  const bool good = verdict.state == EventState::succeeded;
  const auto& qualifier = event.event.qualifier;
  const auto address = config ? (good ? config->on_success : config->on_failure) : std::string();
  if (!address.empty()) {
    auto next = event_for(address, event, attempt.trace);
    if (next) {
      const auto arn = parts_.catalog.function_arn(event.event.function,
                                                   qualifier.empty() ? "$LATEST" : qualifier);
      auto write = [&event, &verdict, arn, now = parts_.clock.now()] {
        return destination_record(event, verdict, arn, now);
      };
      const auto size = event.event.payload.size() + verdict.success.payload.size() +
                        verdict.failure.payload.size();
      next->payload = co_await run_sized(parts_.readers, size, std::move(write));
      onward.events.push_back(std::move(*next));
    } else {
      onward.problem = next.error().message();
    }
  }
  const auto target = target_of(event.event);
  if (good || !target) co_return onward;
  const auto& letters = target->version->configuration.dead_letter_target;
  if (letters.empty()) co_return onward;
  if (auto letter = event_for(letters, event, attempt.trace)) {
    letter->payload = event.event.payload;
    letter->client_context = dead_letter_attributes(event, verdict);
    onward.events.push_back(std::move(*letter));
  } else {
    onward.problem += onward.problem.empty() ? "" : "; ";
    onward.problem += "DeadLetterConfig: " + letter.error().message();
  }
  co_return onward;
}

// Not for every event, every second.
void Dispatcher::tell_unwritten(const ClaimedEvent& event, const Error& error) {
  const auto now = std::chrono::steady_clock::now();
  if (unwritten_told_ && now - *unwritten_told_ < kTellUnwrittenEvery) return;
  unwritten_told_ = now;
  spdlog::error("the end of event {} and of others cannot be written yet: {}", event.event.id,
                error.message());
}

// What has happened must be written down: an event that stays `running` is carried out again. The
// events for destinations are written in the same transaction: never lost, never twice.
Task<void> Dispatcher::record(const ClaimedEvent& event, Verdict verdict,
                              std::vector<NewEvent> next) {
  const auto write = [&table = parts_.table, &event, &verdict](SQLite::Database& database,
                                                               WallTime now) {
    switch (verdict.state) {
      case EventState::succeeded:
        return table.succeed(database, event, verdict.success, now);
      case EventState::dead:
        return table.die(database, event, verdict.failure, now);
      default:
        return table.retry(database, event, verdict.failure, verdict.due);
    }
  };
  while (true) {
    auto work = [&write, &next, this, now = parts_.clock.now()](SQLite::Database& database) {
      const bool ours = write(database, now);
      if (!ours) return false;
      // A destination that was deleted meanwhile has no queue any more.
      const auto functions = parts_.catalog.snapshot();
      for (const auto& going : next) {
        if (functions->functions.contains(going.function))
          parts_.table.insert(database, going, now);
      }
      return true;
    };
    auto written = co_await parts_.commits.run("record an event's end", std::move(work));
    if (written) break;
    if (stopping_) co_return;
    tell_unwritten(event, written.error());
    co_await sleep_for(kDatabaseRetry);
  }
  if (verdict.state == EventState::waiting) {
    note(event.event.lane(), verdict.due);
  } else if (event.event.source == EventSource::schedule && scheduled_end_) {
    scheduled_end_(event.event.function);
  }
  for (const auto& going : next) note(going.lane(), parts_.clock.now());
}

void Dispatcher::pause() {
  stopping_ = true;
  wake_.set();
}

Task<void> Dispatcher::stop(SteadyTime deadline) {
  pause();
  if (functions_.running() + webhooks_.running() > 0) co_await idle_.wait_until(deadline);
  cut_ = true;
}

}  // namespace lambda::events
