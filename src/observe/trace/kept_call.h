// KeptCall: a CallRecord with texts of its own, and how it is written. Values; any thread.
#pragma once

#include "observe/call_record.h"

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace lambda::observe {

class KeptCall {
 public:
  KeptCall() = default;
  // Texts that a function or a client may make as long as it likes are cut.
  explicit KeptCall(const CallRecord& call, bool slow = false) { assign(call, slow); }
  // The same in the room that its texts have already.
  void assign(const CallRecord& call, bool slow);

  // Its texts are the kept ones.
  [[nodiscard]] CallRecord record() const;
  [[nodiscard]] std::string_view request_id() const { return request_id_; }
  [[nodiscard]] std::string_view function() const { return function_; }
  [[nodiscard]] bool failed() const { return call_.end != CallEnd::success; }
  [[nodiscard]] bool slow() const { return slow_; }
  [[nodiscard]] const TraceContext& trace() const { return call_.trace; }

 private:
  CallRecord call_;  // its views are stale; record() sets them
  std::string request_id_, function_, version_, qualifier_, amzn_trace_id_, trace_state_, instance_,
      error_type_, reason_;
  bool slow_ = false;
};

// As /_lambda/ answers it, and a line of the files has it: docs/tracing.md has the fields. Times
// and durations are microseconds, but for "time".
[[nodiscard]] boost::json::object to_json(const KeptCall& call);

}  // namespace lambda::observe
