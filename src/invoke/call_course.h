// CallCourse: what a shard notes of one call on its way, and the record that comes of it at its
// end. Nothing here allocates on a call's usual way. One loop.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "invoke/invoker.h"
#include "observe/call_record.h"
#include "pool/instance.h"
#include "pool/instance_pool.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace lambda::invoke {

class CallCourse {
 public:
  // `version`: its label.
  CallCourse(const Clock& clock, std::uint64_t payload_bytes, std::string version)
      : begin_(std::chrono::steady_clock::now()),
        wall_begin_(clock.now()),
        payload_bytes_(payload_bytes),
        version_(std::move(version)) {}

  // From now on it waits for an instance.
  void get_in_line() { in_line_ = true; }
  // It has an instance, or the one that was started for it failed to initialise.
  void take(const pool::Lease& lease);
  void take(const pool::InstancePool::InitFailure& failure);
  // The event, or the request, went to the function; then its answer, or the head of it, came.
  void hand_over(SteadyTime at) { handed_over_ = at; }
  void answer(SteadyTime at) { answered_ = at; }
  // Of an HTTP function's response.
  void set_status(unsigned status);
  void set_memory_peak(std::uint64_t bytes) { memory_peak_ = bytes; }

  [[nodiscard]] SteadyTime begin() const { return begin_; }

  // Of a call that ends now. Its views are those of `call` and of `outcome`, or of the course.
  [[nodiscard]] observe::CallRecord record(const Call& call, const Result<Outcome>& outcome) const;
  // Of a request that a proxy has carried to its end.
  [[nodiscard]] observe::CallRecord record(const HttpCall& call, const HttpUse& use,
                                           SteadyTime end) const;
  // Of one that found no instance.
  [[nodiscard]] observe::CallRecord record(const HttpCall& call, const Error& error) const;

 private:
  [[nodiscard]] observe::CallRecord begun(const function::Resolved& target, SteadyTime end) const;
  void add_steps(observe::CallRecord& record, SteadyTime end) const;
  void add_start(observe::CallRecord& record) const;
  void set_error(observe::CallRecord& record, const Error& error) const;
  [[nodiscard]] std::chrono::microseconds from_begin(SteadyTime at) const;

  SteadyTime begin_;
  WallTime wall_begin_;
  std::uint64_t payload_bytes_;
  std::string version_;
  std::shared_ptr<const pool::Instance> instance_;
  std::optional<pool::StartTimes> start_;  // of the instance, where it was not over at the begin
  std::chrono::microseconds waited_{0};
  std::optional<pool::Lease::Thaw> thaw_;
  bool in_line_ = false;
  bool cold_ = false;
  std::string failed_init_;  // its error type
  std::optional<SteadyTime> handed_over_;
  std::optional<SteadyTime> answered_;
  unsigned status_ = 0;
  std::string status_error_;  // "Http.503": the type of an error that is a status
  std::uint64_t memory_peak_ = 0;
};

}  // namespace lambda::invoke
