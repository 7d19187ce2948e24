// Steps of an end: pid 1 is killed, and all of its namespace with it -> it is gone: its way out is
// closed, and its /tmp freed by the keeper -> its cgroup is removed, as soon as that is empty ->
// its network namespace goes back to the pool, its uid to the block -> whoever asked for the end is
// told.
#include "sandbox/native/spawned_sandbox.h"

#include <sys/epoll.h>
#include <sys/wait.h>

namespace lambda::sandbox::native {
namespace {

using std::chrono::milliseconds;

// After that a cgroup is taken to stay.
constexpr milliseconds kRemovalLimit{5000};
// Ends that are cleared up before anything else is looked at.
constexpr std::size_t kRemovalsAtOnce = 8;

// Closes the pidfd once its process is gone.
void reap_unwatched(UniqueFd& pidfd) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd.get());
  if (::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG) != 0 || info.si_pid != 0) pidfd.reset();
}

}  // namespace

// No event will tell of its end: finish_removals() looks for it, and answers the start.
void SpawnServer::give_up_unwatched(Sandbox& sandbox, const Error& error) {
  sandbox.setup_failure = error.message();
  kill_through(sandbox.pidfd);
  ::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_DEL, sandbox.pidfd.get(), nullptr);
  unwatch(sandbox.status);
  let_go_of_tmp(sandbox);
  bury(sandbox);
}

// Closing the last descriptor frees all that lies in it: 30 ms for 512 MB.
void SpawnServer::let_go_of_tmp(Sandbox& sandbox) {
  sandbox.closing_tmp = networks_.close(sandbox.number, sandbox.tmp);
  sandbox.tmp.reset();
}

void SpawnServer::bury(Sandbox& sandbox) {
  sandbox.state = State::removing;
  sandbox.removal_began = Clock::now();
  removing_.push_back(sandbox.number);
}

void SpawnServer::shut_in(Sandbox& sandbox) {
  if (sandbox.cable && parts_.uplink) parts_.uplink->take_back(*sandbox.cable);
  sandbox.cable.reset();
}

void SpawnServer::stop(Sandbox& sandbox) {
  if (sandbox.state == State::dead) return bury(sandbox);
  if (sandbox.state == State::stopping || sandbox.state == State::removing) return;
  if (sandbox.state == State::running && !sandbox.frozen) --watched_;
  sandbox.state = State::stopping;
  // The kernel kills all of the namespace with its pid 1, and reports pid 1 when all are gone.
  kill_through(sandbox.pidfd);
  if (sandbox.frozen) [[maybe_unused]]
    const auto thawed = sandbox.cgroup.set_frozen(false);
  // To end, a process has to run, and a thousand of them for a while.
  if (sandbox.cpu_is_limited) [[maybe_unused]]
    const auto free = sandbox.cgroup.set_cpu_quota(std::nullopt);
}

void SpawnServer::pid_one_ended(Sandbox& sandbox) {
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(sandbox.pidfd.get()), &info, WEXITED);
  unwatch(sandbox.pidfd);
  let_go_of_tmp(sandbox);
  shut_in(sandbox);
  // A setup that failed: its pipe may not have been read yet.
  while (sandbox.status) {
    const auto before = sandbox.setup_failure.size();
    char buffer[800];
    const ssize_t count = ::read(sandbox.status.get(), buffer, sizeof(buffer));
    if (count > 0) sandbox.setup_failure.append(buffer, static_cast<std::size_t>(count));
    if (sandbox.setup_failure.size() == before) unwatch(sandbox.status);
  }
  if (sandbox.state == State::running) {
    if (!sandbox.frozen) --watched_;
    sandbox.state = State::dead;
    if (ending_) stop(sandbox);
    return;
  }
  bury(sandbox);
}

// A few; those that are not done yet go behind the others.
void SpawnServer::finish_removals() {
  for (auto left = std::min(removing_.size(), kRemovalsAtOnce); left > 0; --left) {
    const auto number = removing_.front();
    removing_.pop_front();
    if (!finish_removal(*by_number_.at(number))) removing_.push_back(number);
  }
}

// True: it is gone, or never will be.
bool SpawnServer::finish_removal(Sandbox& sandbox) {
  if (sandbox.pidfd) reap_unwatched(sandbox.pidfd);
  // What lies in its /tmp is charged to the cgroup until the keeper has freed it.
  const bool late = Clock::now() - sandbox.removal_began >= kRemovalLimit;
  const bool closing = sandbox.closing_tmp && networks_.has_keeper() && !late;
  const bool removed = !sandbox.pidfd && !closing && sandbox.cgroup.remove();
  if (!removed && !late) return false;
  shut_in(sandbox);
  if (sandbox.network != 0) {
    if (removed) {
      networks_.give_back(sandbox.network);
    } else {
      networks_.give_up(sandbox.network);
    }
  }
  tell_of_removal(sandbox, removed);
  // Where it cannot be removed something of it may be alive yet, which stays the only one with its
  // uid and its network.
  if (removed) uids_.give_back(sandbox.uid);
  by_number_.erase(sandbox.number);
  sandboxes_.erase(sandbox.id);
  return true;
}

void SpawnServer::tell_of_removal(Sandbox& sandbox, bool removed) {
  for (const auto request : sandbox.stop_requests) {
    if (removed) {
      reply_done(Operation::stop, request);
    } else {
      reply_failed(Operation::stop, request,
                   Error(ErrorCode::sandbox_failed, fmt::format("the cgroup {} cannot be removed",
                                                                sandbox.cgroup.memory_path())));
    }
  }
  if (sandbox.start_request == 0) return;
  auto why =
      sandbox.setup_failure.empty() ? "it was killed while it was set up" : sandbox.setup_failure;
  reply_failed(Operation::start, sandbox.start_request, Error(ErrorCode::sandbox_failed, why));
}

void SpawnServer::end_all() {
  ending_ = true;
  starts_.clear();
  stops_.clear();
  ::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_DEL, parts_.socket.get(), nullptr);
  for (auto& [id, sandbox] : sandboxes_) stop(*sandbox);
}

}  // namespace lambda::sandbox::native
