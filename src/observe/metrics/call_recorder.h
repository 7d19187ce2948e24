// CallRecorder: takes down the calls that end on one loop, and hands them on in batches; the
// counting is another thread's. This is all that the metrics cost a call on its way: a name that is
// looked up and a few words that are written, without a lock.
//
// Threads: record() and flush() on the recorder's loop. `deliver` is called there, too.
#pragma once

#include "observe/metrics/call_sample.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lambda::observe {

class CallRecorder {
 public:
  using Batch = std::vector<CallSample>;
  using Time = std::chrono::steady_clock::time_point;
  using Deliver = std::function<void(Batch batch)>;
  // Handed on when so many wait; less is, once a second, by flush().
  static constexpr std::size_t kBatch = 512;
  // Names that are remembered; then it begins anew.
  static constexpr std::size_t kMostNames = 4'096;

  explicit CallRecorder(Deliver deliver) : deliver_(std::move(deliver)) {}

  // `sample` without its series.
  void record(std::string_view function, std::string_view version, CallSample sample);
  void flush();

 private:
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Versions = std::vector<std::shared_ptr<const SeriesName>>;  // of one function: few

  std::shared_ptr<const SeriesName> series(std::string_view function, std::string_view version);

  Deliver deliver_;
  Batch batch_;
  std::unordered_map<std::string, Versions, Hash, std::equal_to<>> names_;
  std::size_t name_count_ = 0;
};

}  // namespace lambda::observe
