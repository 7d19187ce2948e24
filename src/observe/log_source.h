// A function's log as its instances see it. Included by .cc files of observe/ alone.
#pragma once

#include "observe/file_log_store.h"

#include <atomic>
#include <string>
#include <utility>

namespace lambda::observe {

class FileLogStore::Source final : public LogSource {
 public:
  Source(FileLogStore& store, std::string function)
      : store_(store), function_(std::move(function)) {}
  using LogSource::append;
  void append(LogBatch batch) override { store_.append(*this, std::move(batch)); }
  [[nodiscard]] bool forgotten() const override { return forgotten_; }
  [[nodiscard]] const std::string& function() const { return function_; }
  void forget() { forgotten_ = true; }  // under the store's lock

 private:
  FileLogStore& store_;
  const std::string function_;
  std::atomic<bool> forgotten_{false};
};

}  // namespace lambda::observe
