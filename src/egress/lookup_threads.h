// LookupThreads: threads for look-ups that nobody can end, as the system's is while DNS servers are
// silent. Those that still run when this is left are not waited for: they end by themselves, or
// with the process, and touch nothing of whoever asked.
//
// Threads: any.
#pragma once

#include "base/result.h"
#include "egress/system_addresses.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace lambda::egress {

class LookupThreads {
 public:
  // Owns what it touches: it may outlive everything.
  using LookUp = std::function<Result<Addresses>(const std::string& name)>;
  // Called on one of the threads, never after leave(). Quick; its end touches nothing.
  using Tell = std::function<void(Result<Addresses> found, std::chrono::microseconds took)>;

  LookupThreads(unsigned threads, LookUp look_up);
  ~LookupThreads();
  LookupThreads(const LookupThreads&) = delete;
  LookupThreads& operator=(const LookupThreads&) = delete;

  void ask(std::string name, Tell tell);
  // Nothing is told any more.
  void leave();

 private:
  struct Shared;
  static void run(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;  // with threads that are left behind
};

}  // namespace lambda::egress
