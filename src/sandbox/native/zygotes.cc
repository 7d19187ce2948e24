// Steps of a zygote's start: its files are root's alone -> clone3 -> the child: its base file
// system and the module, nothing else of lambda-spawn's world -> only the capabilities that
// entering a sandbox takes -> exec of Python. Of a fork: one message; the answer is an event.
#include "sandbox/native/zygotes.h"

#include "base/descriptor_message.h"
#include "sandbox/limits.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/mount_tree.h"
#include "sandbox/native/workspace.h"
#include "sandbox/native/zygote_protocol.h"
#include "sandbox/zygote_program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::sandbox::native {
namespace {

using std::chrono::seconds;

// So many forks before its last, the next one is started.
constexpr std::uint32_t kAhead = 8;
constexpr seconds kStartLimit{10};
constexpr seconds kForkLimit{5};
// More than a sandbox waits for its runtime (lambda_init.cc).
constexpr seconds kWaitLimit{3};
constexpr seconds kLongestPause{60};
// So many forks may fail before so many in a row have been made.
constexpr std::uint32_t kMostFailures = 3;
constexpr std::uint32_t kGoodAgain = 8;
// In base file systems (runtimes/build).
constexpr char kModulePlace[] = "run/lambda";
constexpr char kModuleName[] = "lambda-zygote.so";
constexpr std::uint64_t kModuleRoom = 4ull << 20;
// Whoever could write to one of these, or to a file below the last ones, would become root by it:
// Python and the loader take what they execute from there, and nothing from elsewhere.
constexpr const char* kWayThere[] = {"", "/rootfs", "/rootfs/var"};
constexpr const char* kTrusted[] = {"/rootfs/etc",      "/rootfs/opt",         "/rootfs/usr",
                                    "/rootfs/var/lang", "/rootfs/var/runtime", "/rootfs/var/task"};
constexpr int kNeeded[] = {CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SYS_PTRACE,
                           CAP_SETUID,    CAP_SETGID,     CAP_SETPCAP};

std::string root_of(const std::string& runtime) {
  return std::string(kRuntimesMount) + "/" + runtime;
}

// --- in the child

Result<Done> check_one(const std::string& path, bool may_be_link) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return fail(Error::from_errno("look at " + path));
  const bool link = S_ISLNK(status.st_mode);
  if (status.st_uid == 0 && (link ? may_be_link : (status.st_mode & 022) == 0)) return Done{};
  return fail(ErrorCode::unavailable,
              "others than root can write to {}, where the runtimes directory is mounted: run "
              "`runtimes/build` as root",
              path);
}

// Some 3,000 files; not of lambda-spawn's time.
Result<Done> check_trust(const std::string& runtime) {
  namespace fs = std::filesystem;
  if (auto good = check_one(kRuntimesMount, false); !good) return good;
  for (const char* path : kWayThere) {
    if (auto good = check_one(root_of(runtime) + path, false); !good) return good;
  }
  for (const char* path : kTrusted) {
    const auto top = root_of(runtime) + path;
    if (auto good = check_one(top, false); !good) return good;
    std::error_code error;
    for (fs::recursive_directory_iterator at(top, error), end; !error && at != end;
         at.increment(error)) {
      if (auto good = check_one(at->path().string(), true); !good) return good;
    }
    if (error) return fail(Error::from_errno("look through " + top, error.value()));
  }
  return Done{};
}

Result<Done> copy_module(int module, int file_system) {
  const UniqueFd file(
      ::openat(file_system, kModuleName, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file) return fail(Error::from_errno("make the zygote's module"));
  std::array<char, 65536> buffer{};
  for (off_t at = 0;;) {
    const ssize_t count = ::pread(module, buffer.data(), buffer.size(), at);
    if (count == 0) return Done{};
    if (count < 0 || ::write(file.get(), buffer.data(), static_cast<std::size_t>(count)) != count)
      return fail(Error::from_errno("copy the zygote's module"));
    at += count;
  }
}

Result<Done> enter_file_system(const std::string& runtime, int module) {
  constexpr std::uint64_t kFixed = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  auto root = copy_below(kRuntimesMount, runtime + "/rootfs", kFixed);
  if (!root) return fail(std::move(root.error()));
  auto place_of_module =
      make_file_system("tmpfs", {{"size", std::to_string(kModuleRoom)}, {"mode", "0755"}}, 0);
  if (!place_of_module) return fail(std::move(place_of_module.error()));
  auto done = copy_module(module, place_of_module->get());
  if (done) done = set_attributes(place_of_module->get(), kFixed);
  // The kernel ends it before anyone's program; a score is passed on to what it forks.
  auto proc = make_file_system("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (!proc) return fail(std::move(proc.error()));
  if (done) {
    const auto score = fmt::format("{}/oom_score_adj", ::getpid());
    done = write_file_at(proc->get(), score, std::to_string(kOomScore));
  }
  if (done) done = place(root->get(), kRootMount);
  if (!done) return done;
  if (::chdir(kRootMount) != 0) return fail(Error::from_errno("enter the root file system"));
  done = place(place_of_module->get(), std::string(kRootMount) + "/" + kModulePlace);
  if (!done) return done;
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return fail(Error::from_errno("pivot_root"));
  if (::umount2(".", MNT_DETACH) != 0) return fail(Error::from_errno("unmount the old root"));
  if (::chdir("/") != 0) return fail(Error::from_errno("enter the new root"));
  return Done{};
}

// Also what an exec as root would bring back.
Result<Done> keep_needed_capabilities() {
  for (int capability = 0; capability <= 63; ++capability) {
    if (std::find(std::begin(kNeeded), std::end(kNeeded), capability) != std::end(kNeeded))
      continue;
    ::prctl(PR_CAPBSET_DROP, capability);
  }
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  __user_cap_data_struct data[2] = {};
  for (const int capability : kNeeded) {
    data[capability / 32].permitted |= 1u << (capability % 32);
    data[capability / 32].effective |= 1u << (capability % 32);
  }
  if (::syscall(SYS_capset, &header, data) != 0)
    return fail(Error::from_errno("keep capabilities"));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail(Error::from_errno("set no_new_privs"));
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail(Error::from_errno("set PDEATHSIG"));
  return Done{};
}

struct ZygotePlan {
  const std::string& runtime;
  int module = -1;
  int socket = -1;
  int words = -1;        // what it has to say to people
  bool trusted = false;  // its files have been looked at
  rlimit open_files{};
};

Result<Done> set_up(const ZygotePlan& plan) {
  // lambda-spawn runs ahead of everyone; functions do not.
  ::setpriority(PRIO_PROCESS, 0, 0);
  const rlimit no_core{1, 1};  // see sandbox_setup.cc
  ::setrlimit(RLIMIT_CORE, &no_core);
  Result<Done> done = Done{};
  if (!plan.trusted) done = check_trust(plan.runtime);
  if (done) done = enter_file_system(plan.runtime, plan.module);
  if (!done) return done;
  // Our 3 is the socket to lambdad, which must not come along.
  if (::dup2(plan.socket, kZygoteSocket) < 0 || ::dup2(plan.words, 1) < 0 ||
      ::dup2(plan.words, 2) < 0)
    return fail(Error::from_errno("redirect a descriptor"));
  if (::close_range(kZygoteSocket + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
    return fail(Error::from_errno("close descriptors"));
  if (::setrlimit(RLIMIT_NOFILE, &plan.open_files) != 0)
    return fail(Error::from_errno("limit the open files"));
  if (done = keep_needed_capabilities(); !done) return done;
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  return done;
}

[[noreturn]] void become_zygote(const ZygotePlan& plan) {
  auto done = set_up(plan);
  if (done) {
    std::vector<char*> argv;
    for (const char* argument : kZygoteArguments) argv.push_back(const_cast<char*>(argument));
    char option[] = "--zygote";
    argv.push_back(option);
    argv.push_back(nullptr);
    std::vector<std::string> variables;
    for (const auto& [name, value] : kZygoteEnvironment)
      variables.push_back(fmt::format("{}={}", name, value));
    std::vector<char*> environment;
    for (auto& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    ::execve(argv.front(), argv.data(), environment.data());
    done = fail(Error::from_errno(std::string("execute ") + argv.front()));
  }
  const auto& text = done.error().message();
  [[maybe_unused]] const auto ignored = ::write(plan.words, text.data(), text.size());
  ::_exit(1);
}

}  // namespace

// --- in lambda-spawn

struct Zygotes::Zygote {
  std::string runtime;
  std::uint32_t number = 0;
  dev_t device = 0;
  ino_t inode = 0;
  UniqueFd pidfd;
  UniqueFd socket;
  UniqueFd words;
  bool ready = false;
  std::uint32_t forks = 0;
  std::uint32_t failures = 0;
  std::uint32_t good = 0;  // since the last failure
  Clock::time_point started = Clock::now();
  struct Order {
    std::uint32_t sandbox;
    Clock::time_point given;
    bool given_up = false;  // its sandbox has executed a runtime
  };
  std::deque<Order> orders;  // not answered yet

  void kill() const { ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0); }
  // The next one that no sandbox waits for any more; nullptr: there is none.
  Order* late_order(Clock::time_point now) {
    for (auto& order : orders) {
      if (now - order.given <= kWaitLimit) return nullptr;
      if (!std::exchange(order.given_up, true)) return &order;
    }
    return nullptr;
  }
  [[nodiscard]] bool is_late(Clock::time_point now) const {
    if (!ready) return now - started > kStartLimit;
    return !orders.empty() && now - orders.front().given > kForkLimit;
  }
};

Zygotes::Zygotes(Parts parts) : parts_(std::move(parts)) {}

Zygotes::~Zygotes() {
  for (const auto& [number, zygote] : by_number_) {
    zygote->kill();
    ::waitid(P_PIDFD, static_cast<id_t>(zygote->pidfd.get()), nullptr, WEXITED);
  }
}

Result<std::unique_ptr<Zygotes::Zygote>> Zygotes::launch(const std::string& runtime, bool trusted) {
  auto zygote = std::make_unique<Zygote>();
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fail(Error::from_errno("make a zygote's socket"));
  zygote->socket.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  // Only ours must not wait.
  ::fcntl(theirs.get(), F_SETFL, 0);
  int words[2] = {-1, -1};
  if (::pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0) return fail(Error::from_errno("make a pipe"));
  zygote->words.reset(words[0]);
  const UniqueFd their_words(words[1]);
  const auto& filter = *parts_.filter;
  const auto size = filter.size() * sizeof(filter.front());
  if (size > kMostFilterBytes || ::send(ends[0], filter.data(), size, MSG_NOSIGNAL) < 0)
    return fail(Error::from_errno("tell a zygote the seccomp filter"));
  const ZygotePlan plan{runtime,      parts_.settings.module.get(),
                        theirs.get(), their_words.get(),
                        trusted,      parts_.open_files};
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_NEWNS | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid < 0) return fail(Error::from_errno("make a process for a zygote"));
  if (pid == 0) become_zygote(plan);
  zygote->pidfd.reset(pidfd);
  return zygote;
}

std::unique_ptr<Zygotes::Zygote> Zygotes::start(Place& place, const std::string& runtime,
                                                const struct stat& root) {
  const bool trusted = place.trusted_inode == root.st_ino && place.trusted_device == root.st_dev;
  auto launched = launch(runtime, trusted);
  if (!launched) {
    failed(place, runtime, launched.error().message());
    return nullptr;
  }
  auto zygote = std::move(*launched);
  zygote->runtime = runtime;
  zygote->number = ++last_number_;
  zygote->device = root.st_dev;
  zygote->inode = root.st_ino;
  for (const auto& [fd, bit] :
       {std::pair(zygote->pidfd.get(), kEndBit), std::pair(zygote->socket.get(), kAnswerBit)}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = bit | zygote->number;
    if (::epoll_ctl(parts_.epoll, EPOLL_CTL_ADD, fd, &event) == 0) continue;
    failed(place, runtime, Error::from_errno("watch a zygote (epoll_ctl)").message());
    zygote->kill();
    ::waitid(P_PIDFD, static_cast<id_t>(zygote->pidfd.get()), nullptr, WEXITED);
    return nullptr;
  }
  by_number_.emplace(zygote->number, zygote.get());
  return zygote;
}

void Zygotes::failed(Place& place, const std::string& runtime, const std::string& why) {
  place.pause = std::clamp(place.pause * 2, seconds(1), kLongestPause);
  place.not_before = Clock::now() + place.pause;
  parts_.tell(fmt::format(
      "there is no zygote of {} for {} s, so each of its functions starts a Python of its own: {}",
      runtime, place.pause.count(), why));
}

// It carries out what it was told, and ends.
void Zygotes::retire(std::unique_ptr<Zygote>& zygote) {
  if (!zygote) return;
  ::shutdown(zygote->socket.get(), SHUT_WR);
  const auto number = zygote->number;
  retired_.emplace(number, std::move(zygote));
}

bool Zygotes::ready_for(const std::string& runtime) {
  const auto& settings = parts_.settings;
  if (!settings.allowed || !settings.module || settings.forks == 0) return false;
  struct stat root {};
  // Before a place is made: lambdad can name as many as it likes.
  if (::stat((root_of(runtime) + "/rootfs").c_str(), &root) != 0) return false;
  auto& place = places_[runtime];
  const auto now = Clock::now();
  place.wanted = now;
  for (auto* zygote : {&place.zygote, &place.next}) {
    if (*zygote && ((*zygote)->inode != root.st_ino || (*zygote)->device != root.st_dev))
      retire(*zygote);
  }
  if (place.zygote && place.zygote->forks >= settings.forks) retire(place.zygote);
  if (!place.zygote) place.zygote = std::move(place.next);
  if (now < place.not_before) return place.zygote != nullptr;
  if (!place.zygote) place.zygote = start(place, runtime, root);
  if (place.zygote && !place.next && place.zygote->forks > 0 &&
      place.zygote->forks + kAhead >= settings.forks)
    place.next = start(place, runtime, root);
  return place.zygote != nullptr;
}

bool Zygotes::fork(const std::string& runtime, std::uint32_t number, const UniqueFd& pid_one,
                   const Cgroup& cgroup, UniqueFd socket) {
  const auto found = places_.find(runtime);
  if (found == places_.end() || !found->second.zygote) return false;
  auto& zygote = *found->second.zygote;
  ZygoteOrder order;
  order.number = number;
  order.task_files = static_cast<std::uint32_t>(cgroup.entries().size());
  order.directory = cgroup.clone_into() >= 0 ? 1 : 0;
  std::vector<int> descriptors{pid_one.get(), socket.get()};
  for (const auto& entry : cgroup.entries()) descriptors.push_back(entry.get());
  if (order.directory != 0) descriptors.push_back(cgroup.clone_into());
  if (order.task_files > kMostTaskFiles) return false;
  // A full socket: it does not get on, and pid 1 starts the runtime sooner.
  if (send_with_descriptors(zygote.socket.get(), &order, sizeof(order), descriptors) != 0)
    return false;
  ++zygote.forks;
  zygote.orders.push_back({number, Clock::now()});
  return true;
}

void Zygotes::take(std::uint64_t tag) {
  const auto found = by_number_.find(static_cast<std::uint32_t>(tag));
  if (found == by_number_.end()) return;
  if ((tag & kAnswerBit) != 0) {
    take_answers(*found->second);
  } else {
    ended(*found->second);
  }
}

void Zygotes::take_answers(Zygote& zygote) {
  while (true) {
    ZygoteAnswer answer;
    const ssize_t size = ::recv(zygote.socket.get(), &answer, sizeof(answer), MSG_DONTWAIT);
    if (size < 0) return;
    if (size == 0) {  // its end is an event of its own
      ::epoll_ctl(parts_.epoll, EPOLL_CTL_DEL, zygote.socket.get(), nullptr);
      return;
    }
    if (size != sizeof(answer)) continue;
    if (answer.number == 0) {
      zygote.ready = true;
      auto& place = places_[zygote.runtime];
      place.trusted_device = zygote.device;
      place.trusted_inode = zygote.inode;
      continue;
    }
    const auto order = std::find_if(zygote.orders.begin(), zygote.orders.end(),
                                    [&](const auto& one) { return one.sandbox == answer.number; });
    // A process that was forked may have more to say.
    if (order == zygote.orders.end() && answer.error == 0) continue;
    if (order != zygote.orders.end()) zygote.orders.erase(order);
    const bool wanted = parts_.answered(answer.number);
    answer.text[sizeof(answer.text) - 1] = '\0';
    const auto why = Error::from_errno(answer.text, answer.error).message();
    if (answer.error != 0 && wanted)
      parts_.tell(fmt::format("a runtime of {} could not be forked, so it starts by itself: {}",
                              zygote.runtime, why));
    // What comes too late says nothing about the next one; nor does a sandbox that has ended.
    if (answer.error == 0) {
      note_fork(zygote);
    } else if (wanted && answer.error != ETIMEDOUT) {
      note_failed_fork(zygote, why);
    }
  }
}

void Zygotes::note_fork(Zygote& zygote) {
  if (++zygote.good < kGoodAgain) return;
  zygote.failures = 0;
  places_[zygote.runtime].pause = seconds(0);
}

// Each one that fails costs its sandbox more than a runtime that is executed at once.
void Zygotes::note_failed_fork(Zygote& zygote, const std::string& why) {
  zygote.good = 0;
  auto& place = places_[zygote.runtime];
  if (++zygote.failures < kMostFailures || place.zygote.get() != &zygote) return;
  retire(place.zygote);
  retire(place.next);
  failed(place, zygote.runtime,
         fmt::format("{} forks of one failed, the last: {}", kMostFailures, why));
}

void Zygotes::ended(Zygote& zygote) {
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(zygote.pidfd.get()), &info, WEXITED);
  take_answers(zygote);
  // Children that it left half-way may hold copies: closing alone would not end the watching.
  ::epoll_ctl(parts_.epoll, EPOLL_CTL_DEL, zygote.pidfd.get(), nullptr);
  ::epoll_ctl(parts_.epoll, EPOLL_CTL_DEL, zygote.socket.get(), nullptr);
  for (const auto& order : zygote.orders) {
    [[maybe_unused]] const bool wanted = parts_.answered(order.sandbox);
  }
  by_number_.erase(zygote.number);
  if (retired_.erase(zygote.number) != 0) return;
  auto& place = places_[zygote.runtime];
  std::array<char, 600> words{};
  const ssize_t count = ::read(zygote.words.get(), words.data(), words.size());
  std::string why = info.si_code == CLD_EXITED
                        ? fmt::format("it ended with status {}", info.si_status)
                        : fmt::format("signal {} ended it", info.si_status);
  if (count > 0)
    why =
        fmt::format("{}: {}", why, std::string_view(words.data(), static_cast<std::size_t>(count)));
  failed(place, zygote.runtime, why);
  auto& mine = place.zygote.get() == &zygote ? place.zygote : place.next;
  mine.reset();
}

std::optional<Zygotes::Clock::time_point> Zygotes::look() {
  const auto now = Clock::now();
  for (auto& [runtime, place] : places_) {
    if (now - place.wanted < parts_.settings.forget) continue;
    retire(place.zygote);
    retire(place.next);
  }
  bool some = false;
  for (const auto& [number, zygote] : by_number_) {
    some = true;
    while (const auto* order = zygote->late_order(now)) {
      [[maybe_unused]] const bool wanted = parts_.answered(order->sandbox);
    }
    if (zygote->is_late(now)) zygote->kill();
  }
  if (!some) return std::nullopt;
  return now + seconds(1);
}

}  // namespace lambda::sandbox::native
