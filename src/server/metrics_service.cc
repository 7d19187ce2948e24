// An answer: every loop hands on what it has recorded and says what it has running -> the metrics
// thread, which has got all of that by then, makes the text.
#include "server/metrics_service.h"

#include "base/background.h"
#include "function/validation.h"
#include "observe/metrics/prometheus_text.h"
#include "observe/metrics/stats_json.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace lambda::server {
namespace {

constexpr std::chrono::seconds kFlushPause{1};
constexpr std::chrono::seconds kSavePause{10};
constexpr std::chrono::seconds kQueuePause{5};
// A queue of a million takes a while to count: no more than a fiftieth of the time.
constexpr int kQueueShare = 50;
// Recent calls grow old without a change of the catalog.
constexpr std::chrono::minutes kKeepPause{1};
// Answers at a time; each may take a second where there are 10,000 functions.
constexpr int kMostAnswers = 8;
// In one transaction, so that the store's other changes do not wait long.
constexpr std::size_t kRowsAtOnce = 500;

bool exists(const function::Snapshot& snapshot, const std::string& name,
            const std::string& version) {
  const auto found = snapshot.functions.find(name);
  if (found == snapshot.functions.end()) return false;
  if (version.empty() || version == "$LATEST") return true;
  const auto number = function::parse_version(version);
  return number && found->second->versions.contains(*number);
}

}  // namespace

// What one loop counts.
struct MetricsService::OfLoop final : public http::RequestObserver {
  explicit OfLoop(observe::CallRecorder::Deliver deliver) : calls(std::move(deliver)) {}
  void served(const http::ServedRequest& request) noexcept override {
    http.add(request.door, request.status, request.received, request.sent);
    if (!request.answerer.empty())
      calls.answered(request.answerer, request.answerer_version, request.status);
  }
  observe::LoopMetrics calls;
  observe::HttpCounts http;
};

// One of a few that are answered at a time.
class MetricsService::Answering {
 public:
  explicit Answering(std::atomic<int>& count) : count_(count), taken_(++count <= kMostAnswers) {}
  ~Answering() { --count_; }
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;
  [[nodiscard]] bool taken() const { return taken_; }

 private:
  std::atomic<int>& count_;
  bool taken_;
};

// One after the other: rows that are older never come after newer ones.
class MetricsService::Saving {
 public:
  explicit Saving(MetricsService& service) : service_(service) {
    service_.saving_ = true;
    service_.saved_.reset();
  }
  ~Saving() {
    service_.saving_ = false;
    service_.saved_.set();
  }
  Saving(const Saving&) = delete;
  Saving& operator=(const Saving&) = delete;

 private:
  MetricsService& service_;
};

MetricsService::MetricsService(Parts parts)
    : parts_(std::move(parts)),
      table_(parts_.catalog.tenant().account, parts_.catalog.tenant().region) {
  auto deliver = [this](observe::CallRecorder::Batch batch) {
    parts_.thread.post([this, batch = std::move(batch)] {
      for (const auto& sample : batch) book_.add(sample);
    });
  };
  for (std::size_t i = 0; i < parts_.loops.size(); ++i)
    of_loops_.push_back(std::make_unique<OfLoop>(deliver));
}

MetricsService::~MetricsService() = default;

Result<Done> MetricsService::load() {
  std::vector<observe::CallBook::Row> rows;
  auto read = parts_.database.read(
      "read the totals of calls",
      [this, &rows](SQLite::Database& database) { rows = table_.load(database); });
  if (!read) return read;
  for (const auto& row : rows) {
    if (auto restored = book_.restore(row); !restored)
      spdlog::warn("the totals of function \"{}\", version \"{}\", begin at zero: {}", row.function,
                   row.version, restored.error().message());
  }
  keep_what_exists();
  return Done{};
}

std::vector<observe::CallSink*> MetricsService::sinks() {
  std::vector<observe::CallSink*> all;
  for (const auto& loop : of_loops_) all.push_back(&loop->calls);
  return all;
}

std::vector<http::RequestObserver*> MetricsService::observers() {
  std::vector<http::RequestObserver*> all;
  for (const auto& loop : of_loops_) all.push_back(loop.get());
  return all;
}

void MetricsService::start() {
  for (std::size_t i = 0; i < parts_.loops.size(); ++i)
    asio::co_spawn(*parts_.loops[i], flush_often(i), in_background("handing on the metrics"));
  auto& first = *parts_.loops.front();
  asio::co_spawn(first, save_often(), in_background("saving the totals of calls"));
  asio::co_spawn(first, count_queues(), in_background("counting the queues"));
}

Task<void> MetricsService::stop() {
  co_await flush_all();
  co_await save();
}

void MetricsService::forget(std::string function) {
  parts_.thread.post([this, function = std::move(function)] { book_.forget(function); });
}

// --- in the background

Task<void> MetricsService::flush_often(std::size_t loop) {
  while (co_await sleep_for(kFlushPause)) of_loops_[loop]->calls.flush();
}

Task<void> MetricsService::save_often() {
  while (co_await sleep_for(kSavePause)) {
    auto keep = [this] {
      keep_what_exists();
      return Done{};
    };
    co_await run_blocking(parts_.thread, std::move(keep));
    co_await save();
  }
}

Task<void> MetricsService::count_queues() {
  while (true) {
    const auto begin = std::chrono::steady_clock::now();
    const auto depths = co_await parts_.events.depths("");
    std::map<std::string, observe::QueueGauges> queues;
    if (depths) {
      for (const auto& depth : *depths)
        queues[depth.function] = {depth.waiting, depth.running, depth.dead, depth.oldest};
      parts_.thread.post([this, queues] { queues_ = queues; });
    }
    const auto pause =
        std::max<std::chrono::microseconds>(kQueuePause, elapsed_since(begin) * kQueueShare);
    if (!co_await sleep_for(pause)) co_return;
  }
}

Task<void> MetricsService::flush_all() {
  auto flush = [](OfLoop& loop) -> Task<void> {
    loop.calls.flush();
    co_return;
  };
  for (std::size_t i = 0; i < of_loops_.size(); ++i) {
    auto task = flush(*of_loops_[i]);
    const auto here = co_await asio::this_coro::executor;
    const auto executor = parts_.loops[i]->get_executor();
    if (here == executor) {
      co_await std::move(task);
    } else {
      co_await asio::co_spawn(executor, std::move(task), kUseAwaitable);
    }
  }
}

// On the metrics thread. A series that is new may be that of a deleted function, whose last call
// ended only now.
void MetricsService::keep_what_exists() {
  const auto snapshot = parts_.catalog.snapshot();
  const auto now = parts_.clock.steady_now();
  const bool same = snapshot->revision == kept_revision_ && book_.series() == kept_series_;
  if (same && now - kept_at_ < kKeepPause) return;
  kept_revision_ = snapshot->revision;
  kept_at_ = now;
  const auto is_there = [&snapshot](const std::string& function, const std::string& version) {
    return exists(*snapshot, function, version);
  };
  book_.keep_only(is_there, now);
  kept_series_ = book_.series();
}

// --- on disk

// False: not everything is.
Task<bool> MetricsService::save() {
  auto task = save_here();
  co_return co_await cross_to(*parts_.loops.front(), std::move(task));
}

Task<bool> MetricsService::save_here() {
  while (saving_) {
    if (!co_await saved_.wait()) co_return false;
  }
  const Saving saving(*this);
  auto take = [this] { return book_.take_changes(); };
  const auto rows = co_await run_blocking(parts_.thread, std::move(take));
  for (std::size_t begin = 0; begin < rows.size(); begin += kRowsAtOnce) {
    const auto size = std::min(kRowsAtOnce, rows.size() - begin);
    auto write = [this,
                  some = std::vector(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                     rows.begin() + static_cast<std::ptrdiff_t>(begin + size))](
                     SQLite::Database& database) {
      table_.save(database, some);
      return Done{};
    };
    // Power loss may take the last seconds, kill -9 does not: no sync for it.
    const auto written = co_await parts_.commits.run("save the totals of calls", std::move(write),
                                                     store::Database::Sync::later);
    if (written) continue;
    if (!std::exchange(save_failed_, true))
      spdlog::error("{}; it is tried again every {} s", written.error().message(),
                    kSavePause.count());
    std::vector<observe::CallBook::Row> left(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                             rows.end());
    auto put_back = [this, left = std::move(left)] {
      book_.put_back(left);
      return Done{};
    };
    co_await run_blocking(parts_.thread, std::move(put_back));
    co_return false;
  }
  save_failed_ = false;
  co_return true;
}

// --- answers

template <class Make>
Task<Result<std::invoke_result_t<Make, const observe::Scene&>>> MetricsService::answer(Make make) {
  auto gauges = co_await parts_.invoker.gauges();
  auto work = [this, make, gauges = std::move(gauges)] {
    keep_what_exists();
    observe::Scene scene{book_, gauges, queues_, {}, counters_.values(), parts_.facts(), {}, {}};
    for (const auto& loop : of_loops_) scene.http.push_back(&loop->http);
    scene.now = std::chrono::steady_clock::now();
    scene.time = parts_.clock.now();
    return make(scene);
  };
  co_return co_await run_blocking(parts_.thread, std::move(work));
}

namespace {

tl::unexpected<Error> too_many() {
  return fail(ErrorCode::overloaded,
              "{} others are being told the metrics at this moment; try again in a second",
              kMostAnswers);
}

}  // namespace

Task<Result<std::string>> MetricsService::prometheus() {
  const Answering answering(answering_);
  if (!answering.taken()) co_return too_many();
  co_await flush_all();
  auto make = [](const observe::Scene& scene) { return observe::prometheus_text(scene); };
  auto text = co_await answer(make);
  // All of what the text says, and what has come since, before anybody sees it. Where the disk is
  // full it is shown all the same.
  co_await save();
  co_return text;
}

Task<Result<boost::json::object>> MetricsService::stats() {
  const Answering answering(answering_);
  if (!answering.taken()) co_return too_many();
  co_await flush_all();
  auto make = [this](const observe::Scene& scene) {
    std::vector<std::string> names;
    for (const auto& [name, function] : parts_.catalog.snapshot()->functions) names.push_back(name);
    return observe::stats_json(scene, names);
  };
  co_return co_await answer(make);
}

Task<Result<boost::json::object>> MetricsService::stats_of(std::string function) {
  const Answering answering(answering_);
  if (!answering.taken()) co_return too_many();
  co_await flush_all();
  auto make = [function](const observe::Scene& scene) {
    return observe::function_stats_json(scene, function);
  };
  co_return co_await answer(make);
}

}  // namespace lambda::server
