// Names to addresses, on threads of its own: names whose DNS servers do not answer hold up neither
// the loop nor other names.
//
//   an address, localhost        -> itself
//   a name known for a minute    -> what it was
//   any other                    -> a place in the line, then a thread
//
// A name is looked up once at a time, however many wait for it: what takes a thread is a name, not
// a delivery. One that nobody waits for any more leaves the line. Of the threads names that are bad
// never have more than half, and with those that are new never more than three quarters, so that a
// new one finds a thread beside the bad, and a good one beside them all.
//
// This machine's own addresses are read anew at each call, whatever is known of the name, on a
// thread that nothing else uses.
// Threads: find() on one loop, which has stopped when this is destroyed. The destructor waits for
// no name that is looked up.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "egress/lookup_threads.h"
#include "egress/name_memory.h"
#include "egress/system_addresses.h"

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace lambda::egress {

class NameLookup {
 public:
  // `clock` outlives this; what `system` asks of a host may go on when this is gone.
  NameLookup(const Clock& clock, unsigned threads, AddressSystem system = AddressSystem());

  struct Found {
    Addresses addresses;  // at least one
    Addresses own;        // this machine's, now
  };
  // An address stands for itself; "localhost" and what ends in ".localhost" is loopback. Errors:
  // unavailable (no such name), timeout.
  Task<Result<Found>> find(std::string host, SteadyTime deadline);
  // Something spoke against what was found: the next find() asks anew.
  void forget(const std::string& host) { memory_.forget_addresses(host); }
  void finish();

 private:
  // What several wait for.
  struct Answer {
    AsyncEvent done;
    Result<Addresses> found = fail(ErrorCode::internal, "the look-up has not ended");
  };
  struct Pending : Answer {
    unsigned waiting = 0;
    bool runs = false;
  };
  class Waiter;

  Task<Result<Addresses>> addresses_of(std::string host, SteadyTime deadline);
  Task<Result<Addresses>> own_now(SteadyTime deadline);
  std::shared_ptr<Pending> join(const std::string& host);
  void leave_line(const std::string& host);
  void start_those_with_room(LoopExecutor executor);
  void start(const std::string& host, LoopExecutor executor);
  void take_in(const std::string& host, Standing standing, Result<Addresses> found,
               std::chrono::microseconds took);
  [[nodiscard]] bool has_room(Standing standing);
  unsigned& running(Standing standing) { return running_.at(static_cast<std::size_t>(standing)); }

  const Clock& clock_;
  const unsigned threads_;
  const std::function<Result<Addresses>()> read_own_;
  NameMemory memory_;
  std::map<std::string, std::shared_ptr<Pending>, std::less<>> pending_;  // in line, or running
  std::deque<std::string> line_;
  std::array<unsigned, 3> running_{};  // by standing
  std::shared_ptr<Answer> own_;        // while it is read
  BlockingPool own_pool_;
  LookupThreads names_;
};

}  // namespace lambda::egress
