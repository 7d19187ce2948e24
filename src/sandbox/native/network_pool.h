// NetworkPool: network namespaces that are ready for the next sandbox, and lambda-spawn's side of
// the keeper that makes and renews them (network_keeper.h). A sandbox of this server only ever
// gets one that was made for it, or that another sandbox of the same server, which is of the same
// account, had before and that was proven to be as it was made.
//
// As many wait as were taken in the last seconds, between `least` and `most`. Nothing here waits
// for the keeper; without one (it could not be started, or ended: another is started after a while)
// there is simply none to take, and sandboxes are made with namespaces of their own.
//
// Threads: lambda-spawn's only one.
#pragma once

#include "base/unique_fd.h"
#include "sandbox/native/network_keeper.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace lambda::sandbox::native {

class NetworkPool {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    std::size_t least = 0;
    std::size_t most = 0;  // 0: none is ever there
  };
  struct Taken {
    std::uint32_t number = 0;
    UniqueFd name;
  };

  // For lambdad's log: why namespaces are not made or not used again; each reason once in a row.
  using Tell = std::function<void(const std::string&)>;

  // Starts the keeper, and has what it says watched by `epoll` as `tag`.
  NetworkPool(Limits limits, int epoll, std::uint64_t tag, Tell tell);
  ~NetworkPool();
  NetworkPool(const NetworkPool&) = delete;
  NetworkPool& operator=(const NetworkPool&) = delete;

  [[nodiscard]] bool has_keeper() const { return static_cast<bool>(keeper_.socket); }
  // What the keeper has said. `closed` gets the numbers of close().
  void take_messages(const std::function<void(std::uint32_t)>& closed);

  std::optional<Taken> take();
  // All processes that were in it are gone.
  void give_back(std::uint32_t number);
  // It is not to be used again.
  void give_up(std::uint32_t number);
  // In the keeper, which says so afterwards. False: it cannot; close it here.
  bool close(std::uint32_t number, const UniqueFd& descriptor);

  // Asks for what lacks and gives up what is too many.
  void keep_up(Clock::time_point now);
  // When keep_up() has something to do although nothing happened.
  [[nodiscard]] std::optional<Clock::time_point> next_look() const;
  [[nodiscard]] std::size_t ready() const { return ready_.size(); }

 private:
  void start();
  void take(const KeeperMessage& message, UniqueFd descriptor);
  void trouble(std::string_view what, std::string_view why);
  void ask(KeeperWord word, std::uint32_t number);
  void give_up_too_many();
  void lose_keeper();
  [[nodiscard]] std::size_t wanted() const;

  Limits limits_;
  int epoll_;
  std::uint64_t tag_;
  Keeper keeper_;
  std::deque<KeeperMessage> unsaid_;  // the socket was full
  std::deque<Taken> ready_;
  std::size_t making_ = 0;
  std::size_t renewing_ = 0;
  std::vector<pid_t> ended_keepers_;  // killed, and not reaped yet
  Tell tell_;
  std::string told_;
  std::uint32_t last_number_ = 0;
  // Taken since `since_`, and in the time of that length before.
  std::size_t taken_ = 0;
  std::size_t taken_before_ = 0;
  Clock::time_point since_ = Clock::now();
  Clock::time_point not_before_{};  // the keeper could not
};

}  // namespace lambda::sandbox::native
