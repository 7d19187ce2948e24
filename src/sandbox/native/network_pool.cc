#include "sandbox/native/network_pool.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

using std::chrono::seconds;

constexpr seconds kDemandCounts{10};
constexpr seconds kTryAgainAfter{5};
constexpr std::chrono::milliseconds kSayAgainAfter{2};
// Asked for at once; more only fill the socket.
constexpr std::size_t kMakeAtOnce = 4;

}  // namespace

NetworkPool::NetworkPool(Limits limits, int epoll, std::uint64_t tag, Tell tell)
    : limits_(limits), epoll_(epoll), tag_(tag), tell_(std::move(tell)) {
  limits_.least = std::min(limits_.least, limits_.most);
  start();
}

NetworkPool::~NetworkPool() {
  lose_keeper();
}

void NetworkPool::start() {
  if (limits_.most == 0) return;
  not_before_ = Clock::now() + kTryAgainAfter;
  auto started = start_keeper();
  if (!started) return trouble("no network namespaces are made ahead", started.error().message());
  keeper_ = std::move(*started);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag_;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, keeper_.socket.get(), &event) != 0) return lose_keeper();
  not_before_ = Clock::now();
}

// What waits goes with it; sandboxes keep theirs, which are nobody's afterwards.
void NetworkPool::lose_keeper() {
  keeper_.socket.reset();
  ready_.clear();
  unsaid_.clear();
  making_ = renewing_ = 0;
  not_before_ = Clock::now() + kTryAgainAfter;
  if (keeper_.pid <= 0) return;
  // It may be freeing much memory first: nobody waits for that.
  ::kill(keeper_.pid, SIGKILL);
  ended_keepers_.push_back(std::exchange(keeper_.pid, -1));
}

void NetworkPool::trouble(std::string_view what, std::string_view why) {
  auto words = fmt::format("{}: {}", what, why);
  if (words == told_) return;
  tell_(words);
  told_ = std::move(words);
}

void NetworkPool::ask(KeeperWord word, std::uint32_t number) {
  if (!keeper_.socket) return;
  if (unsaid_.empty() && send_to(keeper_.socket, {word, number})) return;
  unsaid_.push_back({word, number});
}

std::size_t NetworkPool::wanted() const {
  return std::clamp(std::max(taken_, taken_before_), limits_.least, limits_.most);
}

void NetworkPool::take_messages(const std::function<void(std::uint32_t)>& closed) {
  bool gone = false;
  while (keeper_.socket) {
    auto received = receive_from(keeper_.socket, gone);
    if (gone) {
      trouble("no network namespaces are made ahead for a while", "lambda-keeper has ended");
      return lose_keeper();
    }
    if (!received) return;
    if (received->first.word == KeeperWord::closed) {
      closed(received->first.number);
    } else {
      take(received->first, std::move(received->second));
    }
  }
}

void NetworkPool::take(const KeeperMessage& message, UniqueFd descriptor) {
  const std::string_view why(message.text, ::strnlen(message.text, sizeof(message.text)));
  const bool renewed = message.word == KeeperWord::renewed || message.word == KeeperWord::lost;
  auto& count = renewed ? renewing_ : making_;
  if (count > 0) --count;
  switch (message.word) {
    case KeeperWord::made:
    case KeeperWord::renewed:
      // A descriptor is lost where this process has too many. One that was used is taken first.
      if (!descriptor) {
        ask(KeeperWord::forget, message.number);
      } else if (renewed) {
        ready_.push_front({message.number, std::move(descriptor)});
      } else {
        ready_.push_back({message.number, std::move(descriptor)});
      }
      break;
    case KeeperWord::lost:
      if (!why.empty()) trouble("a network namespace is not used again", why);
      break;
    case KeeperWord::failed:
      not_before_ = Clock::now() + kTryAgainAfter;
      trouble("no network namespaces are made ahead for a while", why);
      break;
    default:
      break;
  }
}

std::optional<NetworkPool::Taken> NetworkPool::take() {
  ++taken_;
  if (ready_.empty()) return std::nullopt;
  auto taken = std::move(ready_.front());
  ready_.pop_front();
  return taken;
}

void NetworkPool::give_back(std::uint32_t number) {
  if (!keeper_.socket) return;
  const bool again = ready_.size() + making_ + renewing_ < limits_.most;
  ask(again ? KeeperWord::renew : KeeperWord::forget, number);
  if (again) ++renewing_;
}

void NetworkPool::give_up(std::uint32_t number) {
  ask(KeeperWord::forget, number);
}

bool NetworkPool::close(std::uint32_t number, const UniqueFd& descriptor) {
  return keeper_.socket && send_to(keeper_.socket, {KeeperWord::close, number}, descriptor.get());
}

// Half of it, each time.
void NetworkPool::give_up_too_many() {
  const auto extra = ready_.size() - std::min(ready_.size(), wanted());
  for (auto left = (extra + 1) / 2; left > 0; --left) {
    ask(KeeperWord::forget, ready_.back().number);
    ready_.pop_back();
  }
}

void NetworkPool::keep_up(Clock::time_point now) {
  std::erase_if(ended_keepers_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
  if (now - since_ >= kDemandCounts) {
    taken_before_ = now - since_ < 2 * kDemandCounts ? taken_ : 0;
    taken_ = 0;
    since_ = now;
    give_up_too_many();
  }
  if (now < not_before_) return;
  if (!keeper_.socket) start();
  if (!keeper_.socket) return;
  while (!unsaid_.empty() && send_to(keeper_.socket, unsaid_.front())) unsaid_.pop_front();
  while (unsaid_.empty() && making_ < kMakeAtOnce && ready_.size() + making_ < wanted()) {
    ++making_;
    ask(KeeperWord::make, ++last_number_);
  }
}

std::optional<NetworkPool::Clock::time_point> NetworkPool::next_look() const {
  if (limits_.most == 0) return std::nullopt;
  if (!keeper_.socket) return not_before_;
  if (!unsaid_.empty()) return std::max(not_before_, Clock::now() + kSayAgainAfter);
  if (making_ < kMakeAtOnce && ready_.size() + making_ < wanted()) return not_before_;
  if (ready_.size() > limits_.least) return since_ + kDemandCounts;
  return std::nullopt;
}

}  // namespace lambda::sandbox::native
