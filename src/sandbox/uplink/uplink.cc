#include "sandbox/uplink/uplink.h"

#include <algorithm>
#include <csignal>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace lambda::sandbox::uplink {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
// One that ran so long did not fail at its start.
constexpr std::chrono::seconds kGoodRun{10};

milliseconds longer(milliseconds pause) {
  return std::clamp(pause * 2, kFirstPause, kLongestPause);
}

}  // namespace

Result<Uplink> Uplink::open(uid_t owner, Limits limits) {
  Uplink uplink;
  uplink.program_ = find_slirp();
  if (uplink.program_.empty()) {
    return fail(ErrorCode::unavailable,
                "slirp4netns is not installed: install it (apt-get install slirp4netns) and "
                "restart the server");
  }
  auto machine = MachineNamespaces::open();
  if (!machine) return fail(std::move(machine.error()));
  uplink.machine_ = std::move(*machine);
  auto addresses = MachineAddresses::watch();
  if (!addresses) return fail(std::move(addresses.error()));
  uplink.addresses_ = std::move(*addresses);
  auto router = enter_router_namespace(owner);
  if (!router) return fail(std::move(router.error()));
  uplink.router_ = std::move(*router);
  auto rules = PacketRules::make(uplink.router_.way_out, limits);
  if (!rules) return fail(std::move(rules.error()));
  uplink.rules_ = std::move(*rules);
  if (auto read = uplink.read_addresses(); !read) return fail(std::move(read.error()));
  return uplink;
}

Result<Cable> Uplink::take_cable(std::uint32_t sandbox) {
  // A start that fails is tried again, and told of then.
  if (!std::exchange(wanted_, true) && !start_carrier()) next_try_ = Clock::now();
  for (std::uint32_t tried = 0; tried < kMostCables; ++tried) {
    last_slot_ = last_slot_ % kMostCables + 1;
    if (slots_.insert(last_slot_).second) return Cable{last_slot_, kFirstCable + sandbox};
  }
  return fail(ErrorCode::overloaded, "every address for sandboxes is in use");
}

Result<NetlinkSocket> Uplink::router_socket() {
  return NetlinkSocket::open(NETLINK_ROUTE);
}

Result<Done> Uplink::grant(const Cable& cable, const EgressRule& rule) {
  return rules_.grant(cable, rule);
}

// An address whose rule the kernel does not take away is given to nobody else.
void Uplink::take_back(const Cable& cable) {
  if (rules_.revoke(cable)) slots_.erase(cable.slot);
}

Result<Done> Uplink::read_addresses() {
  auto addresses = addresses_.now();
  Result<Done> done = Done{};
  if (addresses) {
    done = rules_.set_machine_addresses(*addresses);
  } else {
    done = fail(std::move(addresses.error()));
  }
  closed_ = !done;
  open_ = false;
  if (done) {
    pause_of_addresses_ = {};
    return done;
  }
  // Better none gets out than one gets where it may not.
  open_ = !rules_.close();
  if (open_) stop_carrier();
  pause_of_addresses_ = longer(pause_of_addresses_);
  next_try_ = Clock::now() + pause_of_addresses_;
  return fail(std::move(done.error()), "no function gets out until this is known");
}

std::string Uplink::addresses_changed() {
  if (!addresses_.changed()) return {};
  if (auto read = read_addresses(); !read) return read.error().message();
  return {};
}

Result<Done> Uplink::start_carrier() {
  if (open_) return fail(ErrorCode::unavailable, "the kernel keeps packet rules that do not hold");
  auto started = start_slirp(program_, machine_, router_);
  if (!started) return fail(std::move(started.error()), "start {}", program_);
  carrier_ = std::move(*started);
  carrier_began_ = Clock::now();
  return Done{};
}

// carrier_ended() is told.
void Uplink::stop_carrier() {
  if (carrier_.pidfd) ::syscall(SYS_pidfd_send_signal, carrier_.pidfd.get(), SIGKILL, nullptr, 0);
}

std::string Uplink::carrier_ended() {
  siginfo_t info{};
  const auto process = static_cast<id_t>(carrier_.pidfd.get());
  if (::waitid(P_PIDFD, process, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0) return {};
  carrier_ = {};
  const bool good = Clock::now() - carrier_began_ > kGoodRun;
  pause_ = good ? kFirstPause : longer(pause_);
  next_try_ = Clock::now() + pause_;
  return fmt::format("{} ended with {} {}: functions have no way out until it runs again, in {} ms",
                     program_, info.si_code == CLD_EXITED ? "status" : "signal", info.si_status,
                     pause_.count());
}

std::string Uplink::retry() {
  if (!next_try_ || Clock::now() < *next_try_) return {};
  next_try_.reset();
  std::string trouble;
  if (closed_) {
    if (auto read = read_addresses(); !read) trouble = read.error().message();
  }
  if (wanted_ && !carrier_.pidfd) {
    if (auto started = start_carrier(); !started) {
      pause_ = longer(pause_);
      next_try_ = Clock::now() + pause_;
      trouble = started.error().message();
    }
  }
  return trouble;
}

}  // namespace lambda::sandbox::uplink
