// Which failed requests lambdad's log tells of. Whoever reaches a function's URL can make it fail
// as often as they like: a function's failures are told once a minute, with how many there were in
// between. What the function itself wrote is not among it: that is in the function's log. Any
// thread.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::gateway {

class FailureLog {
 public:
  // `clock` outlives it.
  explicit FailureLog(const Clock& clock) : clock_(clock) {}

  // Of a function that exists.
  void tell(const std::string& function, std::string_view request_id, std::string_view message);
  // The line to write, or nothing where the function's last one is too young.
  std::optional<std::string> line_for(const std::string& function, std::string_view request_id,
                                      std::string_view message);

 private:
  struct Told {
    SteadyTime at;
    std::size_t untold = 0;
  };
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Told> told_;
};

}  // namespace lambda::gateway
