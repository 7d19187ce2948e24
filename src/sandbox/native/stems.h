// Stems: sandboxes that run already and wait for a function; made ahead, so that a cold start only
// has to take one.
//
// How many wait follows the demand: as many of a kind as were asked for within the last seconds,
// between StemLimits::least and most; none of a kind that nobody has asked for in a while. They are
// made one after the other, with the CPU that nobody else wants until they are taken. A stem is
// taken once and belongs to its function from then on: none comes back.
//
// Threads: take() and expect() on any loop, keep() on one. Must outlive keep().
#pragma once

#include "base/async.h"
#include "base/unique_fd.h"
#include "sandbox/native/spawn_client.h"

#include <array>
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

struct StemLimits {
  std::size_t least = 2;             // of a kind that is in use
  std::size_t most = 0;              // of a kind; 0: there are no stems
  std::size_t of_all_kinds = 64;     // they take memory and room from instances
  std::chrono::seconds forget{600};  // a kind that nobody asked for so long is not in use
};

// What a stem is good for. Two functions whose kinds are equal may take each other's.
struct StemKind {
  RootKind root_kind = RootKind::runtime;
  std::string root;  // as of SpawnRequest
  // What runs in it before it has a function; empty: init alone, which will execute what it is
  // told.
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;

  auto operator<=>(const StemKind&) const = default;
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

 private:
  using Clock = std::chrono::steady_clock;
  // How often a kind was asked for, by seconds.
  class Demand {
   public:
    void note(Clock::time_point now);
    [[nodiscard]] std::size_t recent(Clock::time_point now) const;
    [[nodiscard]] Clock::time_point last() const { return last_; }
    void touch(Clock::time_point now) { last_ = now; }

   private:
    static constexpr std::size_t kSeconds = 10;
    std::array<std::size_t, kSeconds> counts_{};
    std::array<std::int64_t, kSeconds> of_second_{};
    Clock::time_point last_{};
  };
  struct Shelf {
    std::deque<Stem> stems;
    Demand demand;
    Clock::time_point not_before{};  // one could not be made
  };

  [[nodiscard]] std::size_t wanted(const Shelf& shelf, Clock::time_point now) const;
  std::optional<StemKind> next_to_make();
  std::vector<Stem> take_unneeded();
  Task<void> make(StemKind kind);
  void give_up(const Stem& stem);
  void wake();

  SpawnClient& spawn_;
  const StemLimits limits_;
  mutable std::mutex mutex_;
  std::map<StemKind, Shelf> shelves_;
  std::size_t waiting_ = 0;
  bool closed_ = false;
  std::optional<LoopExecutor> keeper_;  // while keep() runs
  AsyncEvent work_;                     // of keep()'s loop
};

}  // namespace lambda::sandbox::native
