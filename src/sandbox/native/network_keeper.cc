// Steps: take every message (closing at once) -> one namespace is made, or else renewed -> again;
// when there is nothing to do: wait for messages, or for the time to try again.
#include "sandbox/native/network_keeper.h"

#include "base/descriptor_message.h"
#include "sandbox/native/mount_tree.h"
#include "sandbox/native/network_namespace.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sched.h>
#include <span>
#include <string_view>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

using std::chrono::milliseconds;
using KeeperClock = std::chrono::steady_clock;

// lambdad closes what it has in an ended sandbox's namespace about when the sandbox ends, and
// connections take a moment to be gone. What is not clean by the last try is thrown away.
constexpr milliseconds kTryAgain[] = {milliseconds(5), milliseconds(20), milliseconds(100),
                                      milliseconds(500), milliseconds(2000)};

class KeeperLoop {
 public:
  KeeperLoop(UniqueFd socket, UniqueFd proc, UniqueFd home)
      : socket_(std::move(socket)), proc_(std::move(proc)), home_(std::move(home)) {}

  void run() {
    while (!gone_) {
      pollfd ready{socket_.get(), POLLIN, 0};
      ::poll(&ready, 1, wait_time());
      take_messages();
      // A start may find none there; of those that were used nobody is in need.
      if (make_one() || renew_one()) go_home();
    }
  }

 private:
  struct Renewal {
    std::uint32_t number;
    std::size_t tries;
    KeeperClock::time_point at;
  };

  [[nodiscard]] int wait_time() const {
    if (!to_make_.empty()) return 0;
    if (renewals_.empty()) return -1;
    const auto next = std::min_element(
        renewals_.begin(), renewals_.end(),
        [](const Renewal& one, const Renewal& other) { return one.at < other.at; });
    const auto left = std::chrono::ceil<milliseconds>(next->at - KeeperClock::now());
    return static_cast<int>(std::max<milliseconds::rep>(left.count(), 0));
  }

  void take_messages() {
    while (auto received = receive_from(socket_, gone_)) {
      const auto number = received->first.number;
      switch (received->first.word) {
        case KeeperWord::make:
          to_make_.push_back(number);
          break;
        case KeeperWord::renew:
          renewals_.push_back({number, 0, KeeperClock::now()});
          break;
        case KeeperWord::forget:
          networks_.erase(number);
          break;
        case KeeperWord::close:
          received->second.reset();
          say(KeeperWord::closed, number);
          break;
        default:
          break;
      }
    }
  }

  // One that is thrown away goes only when nobody is in it.
  void go_home() {
    if (::setns(home_.get(), CLONE_NEWNET) != 0) gone_ = true;
  }

  bool renew_one() {
    const auto now = KeeperClock::now();
    const auto due = std::find_if(renewals_.begin(), renewals_.end(),
                                  [now](const Renewal& one) { return one.at <= now; });
    if (due == renewals_.end()) return false;
    Renewal renewal = *due;
    renewals_.erase(due);
    const auto found = networks_.find(renewal.number);
    // One of a keeper before this one.
    if (found == networks_.end()) {
      say(KeeperWord::lost, renewal.number, {});
      return true;
    }
    const auto renewed = renew_network(found->second, proc_.get());
    if (renewed) {
      say(KeeperWord::renewed, renewal.number, {}, found->second.name.get());
    } else if (renewed.error().code() == ErrorCode::conflict &&
               renewal.tries < std::size(kTryAgain)) {
      renewal.at = now + kTryAgain[renewal.tries++];
      renewals_.push_back(renewal);
    } else {
      networks_.erase(found);
      // Sockets that are open yet are the function's doing, and nobody's trouble.
      const bool used = renewed.error().code() == ErrorCode::conflict;
      say(KeeperWord::lost, renewal.number, used ? "" : renewed.error().message());
    }
    return true;
  }

  bool make_one() {
    if (to_make_.empty()) return false;
    const auto number = to_make_.front();
    to_make_.pop_front();
    auto made = make_network(proc_.get());
    if (!made) {
      say(KeeperWord::failed, number, made.error().message());
      return true;
    }
    const auto& kept = networks_.insert_or_assign(number, std::move(*made)).first->second;
    say(KeeperWord::made, number, {}, kept.name.get());
    return true;
  }

  // lambda-spawn takes what is said when it has nothing else to do: waiting here holds up nobody.
  void say(KeeperWord word, std::uint32_t number, std::string_view text = {}, int descriptor = -1) {
    KeeperMessage message{word, number};
    text.copy(message.text, sizeof(message.text) - 1);
    while (!gone_ && !send_to(socket_, message, descriptor)) {
      pollfd room{socket_.get(), POLLOUT, 0};
      ::poll(&room, 1, 1000);
      if ((room.revents & (POLLERR | POLLHUP)) != 0) gone_ = true;
    }
  }

  UniqueFd socket_;
  UniqueFd proc_;
  UniqueFd home_;  // lambda-spawn's network namespace
  bool gone_ = false;
  std::map<std::uint32_t, Network> networks_;
  std::deque<std::uint32_t> to_make_;
  std::deque<Renewal> renewals_;
};

// In the new process, which has everything that lambda-spawn has open.
[[noreturn]] void run_keeper(UniqueFd socket, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  ::prctl(PR_SET_NAME, "lambda-keeper");
  // Ahead of nobody.
  ::setpriority(PRIO_PROCESS, 0, 0);
  const int own = ::dup2(socket.get(), 3);
  [[maybe_unused]] const int theirs = socket.release();
  ::close_range(4, ~0u, 0);
  if (own != 3) ::_exit(1);
  ::fcntl(own, F_SETFD, FD_CLOEXEC);
  // Nowhere to be seen, and no sandbox has it: its descriptor is this process's alone.
  auto proc =
      make_file_system("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (!proc) ::_exit(1);
  UniqueFd home(::openat(proc->get(), "thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home) ::_exit(1);
  KeeperLoop(UniqueFd(own), std::move(*proc), std::move(home)).run();
  ::_exit(0);
}

}  // namespace

Result<Keeper> start_keeper() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fail(Error::from_errno("make a socket for the keeper"));
  Keeper keeper;
  keeper.socket.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t self = ::getpid();
  keeper.pid = ::fork();
  if (keeper.pid < 0) return fail(Error::from_errno("start the keeper"));
  if (keeper.pid == 0) run_keeper(std::move(theirs), self);
  return keeper;
}

bool send_to(const UniqueFd& socket, const KeeperMessage& message, int descriptor) {
  const std::span<const int> sent(&descriptor, descriptor >= 0 ? 1 : 0);
  return send_with_descriptors(socket.get(), &message, sizeof(message), sent) == 0;
}

std::optional<std::pair<KeeperMessage, UniqueFd>> receive_from(const UniqueFd& socket, bool& gone) {
  KeeperMessage message;
  iovec part{&message, sizeof(message)};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
  header.msg_control = ancillary;
  header.msg_controllen = sizeof(ancillary);
  const ssize_t size = ::recvmsg(socket.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  auto descriptors = size > 0 ? take_descriptors(header) : std::vector<UniqueFd>{};
  if (size != sizeof(message)) {
    gone = true;
    return std::nullopt;
  }
  return std::pair(message, descriptors.empty() ? UniqueFd() : std::move(descriptors.front()));
}

}  // namespace lambda::sandbox::native
