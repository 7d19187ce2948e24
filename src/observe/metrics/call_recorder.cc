#include "observe/metrics/call_recorder.h"

#include <utility>

namespace lambda::observe {

std::shared_ptr<const SeriesName> CallRecorder::series(std::string_view function,
                                                       std::string_view version) {
  const auto found = names_.find(function);
  if (found != names_.end()) {
    for (const auto& name : found->second) {
      if (name->version == version) return name;
    }
  }
  if (name_count_ >= kMostNames) {
    names_.clear();
    name_count_ = 0;
  }
  ++name_count_;
  auto made =
      std::make_shared<const SeriesName>(SeriesName{std::string(function), std::string(version)});
  names_[made->function].push_back(made);
  return made;
}

void CallRecorder::record(std::string_view function, std::string_view version, CallSample sample) {
  sample.series = series(function, version);
  if (batch_.capacity() == 0) batch_.reserve(kBatch);
  batch_.push_back(std::move(sample));
  if (batch_.size() >= kBatch) flush();
}

void CallRecorder::flush() {
  if (!batch_.empty()) deliver_(std::exchange(batch_, {}));
}

}  // namespace lambda::observe
