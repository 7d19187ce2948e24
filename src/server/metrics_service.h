// MetricsService: gathers what the metrics are made of, answers for them, and keeps the totals in
// the database: every ten seconds, at the end, and before anybody is shown counters by Prometheus'
// text, so that these never go back.
//
// Threads: the book of calls is the metrics thread's alone; what a loop records comes there in
// batches, and answers are made there. prometheus(), stats(), stats_of() on any loop.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "events/queue/event_queue.h"
#include "function/catalog.h"
#include "http/server.h"
#include "invoke/sharded_invoker.h"
#include "observe/metrics/call_book.h"
#include "observe/metrics/loop_metrics.h"
#include "observe/metrics/metrics_source.h"
#include "observe/metrics/scene.h"
#include "observe/metrics/totals_table.h"
#include "store/database.h"
#include "store/group_commit.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lambda::server {

class MetricsService final : public observe::MetricsSource {
 public:
  // All of it outlives the service.
  struct Parts {
    std::vector<Loop*> loops;
    BlockingPool& thread;  // one; finished before the service goes
    store::Database& database;
    store::GroupCommit& commits;
    const function::Catalog& catalog;
    invoke::ShardedInvoker& invoker;
    events::EventQueue& events;
    const Clock& clock;
    std::function<observe::ServerFacts()> facts;  // any thread; may read /proc
  };
  explicit MetricsService(Parts parts);
  ~MetricsService() override;
  MetricsService(const MetricsService&) = delete;
  MetricsService& operator=(const MetricsService&) = delete;

  // The totals of earlier runs; before the loops run. What cannot be read of them is left out, with
  // a word in the log. Errors: the database's.
  Result<Done> load();
  // One a loop, in the order of the loops.
  [[nodiscard]] std::vector<observe::CallSink*> sinks();
  [[nodiscard]] std::vector<http::RequestObserver*> observers();
  [[nodiscard]] observe::ServerCounters& counters() { return counters_; }
  void start();
  // Saves the last. On one of the loops.
  Task<void> stop();
  // The function is gone. Any thread.
  void forget(std::string function);

  Task<Result<std::string>> prometheus() override;
  Task<Result<boost::json::object>> stats() override;
  Task<Result<boost::json::object>> stats_of(std::string function) override;

 private:
  class Answering;
  class Saving;
  struct OfLoop;

  Task<void> flush_all();
  Task<void> flush_often(std::size_t loop);
  Task<void> save_often();
  Task<void> count_queues();
  Task<bool> save();
  Task<bool> save_here();
  void keep_what_exists();
  template <class Make>
  Task<Result<std::invoke_result_t<Make, const observe::Scene&>>> answer(Make make);

  Parts parts_;
  std::vector<std::unique_ptr<OfLoop>> of_loops_;
  observe::ServerCounters counters_;
  observe::TotalsTable table_;
  std::atomic<int> answering_{0};
  // On the metrics thread.
  observe::CallBook book_;
  std::map<std::string, observe::QueueGauges> queues_;
  std::uint64_t kept_revision_ = 0;
  std::size_t kept_series_ = 0;
  SteadyTime kept_at_{};
  // On the first loop.
  bool saving_ = false;
  AsyncEvent saved_;
  bool save_failed_ = false;
};

}  // namespace lambda::server
