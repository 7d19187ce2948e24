// The dispatcher carries out the queue's events: it claims those that are due, calls their
// functions or sends their webhooks, and writes down what came of it.
//
// Functions take turns (lanes.h): one function takes at most half of the room, and half of its
// reserved concurrency, and the last quarter is for functions that have nothing of it; at most
// `concurrency` events run at once, so that synchronous calls find room. A function that could not
// be called rests for a moment: its other events would fare no better. Webhooks have room of their
// own, and a lane for each address: those that hang hold up neither functions nor webhooks to
// addresses that work. In memory are the lanes and what runs, never the events that wait.
//
// Threads: everything on its loop, but notice(), which any thread may call. Lives as long as the
// loop runs.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/watched_clock.h"
#include "events/queue/attempt.h"
#include "events/queue/event_table.h"
#include "events/queue/invoke_config.h"
#include "events/queue/lanes.h"
#include "events/webhook/delivery.h"
#include "events/webhook/sender.h"
#include "function/catalog.h"
#include "invoke/call_trace.h"
#include "invoke/invoker.h"
#include "observe/call_record.h"
#include "store/group_commit.h"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lambda::events {

class Dispatcher {
 public:
  // All of it outlives the dispatcher.
  struct Parts {
    Loop& loop;
    store::GroupCommit& commits;
    EventTable& table;
    const InvokeConfigs& configs;
    const function::Catalog& catalog;
    invoke::Invoker& invoker;
    WebhookSender& webhooks;
    BlockingPool& readers;  // for what works through large payloads
    const WatchedClock& clock;
    observe::CallSink* spans;  // of webhooks; null where nobody wants them
  };
  struct Limits {
    std::size_t concurrency = 32;
    RetryRules retries;
    DeliveryRules deliveries;
    invoke::TraceRules traces;
  };
  Dispatcher(Parts parts, Limits limits);

  void on_scheduled_end(std::function<void(const std::string& function)> listener) {
    scheduled_end_ = std::move(listener);
  }
  // The lanes that the database knows: before run(), or on the loop where the clock was set.
  void load(const std::map<LaneKey, WallTime>& due_times);
  // There is an event in that lane, due at that time. Any thread.
  void notice(LaneKey lane, WallTime due);
  void notice(std::string function, WallTime due);

  // Until pause(). Events that are running then end by themselves.
  Task<void> run();
  // Claims nothing more.
  void pause();
  // The same; returns when nothing runs, or at the deadline. What fails later than that was cut
  // off: no attempt of the function's, and carried out again by the next server.
  Task<void> stop(SteadyTime deadline);

 private:
  [[nodiscard]] Lanes& lanes_of(const LaneKey& lane);
  void note(const LaneKey& lane, WallTime due);
  Task<bool> take_turn();
  [[nodiscard]] Task<void> wait_for_work(const Lanes::Time& now);
  struct Turn {
    std::vector<EventTable::Wanted> functions;
    std::vector<EventTable::Wanted> webhooks;
  };
  Task<bool> claim(Turn turn, WallTime now);
  Task<void> execute(ClaimedEvent event);
  Task<Lanes::Ending> carry_out(const ClaimedEvent& event);
  Task<void> put_back(const ClaimedEvent& event, std::string reason);
  Task<void> call_function(const ClaimedEvent& event);
  void tell_span(const ClaimedEvent& event, const invoke::CallTrace& trace, const Verdict& verdict,
                 unsigned status, WallTime began, std::chrono::microseconds took) const;
  // How the receiver took it.
  Task<Lanes::Ending> deliver(const ClaimedEvent& event);
  [[nodiscard]] bool was_cut_off(const Verdict& verdict) const {
    return cut_ && verdict.state != EventState::succeeded;
  }
  // The rules as they are, or without an age where the clock may be wrong now.
  template <class Rules>
  [[nodiscard]] Rules in_time(Rules rules) const;
  [[nodiscard]] std::optional<InvokeConfig> config_of(const NewEvent& event) const;
  [[nodiscard]] Result<function::Resolved> target_of(const NewEvent& event) const;
  struct Attempt {
    Verdict verdict;
    invoke::KeptTrace trace;  // for what the result goes on as
  };
  Task<Attempt> attempt(const ClaimedEvent& event, const std::optional<InvokeConfig>& config);
  Task<Result<invoke::Outcome>> call(const ClaimedEvent& event, function::Resolved target,
                                     invoke::CallTrace trace);
  // The events that the result goes on as: to a destination, and as a dead letter.
  struct Onward {
    std::vector<NewEvent> events;
    std::string problem;  // why some are missing
  };
  Task<Onward> onward(const ClaimedEvent& event, const Attempt& attempt,
                      const std::optional<InvokeConfig>& config) const;
  [[nodiscard]] Result<NewEvent> event_for(const std::string& address, const ClaimedEvent& event,
                                           const invoke::KeptTrace& trace) const;
  void tell_unwritten(const ClaimedEvent& event, const Error& error);
  Task<void> record(const ClaimedEvent& event, Verdict verdict, std::vector<NewEvent> next);

  Parts parts_;
  Limits limits_;
  Lanes functions_;
  Lanes webhooks_;
  std::function<void(const std::string& function)> scheduled_end_;
  std::optional<SteadyTime> unwritten_told_;
  bool stopping_ = false;
  bool cut_ = false;  // what runs on is ended by force
  AsyncEvent wake_;   // something became due, or ended
  AsyncEvent idle_;   // nothing runs
};

}  // namespace lambda::events
