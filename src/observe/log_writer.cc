#include "observe/log_writer.h"

#include "observe/log_json.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace lambda::observe {
namespace {

constexpr auto kFlushLimit = std::chrono::seconds(2);
constexpr auto kComplaintInterval = std::chrono::minutes(1);

}  // namespace

LogWriter::LogWriter(LogSegments& segments, LogIds& ids, const LogLimits& limits,
                     const Clock& clock, Recovered recovered, std::function<void()> reminded)
    : segments_(segments),
      ids_(ids),
      limits_(limits),
      clock_(clock),
      recovered_(std::move(recovered)),
      reminded_(std::move(reminded)),
      thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  thread_.join();
}

bool LogWriter::write(const std::string& function, LinePtr line) {
  const std::size_t cost = line->cost();
  const std::lock_guard lock(mutex_);
  auto& of_function = function_bytes_[function];
  // One that floods the queue takes nobody else's room.
  const bool spared = of_function + cost <= limits_.spared_queue_bytes;
  const bool fits = of_function + cost <= limits_.function_queue_bytes &&
                    queue_bytes_ + cost <= limits_.queue_bytes;
  if (!spared && !fits) return false;
  of_function += cost;
  queue_bytes_ += cost;
  queue_.push_back(Job{Job::Kind::line, function, std::move(line), {}});
  ++queued_;
  return true;
}

bool LogWriter::has_calmed(const std::string& function) {
  const std::lock_guard lock(mutex_);
  return queue_bytes_ * 2 < limits_.queue_bytes &&
         function_bytes_[function] * 2 < limits_.function_queue_bytes;
}

void LogWriter::wake() {
  work_.notify_one();
}

void LogWriter::add(Job job) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    ++queued_;
  }
  work_.notify_one();
}

void LogWriter::forget(const std::string& function) {
  add(Job{Job::Kind::forget, function, nullptr, {}});
}

void LogWriter::tidy() {
  add(Job{Job::Kind::tidy, {}, nullptr, {}});
}

void LogWriter::set_own_limits(OwnLogLimitsByFunction own) {
  add(Job{Job::Kind::limits, {}, nullptr, std::move(own)});
}

void LogWriter::remind() {
  {
    const std::lock_guard lock(mutex_);
    if (reminder_) return;
    reminder_ = std::chrono::steady_clock::now() + limits_.said_after;
  }
  work_.notify_one();
}

bool LogWriter::flush() {
  std::unique_lock lock(mutex_);
  const auto target = queued_;
  return written_.wait_for(lock, kFlushLimit, [&] { return done_ >= target; });
}

std::optional<LogTrouble> LogWriter::trouble(std::string_view function) {
  const std::lock_guard lock(mutex_);
  const auto found = troubles_.find(function);
  if (found == troubles_.end()) return std::nullopt;
  return found->second;
}

void LogWriter::run() {
  ::pthread_setname_np(::pthread_self(), "logs");
  std::unique_lock lock(mutex_);
  while (true) {
    const auto awake = [this] { return stopping_ || !queue_.empty(); };
    work_.wait(lock, [&] { return awake() || reminder_; });
    if (reminder_ && !awake()) work_.wait_until(lock, *reminder_, awake);
    if (reminder_ && std::chrono::steady_clock::now() >= *reminder_) {
      reminder_.reset();
      lock.unlock();
      reminded_();
      lock.lock();
    }
    if (queue_.empty() && stopping_) return;
    if (queue_.empty()) continue;
    std::deque<Job> jobs;
    jobs.swap(queue_);
    queue_bytes_ = 0;
    function_bytes_.clear();
    lock.unlock();
    carry_out(jobs);
    const auto count = jobs.size();
    jobs.clear();  // many lines: not under the lock
    lock.lock();
    done_ += count;
    written_.notify_all();
  }
}

void LogWriter::carry_out(const std::deque<Job>& jobs) {
  // Lines of one function together: one write for many of them.
  std::map<std::string, Pending> pending;
  std::uint64_t newest = 0;
  for (const auto& job : jobs) {
    if (job.kind == Job::Kind::tidy || job.kind == Job::Kind::limits) {
      // They are of what came before them, too.
      write_out(pending);
      if (job.kind == Job::Kind::tidy) {
        segments_.tidy(clock_.now());
      } else {
        segments_.set_own_limits(job.own, clock_.now());
      }
      continue;
    }
    auto& lines = pending[job.function];
    if (job.kind == Job::Kind::forget) {
      lines = {};
      segments_.remove(job.function);
      const std::lock_guard lock(mutex_);
      troubles_.erase(job.function);
      continue;
    }
    newest = std::max(newest, job.line->id);
    lines.lines += kept_json(*job.line);
    lines.lines += '\n';
    lines.newest = job.line->time;
    ++lines.count;
    if (lines.most == 0) lines.most = segments_.limits_of(job.function).segment_bytes / 4;
    if (lines.lines.size() >= lines.most) write_out(job.function, lines);
  }
  write_out(pending);
  // Where it cannot be written, the time keeps the ids of the next run apart from these.
  if (ids_.wants_more(newest)) (void)ids_.extend(newest);
}

void LogWriter::write_out(const std::string& function, Pending& pending) {
  if (pending.count == 0) return;
  auto written = segments_.write(function, pending.lines, pending.newest);
  const auto count = std::exchange(pending, {}).count;
  if (written) return note_success(function);
  note_failure(function, count, written.error());
}

void LogWriter::write_out(std::map<std::string, Pending>& pending) {
  for (auto& [function, lines] : pending) write_out(function, lines);
}

void LogWriter::note_failure(const std::string& function, std::uint64_t count, const Error& error) {
  bool first = false;
  const auto now = clock_.steady_now();
  {
    const std::lock_guard lock(mutex_);
    first = troubles_.empty() &&
            (complained_ == SteadyTime::min() || now - complained_ >= kComplaintInterval);
    if (first) complained_ = now;
    auto& trouble = troubles_[function];
    if (trouble.lines == 0) trouble.since = clock_.now();
    trouble.lines += count;
    trouble.reason = error.message();
  }
  if (!first) return;
  spdlog::error(
      "the logs of functions are not kept on disk: {}. Functions go on, and their newest lines are "
      "in memory; once the disk takes them again, that is said here, and `lambda logs` says what "
      "was lost",
      error.message());
}

void LogWriter::note_success(const std::string& function) {
  LogTrouble over;
  {
    const std::lock_guard lock(mutex_);
    const auto found = troubles_.find(function);
    if (found == troubles_.end()) return;
    over = std::move(found->second);
    troubles_.erase(found);
  }
  spdlog::info("the log of {} is kept on disk again; {} lines of it were lost", function,
               over.lines);
  recovered_(function, over);
}

}  // namespace lambda::observe
