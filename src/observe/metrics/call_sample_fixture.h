// Calls for tests.
#pragma once

#include "observe/metrics/call_sample.h"

#include <memory>
#include <string>
#include <utility>

namespace lambda::observe {

inline CallSample sample_of(std::string function, std::string version,
                            std::chrono::microseconds duration = std::chrono::milliseconds(5)) {
  CallSample sample;
  sample.series =
      std::make_shared<const SeriesName>(SeriesName{std::move(function), std::move(version)});
  sample.duration = duration;
  return sample;
}

inline CallSample failed_sample(std::string function, std::string version, CallError error) {
  auto sample = sample_of(std::move(function), std::move(version));
  sample.error = error;
  return sample;
}

inline CallSample throttled_sample(std::string function, std::string version, Throttle reason) {
  auto sample = sample_of(std::move(function), std::move(version));
  sample.duration.reset();
  sample.throttle = reason;
  return sample;
}

inline CallSample answer_sample(std::string function, std::string version, unsigned status) {
  auto sample = sample_of(std::move(function), std::move(version));
  sample.duration.reset();
  sample.answer = static_cast<std::uint16_t>(status);
  return sample;
}

}  // namespace lambda::observe
