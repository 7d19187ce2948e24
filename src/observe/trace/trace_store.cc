// A call's way: the ring of its loop -> where it was slow or failed, the queue -> the thread
// **traces** -> a file.
#include "observe/trace/trace_store.h"

#include "observe/trace/call_queue.h"
#include "observe/trace/kept_call.h"
#include "observe/trace/slow_calls.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <utility>

namespace lambda::observe {
namespace {

namespace json = boost::json;
using std::chrono::microseconds;

constexpr std::size_t kOnTheWay = 4096;
// Of each loop: what did not reach its function tells little that its neighbours do not.
constexpr int kUnservedASecond = 20;
constexpr std::chrono::milliseconds kWriteEvery{100};
constexpr std::chrono::seconds kSweepEvery{60};
constexpr std::chrono::minutes kComplaintInterval{1};

bool is_unserved(CallEnd end) {
  return end == CallEnd::throttled || end == CallEnd::refused || end == CallEnd::unavailable;
}

// What a function can be slow at: a response that is streamed takes as long as it likes.
microseconds latency_of(const CallRecord& call) {
  const auto* response = call.find(CallStep::response);
  return call.http && response != nullptr ? call.total - response->duration : call.total;
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::int64_t number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

bool is_set(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

// The same call, from memory and from disk.
bool is_same(const json::object& a, const json::object& b) {
  return number_of(a, "attempt") == number_of(b, "attempt") &&
         text_of(a, "time") == text_of(b, "time") && text_of(a, "spanId") == text_of(b, "spanId") &&
         text_of(a, "requestId") == text_of(b, "requestId");
}

void add_new(std::vector<json::object>& all, std::vector<json::object> more) {
  for (auto& one : more) {
    const bool known =
        std::ranges::any_of(all, [&](const auto& other) { return is_same(one, other); });
    if (!known) all.push_back(std::move(one));
  }
}

bool is_older(const json::object& a, const json::object& b) {
  const auto time_a = text_of(a, "time");
  const auto time_b = text_of(b, "time");
  return time_a != time_b ? time_a < time_b : number_of(a, "attempt") < number_of(b, "attempt");
}

// Whoever waited for a call's answer made one call: the files, of which all would have to be read,
// know no other of its id.
bool is_all_of_a_request(const std::vector<json::object>& found) {
  if (found.size() != 1) return false;
  const auto source = text_of(found.front(), "source");
  return source == to_string(CallSource::api) || source == to_string(CallSource::url);
}

// The sink of one loop, and its ring.
class LoopTraces final : public CallSink {
 public:
  LoopTraces(CallQueue& queue, const TraceLimits& limits)
      : queue_(queue), limit_(limits.recent), slow_(limits.slow) {}

  void record(const CallRecord& call) noexcept override {
    try {
      keep(call);
    } catch (const std::exception& error) {
      spdlog::error("a call is not kept for its trace: {}", error.what());
    }
  }
  // Newest first.
  [[nodiscard]] std::vector<json::object> find(
      std::size_t limit, const std::function<bool(const KeptCall&)>& wanted) const {
    std::vector<json::object> found;
    for (std::size_t i = 0; i < ring_.size() && found.size() < limit; ++i) {
      const auto& call = ring_[(next_ + ring_.size() - 1 - i) % ring_.size()];
      if (wanted(call)) found.push_back(to_json(call));
    }
    return found;
  }

 private:
  void keep(const CallRecord& call) {
    const bool slow = !is_unserved(call.end) && slow_.count(call.function, latency_of(call));
    if (ring_.size() < limit_) {
      ring_.emplace_back();
      next_ = ring_.size() - 1;
    }
    ring_[next_].assign(call, slow);
    next_ = (next_ + 1) % limit_;
    if (!slow && call.end == CallEnd::success) return;
    if (is_unserved(call.end) && !has_turn(call.begin)) return;
    queue_.give(call, slow);
  }
  bool has_turn(WallTime at) {
    const auto second = std::chrono::floor<std::chrono::seconds>(at);
    if (second != second_) {
      second_ = second;
      unserved_ = 0;
    }
    return unserved_++ < kUnservedASecond;
  }

  CallQueue& queue_;
  const std::size_t limit_;
  SlowCalls slow_;
  std::vector<KeptCall> ring_;
  std::size_t next_ = 0;  // where the next call goes
  std::chrono::sys_seconds second_{};
  int unserved_ = 0;
};

class FileTraceStore final : public TraceStore {
 public:
  FileTraceStore(TraceFiles files, std::vector<Loop*> loops, BlockingPool& readers,
                 const Clock& clock, const TraceLimits& limits)
      : files_(std::move(files)), loops_(std::move(loops)), readers_(readers), clock_(clock) {
    for (std::size_t i = 0; i < loops_.size(); ++i)
      sinks_.push_back(std::make_unique<LoopTraces>(queue_, limits));
    writer_ = std::thread([this] { write_until_finished(); });
  }
  ~FileTraceStore() override { finish(); }
  FileTraceStore(const FileTraceStore&) = delete;
  FileTraceStore& operator=(const FileTraceStore&) = delete;

  CallSink& sink_of(std::size_t loop) override { return *sinks_.at(loop); }
  Task<std::vector<json::object>> find(std::string request_id) override;
  Task<std::vector<json::object>> list(Query query) override;
  std::uint64_t lost() const override {
    return queue_.dropped() + unwritten_.load(std::memory_order_relaxed);
  }
  void finish() override;

 private:
  using Wanted = std::function<bool(const KeptCall&)>;
  using WantedLine = std::function<bool(const json::object&)>;
  Task<std::vector<json::object>> in_memory(std::size_t limit, Wanted wanted);
  Task<std::vector<json::object>> with_files(std::vector<json::object> found, std::string mark,
                                             std::size_t limit, WantedLine wanted_line);
  void write_until_finished();
  void write(const std::vector<KeptCall>& calls);

  TraceFiles files_;
  std::vector<Loop*> loops_;
  BlockingPool& readers_;
  const Clock& clock_;
  CallQueue queue_{kOnTheWay};
  std::vector<std::unique_ptr<LoopTraces>> sinks_;
  std::mutex mutex_;
  std::condition_variable end_;
  bool finished_ = false;
  std::atomic<std::uint64_t> unwritten_ = 0;
  std::uint64_t dropped_told_ = 0;
  SteadyTime complained_{};
  std::thread writer_;
};

Task<std::vector<json::object>> visit(const LoopTraces& traces, std::size_t limit,
                                      const std::function<bool(const KeptCall&)>& wanted) {
  co_return traces.find(limit, wanted);
}

Task<std::vector<json::object>> FileTraceStore::in_memory(std::size_t limit, Wanted wanted) {
  std::vector<json::object> found;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    auto visiting = visit(*sinks_[i], limit, wanted);
    add_new(found, co_await cross_to(*loops_[i], std::move(visiting)));
  }
  co_return found;
}

// Oldest first.
Task<std::vector<json::object>> FileTraceStore::with_files(std::vector<json::object> found,
                                                           std::string mark, std::size_t limit,
                                                           WantedLine wanted_line) {
  auto read = [this, &mark, limit, &wanted_line] { return files_.read(mark, limit, wanted_line); };
  add_new(found, co_await run_blocking(readers_, std::move(read)));
  std::ranges::sort(found, is_older);
  co_return found;
}

Task<std::vector<json::object>> FileTraceStore::find(std::string request_id) {
  // More attempts than this no event has.
  constexpr std::size_t kMostAttempts = 200;
  Wanted wanted = [&request_id](const KeptCall& call) { return call.request_id() == request_id; };
  WantedLine wanted_line = [&request_id](const json::object& line) {
    return text_of(line, "requestId") == request_id;
  };
  auto mark = "\"requestId\":" + json::serialize(json::string(request_id));
  auto found = co_await in_memory(kMostAttempts, std::move(wanted));
  if (is_all_of_a_request(found)) co_return found;
  co_return co_await with_files(std::move(found), std::move(mark), kMostAttempts,
                                std::move(wanted_line));
}

Task<std::vector<json::object>> FileTraceStore::list(Query query) {
  const bool all = !query.slow && !query.failed;
  Wanted wanted = [&query, all](const KeptCall& call) {
    return call.function() == query.function &&
           (all || (query.slow && call.slow()) || (query.failed && call.failed()));
  };
  WantedLine wanted_line = [&query, all](const json::object& line) {
    return text_of(line, "function") == query.function &&
           (all || (query.slow && is_set(line, "slow")) ||
            (query.failed && text_of(line, "end") != to_string(CallEnd::success)));
  };
  auto mark = "\"function\":" + json::serialize(json::string(query.function));
  auto found = co_await in_memory(query.limit, std::move(wanted));
  found =
      co_await with_files(std::move(found), std::move(mark), query.limit, std::move(wanted_line));
  std::ranges::reverse(found);
  if (found.size() > query.limit) found.resize(query.limit);
  co_return found;
}

void FileTraceStore::write(const std::vector<KeptCall>& calls) {
  std::string lines;
  for (const auto& call : calls) lines += json::serialize(to_json(call)) + '\n';
  auto written = files_.write(lines);
  if (!written) unwritten_.fetch_add(calls.size(), std::memory_order_relaxed);
  const auto now = clock_.steady_now();
  const auto dropped = queue_.dropped();
  const bool lost = !written || dropped > dropped_told_;
  if (!lost || (complained_ != SteadyTime() && now - complained_ < kComplaintInterval)) return;
  complained_ = now;
  if (!written) {
    spdlog::warn("traces of slow and failed calls are not kept: {} (said at most once a minute)",
                 written.error().message());
  } else {
    spdlog::warn("{} traces of slow and failed calls came faster than the disk takes them",
                 dropped - std::exchange(dropped_told_, dropped));
  }
}

void FileTraceStore::write_until_finished() {
  ::pthread_setname_np(::pthread_self(), "traces");
  auto swept = std::chrono::steady_clock::now();
  files_.sweep(clock_.now());
  bool last = false;
  while (!last) {
    {
      std::unique_lock lock(mutex_);
      last = end_.wait_for(lock, kWriteEvery, [this] { return finished_; });
    }
    const auto calls = queue_.take();
    if (!calls.empty()) write(calls);
    if (std::chrono::steady_clock::now() - swept < kSweepEvery) continue;
    files_.sweep(clock_.now());
    swept = std::chrono::steady_clock::now();
  }
}

void FileTraceStore::finish() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  end_.notify_all();
  if (writer_.joinable()) writer_.join();
}

}  // namespace

Result<std::unique_ptr<TraceStore>> TraceStore::open(std::filesystem::path directory,
                                                     std::vector<Loop*> loops,
                                                     BlockingPool& readers, const Clock& clock,
                                                     TraceLimits limits) {
  auto files = TraceFiles::open(std::move(directory), limits.files);
  if (!files) return fail(std::move(files.error()));
  std::unique_ptr<TraceStore> store =
      std::make_unique<FileTraceStore>(std::move(*files), std::move(loops), readers, clock, limits);
  return store;
}

}  // namespace lambda::observe
