// Stems: sandboxes that run already and wait for a function; made ahead, so that a cold start only
// has to take one.
//
// How many wait follows the demand: as many of a kind as were asked for within the last seconds,
// between StemLimits::least and most; none of a kind that nobody has asked for in a while. They are
// made one after the other, with the CPU that nobody else wants until they are taken; and not while
// a function begins in one that was taken just now, unless few are left. A stem is taken once and
// belongs to its function from then on: none comes back.
//
// Threads: take() and expect() on any loop, keep() on one. Must outlive keep().
#pragma once

#include "base/async.h"
#include "base/unique_fd.h"
#include "sandbox/native/spawn_client.h"
#include "sandbox/native/stem_demand.h"

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lambda::sandbox::native {

// What a stem is good for. Two functions whose kinds are equal may take each other's.
struct StemKind {
  RootKind root_kind = RootKind::runtime;
  std::string root;  // as of SpawnRequest
  // Which directory that was when this was asked for: a runtime may be built anew.
  std::uint64_t root_inode = 0;
  // What runs in it before it has a function; empty: init alone, which will execute what it is
  // told.
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  bool fork = false;     // it is forked from a zygote, where there is one
  bool way_out = false;  // it has a cable, which lets nothing through yet

  auto operator<=>(const StemKind&) const = default;
};

struct StemCounts {
  std::size_t waiting = 0;
  std::uint64_t taken = 0;
  std::uint64_t missed = 0;
};

struct Stem {
  std::string id;    // of its sandbox; whoever has the stem stops it
  UniqueFd control;  // init's control socket, with its hello in it
  std::string memory_cgroup;
};

class Stems {
 public:
  Stems(SpawnClient& spawn, StemLimits limits);
  ~Stems();
  Stems(const Stems&) = delete;
  Stems& operator=(const Stems&) = delete;

  // The one that has waited longest; nothing where none waits. Either way it counts as demand.
  std::optional<Stem> take(const StemKind& kind);
  // There will be demand for it.
  void expect(const StemKind& kind);
  // Makes them and gives up those that are not needed, until close(). Once.
  Task<void> keep();
  // keep() ends soon; what waits is given up. Any thread.
  void close();

  [[nodiscard]] std::size_t waiting() const;
  // By runtime; those of all images as "image". Since the start. Any thread.
  [[nodiscard]] std::map<std::string, StemCounts> counts() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Shelf {
    std::deque<Stem> stems;
    StemDemand demand;
    Clock::time_point not_before{};  // one could not be made
  };

  // Nothing, too, where it is better made later: at rest_over_.
  Shelf& shelf_of(const StemKind& kind);
  std::optional<StemKind> next_to_make();
  std::vector<Stem> take_unneeded();
  Task<void> make(StemKind kind);
  void give_up(const Stem& stem);
  void wake();
  [[nodiscard]] Clock::time_point next_look() const;

  SpawnClient& spawn_;
  const StemLimits limits_;
  mutable std::mutex mutex_;
  std::map<StemKind, Shelf> shelves_;
  std::size_t waiting_ = 0;
  std::map<std::string, StemCounts> counts_;
  Clock::time_point rest_over_{};
  bool closed_ = false;
  std::optional<LoopExecutor> keeper_;  // while keep() runs
  AsyncEvent work_;                     // of keep()'s loop
};

}  // namespace lambda::sandbox::native
