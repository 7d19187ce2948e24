// CallBook: the totals and the recent calls of every function and version, and of the server.
//
// A function or version has a series from its first call on until it is deleted. There are no more
// than so many; calls that find no room are counted together, in other(). Threads: one, that of
// whoever owns it.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "observe/metrics/call_sample.h"
#include "observe/metrics/call_totals.h"
#include "observe/metrics/recent_calls.h"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lambda::observe {

class CallBook {
 public:
  // Of versions. With 10,000 functions of two versions each that are called it holds some 30 MB.
  static constexpr std::size_t kMostSeries = 20'000;

  struct Of {
    CallTotals totals;
    RecentCalls recent;
  };
  struct OfFunction : Of {
    std::map<std::string, CallTotals> versions;
    std::set<std::string> changed;  // versions, since they were saved last
  };
  using Functions = std::unordered_map<std::string, OfFunction>;

  explicit CallBook(std::size_t most_series = kMostSeries) : most_series_(most_series) {}

  void add(const CallSample& sample);
  [[nodiscard]] const Of& server() const { return server_; }
  [[nodiscard]] const Functions& functions() const { return functions_; }
  // Null: it has not been called.
  [[nodiscard]] const OfFunction* function(const std::string& name) const;
  // What found no room.
  [[nodiscard]] const CallTotals& other() const { return other_; }
  [[nodiscard]] std::size_t series() const { return series_; }

  // It is deleted, or was made anew.
  void forget(const std::string& function);
  // Only what exists stays, and of the recent calls what is recent.
  using Exists = std::function<bool(const std::string& function, const std::string& version)>;
  void keep_only(const Exists& exists, RecentCalls::Time now);

  // --- on disk. A row is a function's totals where its version is "", the server's where both are
  // "", and what found no room where its version is kOtherRow.
  static constexpr std::string_view kOtherRow = "other";
  struct Row {
    std::string function;
    std::string version;
    std::string totals;
  };
  // What has changed since the last time.
  [[nodiscard]] std::vector<Row> take_changes();
  // They were not saved after all.
  void put_back(const std::vector<Row>& rows);
  // Errors: invalid (and nothing is taken of it).
  Result<Done> restore(const Row& row);

 private:
  CallTotals* version_totals(OfFunction& function, const std::string& version);

  std::size_t most_series_;
  std::size_t series_ = 0;
  Functions functions_;
  Of server_;
  CallTotals other_;
  std::set<std::string> changed_;  // functions; "": the server
  bool other_changed_ = false;
};

}  // namespace lambda::observe
