// A sandbox's network namespace: how one is prepared for a function, and how one that a function
// had becomes as new, or is found not to be. Whatever a namespace gets before a function starts
// belongs into prepare_network(); whatever of it must not reach the next function, into
// renew_network().
//
// All of it is about the network namespace that the calling thread is in, and is blocking: in the
// keeper (network_keeper.h), never between a call and its start. `proc`: an open directory with a
// mounted /proc, with its own threads in it.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <string>

namespace lambda::sandbox::native {

// Loopback, and settings. Once.
Result<Done> prepare_network(int proc);

struct Network {
  UniqueFd name;      // of its namespace, for setns()
  std::string state;  // network_state(), as it was made
};

// A new one, prepared; the calling thread is in it from then on, whatever comes of it.
Result<Network> make_network(int proc);

// Enters it, takes out what the kernel keeps after the last process, and proves that it is as it
// was made: no socket of any kind, no TIME_WAIT, and nothing in network_state() that was not there.
// Errors: conflict (sockets are open yet, of someone outside or on their way out: try again), all
// others: it is not to be used again.
Result<Done> renew_network(const Network& network, int proc);

// What there is in it but for sockets and counters, in a form that can be compared: links,
// addresses, routes, rules, neighbours, the settings of every interface, nftables, and settings
// of our own.
Result<std::string> network_state(int proc);

}  // namespace lambda::sandbox::native
