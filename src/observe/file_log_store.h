// The LogStore. Lines that are appended go to two places under one short lock: the ring of their
// function in memory, and the queue of the writer. Included by .cc files of observe/ alone.
#pragma once

#include "observe/log_ids.h"
#include "observe/log_memory.h"
#include "observe/log_rate.h"
#include "observe/log_segments.h"
#include "observe/log_store.h"
#include "observe/log_writer.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>

namespace lambda::observe {

class FileLogStore final : public LogStore {
 public:
  FileLogStore(LogSegments segments, std::set<std::string, std::less<>> on_disk,
               const std::filesystem::path& ids, const Clock& clock, const LogLimits& limits);
  ~FileLogStore() override = default;
  FileLogStore(const FileLogStore&) = delete;
  FileLogStore& operator=(const FileLogStore&) = delete;

  LogSourcePtr source(std::string_view function) override;
  Reading read(const Query& query) override;
  std::unique_ptr<LogFollower> follow(std::string_view function,
                                      std::function<void()> wake) override;
  std::optional<LogPage> newer_in_memory(const std::string& function, std::uint64_t after,
                                         const LogFilter& filter) override;
  LogPage newer(const std::string& function, std::uint64_t after, const LogFilter& filter) override;
  void end_followers() override;
  std::optional<LogTrouble> trouble(std::string_view function) override;
  void tidy() override;
  void set_own_limits(OwnLogLimitsByFunction own) override;
  LogLimits limits_of(std::string_view function) override;
  void keep_only(const std::set<std::string, std::less<>>& functions) override;
  void forget(std::string_view function) override;

 private:
  class Source;
  class Follower;
  // Of a function that wrote, or is followed, in this run.
  struct State {
    std::uint64_t last = 0;  // the id of its newest line
    LogRate rate;
    std::uint64_t lost = 0;  // lines that the queue had no room for, not said yet
    std::set<Follower*> followers;
  };

  void append(const Source& source, LogBatch batch);
  // The rest: under the lock.
  State& state_of(std::string_view function);
  [[nodiscard]] std::uint64_t last_of(std::string_view function) const;
  void keep(const std::string& function, State& state, KeptLine line);
  void say(const std::string& function, State& state, WallTime time, const std::string& version,
           std::string text);
  void say_what_was_left_out(const std::string& function, State& state, WallTime time,
                             const std::string& version);
  static void wake(State& state);
  static void end_all(State& state, LogFollower::End how);
  void remove(Follower& follower);

  void bound(LogBatch::Text& line) const;
  [[nodiscard]] LogFilter with_age(std::string_view function, const LogFilter& filter);
  Reading oldest_after(const Query& query);
  std::optional<LogPage> from_memory(const std::string& function, std::uint64_t after,
                                     std::vector<LinePtr>& found);
  // `most`: bytes of text that may be looked through.
  std::optional<LogPage> memory_page(const std::string& function, std::uint64_t after,
                                     const LogFilter& filter, std::size_t most);
  void say_what_was_left_out();

  const Clock& clock_;
  const LogLimits limits_;
  LogSegments segments_;
  LogIds ids_;

  std::mutex mutex_;  // held for moving pointers, never for I/O
  LogMemory memory_;
  std::uint64_t floor_;  // what has no state yet begins above it
  std::map<std::string, State, std::less<>> states_;
  OwnLogLimitsByFunction own_limits_;
  std::set<std::string, std::less<>> on_disk_;
  std::map<std::string, std::weak_ptr<Source>, std::less<>> sources_;
  bool stopping_ = false;

  LogWriter writer_;  // last: its thread uses what stands above
};

}  // namespace lambda::observe
