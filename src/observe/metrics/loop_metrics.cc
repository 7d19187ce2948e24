#include "observe/metrics/loop_metrics.h"

#include <spdlog/spdlog.h>

#include <exception>

namespace lambda::observe {
namespace {

CallError error_of(CallEnd end) {
  switch (end) {
    case CallEnd::handler_error:
      return CallError::handled;
    case CallEnd::init_error:
      return CallError::init;
    case CallEnd::timeout:
      return CallError::timeout;
    case CallEnd::exit:
      return CallError::exit;
    case CallEnd::out_of_memory:
      return CallError::out_of_memory;
    case CallEnd::response_too_large:
      return CallError::response_too_large;
    case CallEnd::sandbox_failed:
    case CallEnd::unavailable:
      return CallError::sandbox;
    case CallEnd::success:
    case CallEnd::throttled:
    case CallEnd::refused:
    case CallEnd::client_gone:
      return CallError::none;
  }
  return CallError::none;
}

// By AWS's word for the limit.
Throttle throttle_of(std::string_view type) {
  if (type.starts_with("Reserved")) return Throttle::reserved_concurrency;
  if (type.starts_with("FunctionInvocationRate")) return Throttle::line_full;
  return Throttle::wait_expired;
}

}  // namespace

std::optional<CallSample> sample_of(const CallRecord& call, CallRecorder::Time ended) {
  if (call.end == CallEnd::refused) return std::nullopt;
  CallSample sample;
  sample.ended = ended;
  if (call.end == CallEnd::throttled) {
    sample.throttle = throttle_of(call.error_type);
    return sample;
  }
  sample.error = error_of(call.end);
  sample.cold = call.cold;
  sample.memory_peak_bytes = call.memory_peak_bytes;
  if (const auto* handler = call.find(CallStep::handler)) sample.duration = handler->duration;
  if (const auto* init = call.find(CallStep::init)) sample.init = init->duration;
  return sample;
}

void LoopMetrics::record(const CallRecord& call) noexcept {
  try {
    auto sample = sample_of(call, std::chrono::steady_clock::now());
    if (sample) recorder_.record(call.function, call.version, std::move(*sample));
  } catch (const std::exception& error) {
    // Memory is all that can be missing; the call has its answer all the same.
    spdlog::error("a call of {} was not counted: {}", call.function, error.what());
  }
}

void LoopMetrics::answered(std::string_view function, std::string_view version,
                           unsigned status) noexcept {
  try {
    CallSample sample;
    sample.answer = static_cast<std::uint16_t>(status);
    recorder_.record(function, version, std::move(sample));
  } catch (const std::exception& error) {
    spdlog::error("an answer of {} was not counted: {}", function, error.what());
  }
}

}  // namespace lambda::observe
