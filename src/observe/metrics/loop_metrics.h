// LoopMetrics: the sink that counts the calls of one loop. What it is told it hands on in batches;
// to a call it costs some 100 ns. Threads: its loop; `deliver` is called there.
#pragma once

#include "observe/call_record.h"
#include "observe/metrics/call_recorder.h"

#include <optional>
#include <string_view>
#include <utility>

namespace lambda::observe {

// What the metrics keep of it, without its series. Nothing: it is no call to a function (it was too
// large, or the function was deleted meanwhile).
[[nodiscard]] std::optional<CallSample> sample_of(const CallRecord& call, CallRecorder::Time ended);

class LoopMetrics final : public CallSink {
 public:
  explicit LoopMetrics(CallRecorder::Deliver deliver) : recorder_(std::move(deliver)) {}

  void record(const CallRecord& call) noexcept override;
  // A request at a function's URL was answered, by whomever. Status 0: it ended before.
  void answered(std::string_view function, std::string_view version, unsigned status) noexcept;
  // What waits is handed on.
  void flush() { recorder_.flush(); }

 private:
  CallRecorder recorder_;
};

}  // namespace lambda::observe
