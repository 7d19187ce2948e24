// StartGate: how many instances of the server are being started at the same moment. A thousand at
// once would each take a thousand times as long, and fail by their deadlines; through the gate they
// start as quickly as the machine can, in order, and who cannot be started in time is told at once.
//
// No owner (a pool: one version of a function on one loop) has more than half of the places while
// another waits, and nobody keeps one for longer than `longest_hold`: a start that takes longer
// waits for something else than this machine.
// Threads: any loop; a place is given back on any thread. Places may outlive the gate.
#pragma once

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace lambda::pool {

class StartGate {
 public:
  // Eight a core, and some: a start waits now and then.
  static std::size_t usual_width();

  explicit StartGate(std::size_t width = usual_width(),
                     std::chrono::milliseconds longest_hold = std::chrono::milliseconds(2000));

  class Place;
  // In line until there is a place. Errors: overloaded, as soon as it is clear that there will be
  // none before `deadline`, of real time; unavailable where the wait was cancelled.
  Task<Result<Place>> enter(const void* owner, SteadyTime deadline);

  [[nodiscard]] std::size_t waiting() const;

 private:
  struct Waiter;
  struct State;
  class InLine;
  std::shared_ptr<State> state_;
};

// Given back when destroyed.
class StartGate::Place {
 public:
  Place() = default;
  Place(std::shared_ptr<State> state, std::uint64_t number)
      : state_(std::move(state)), number_(number) {}
  Place(Place&& other) noexcept
      : state_(std::move(other.state_)), number_(std::exchange(other.number_, 0)) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Place();

 private:
  std::shared_ptr<State> state_;
  std::uint64_t number_ = 0;
};

}  // namespace lambda::pool
