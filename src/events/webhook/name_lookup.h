// Names to addresses, on threads of its own: a name whose DNS servers do not answer holds up
// neither the loop nor other names.
//
// A name is looked up once at a time, however many wait for it: what takes a thread is a name, not
// a delivery. As many names as there are threads may hang at once; then others wait, until their
// deadlines.
// Threads: find() on one loop, which has stopped when this is destroyed. The destructor waits for
// look-ups that run.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "events/webhook/address_rules.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lambda::events {

class NameLookup {
 public:
  explicit NameLookup(unsigned threads) : pool_("names", threads) {}

  struct Found {
    std::vector<Address> addresses;  // at least one
    std::vector<Address> own;        // this machine's, now
  };
  // An address stands for itself; "localhost" and what ends in ".localhost" is loopback. Errors:
  // unavailable (no such name), timeout.
  Task<Result<Found>> find(std::string host, SteadyTime deadline);
  void finish() { pool_.finish(); }

 private:
  struct Pending;
  using PendingNames = std::map<std::string, std::shared_ptr<Pending>, std::less<>>;
  std::shared_ptr<Pending> begin(const std::string& host, LoopExecutor executor);

  std::shared_ptr<PendingNames> running_ = std::make_shared<PendingNames>();
  BlockingPool pool_;
};

}  // namespace lambda::events
