// Steps of a start: check the request -> a cgroup and a network namespace that were made ahead ->
// clone3 -> the child sets itself up (sandbox_setup.cc) and executes lambda-init -> its status pipe
// ends -> a zygote is told to fork its runtime, where one does -> reply.
#include "sandbox/native/spawn_server.h"

#include "base/descriptor_message.h"
#include "sandbox/init/protocol.h"
#include "sandbox/limits.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/mount_injection.h"
#include "sandbox/native/mount_tree.h"
#include "sandbox/native/sandbox_setup.h"
#include "sandbox/native/spawn_request.h"
#include "sandbox/native/workspace.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/sched.h>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace lambda::sandbox::native {
namespace {

using std::chrono::milliseconds;

// How often running sandboxes are compared with their memory limit: seldom, and often where one has
// used three quarters of it.
constexpr milliseconds kLookEvery{20};
constexpr milliseconds kLookEveryWhenHot{2};
// With very many sandboxes the looks are spread out, so that they cost at most about 2 % of a CPU.
constexpr unsigned kSandboxesPerLook = 250;
// Where something is under way that no event tells of.
constexpr milliseconds kRetry{1};
constexpr milliseconds kFreezeLimit{1000};
constexpr milliseconds kRemovalLimit{5000};

// What a sandbox holds open here: its pidfd, its /tmp and its memory's usage, and while it starts
// its status pipe. What we hold ourselves, and what the one that is being made needs in passing.
constexpr rlim_t kDescriptorsPerSandbox = 4;
constexpr rlim_t kOwnDescriptors = 64;
constexpr rlim_t kDescriptorsPerCgroup = 6;
// Starts that are taken from the socket and not begun: behind more of them, what is more urgent
// would wait in the socket. And how many are begun before anything else is looked at.
constexpr std::size_t kStartsAhead = 24;
constexpr std::size_t kStartsAtOnce = 2;
// Ends that are cleared up before anything else is looked at; and how long they wait at most while
// there is always something else.
constexpr std::size_t kRemovalsAtOnce = 8;
constexpr milliseconds kLongestPutOff{200};

// What is made ahead where a process may open so many files.
struct Ahead {
  rlim_t networks;
  rlim_t cgroups;
};
constexpr std::size_t kLeastNetworks = 8;

Ahead ahead_within(rlim_t open_files) {
  return {std::clamp<rlim_t>(open_files / 32, 1, 128), std::clamp<rlim_t>(open_files / 128, 1, 16)};
}

rlim_t open_file_limit() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

// What an event's tag says: which sandbox (0: the socket), and which of its two descriptors.
// Zygotes have bits of their own.
constexpr std::uint64_t kStatusBit = 1ull << 32;
constexpr std::uint64_t kKeeperTag = 1ull << 35;
// Of the way out: the machine's addresses, and who carries packets.
constexpr std::uint64_t kAddressesTag = 1ull << 36;
constexpr std::uint64_t kCarrierTag = 1ull << 37;

template <std::size_t Size>
void copy_text(char (&to)[Size], const std::string& from) {
  const auto length = std::min(from.size(), Size - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

std::vector<std::pair<std::string, std::string>> size_of_tmp(std::uint64_t bytes) {
  return {{"size", std::to_string(bytes)}, {"nr_inodes", std::to_string(bytes / kBytesPerInode)}};
}

Result<UniqueFd> make_tmp(std::uint64_t bytes, const Walls& walls) {
  auto options = size_of_tmp(walls.tmp_size ? bytes : 2 * bytes);
  options.emplace_back("mode", "1777");
  return make_file_system("tmpfs", options,
                          walls.mount_flags ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV : 0);
}

// Without the limit of a wall: far more than the function asked for.
constexpr std::uint64_t kUnlimited = 16;

void signal_through(const UniqueFd& pidfd, int signal) {
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

void kill_through(const UniqueFd& pidfd) {
  signal_through(pidfd, SIGKILL);
}

// Closes the pidfd once its process is gone.
void reap_unwatched(UniqueFd& pidfd) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd.get());
  if (::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG) != 0 || info.si_pid != 0) pidfd.reset();
}

std::uint32_t microseconds_since(std::chrono::steady_clock::time_point begin) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::steady_clock::now() - begin)
                                        .count());
}

std::uint64_t bytes_in(int tmp) {
  struct statfs status {};
  if (::fstatfs(tmp, &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.f_blocks - status.f_bfree) *
         static_cast<std::uint64_t>(status.f_bsize);
}

}  // namespace

std::uint32_t sandboxes_within(rlim_t open_files) {
  const auto ahead = ahead_within(open_files);
  const auto own = kOwnDescriptors + ahead.networks + ahead.cgroups * kDescriptorsPerCgroup;
  const rlim_t fit = open_files > own ? (open_files - own) / kDescriptorsPerSandbox : 0;
  return static_cast<std::uint32_t>(std::clamp<rlim_t>(fit, 1, kSandboxUids));
}

struct SpawnServer::Sandbox {
  std::string id;
  std::uint32_t number = 0;
  State state = State::starting;
  CgroupLimits limits;
  Cgroup cgroup;
  uid_t uid = 0;
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd status;  // read end; ends when lambda-init was executed
  UniqueFd tmp;     // keeps the sandbox's /tmp in sight
  // Where a zygote will fork its runtime, until it was told to: the runtime's end of its socket to
  // init, and which zygote.
  UniqueFd runtime;
  std::string runtime_name;
  std::uint32_t network = 0;  // of the pool; 0: one of its own, which ends with it
  bool closing_tmp = false;   // the keeper does
  std::optional<uplink::Cable> cable;
  EgressRule egress;  // what it gets once it runs; a stem's comes with its function
  std::uint32_t start_request = 0;
  std::vector<std::uint32_t> stop_requests;
  bool stem = false;
  bool frozen = false;
  bool cpu_is_limited = false;
  bool over_memory = false;
  std::string setup_failure;
  Clock::time_point removal_began;
  // Of the start.
  std::uint32_t cgroup_time = 0;  // microseconds
  std::uint32_t clone_time = 0;
  Clock::time_point cloned;
};

SpawnServer::SpawnServer(SpawnServerParts parts)
    : parts_(std::move(parts)),
      cgroups_(parts_.cgroups, ahead_within(open_file_limit()).cgroups),
      networks_({kLeastNetworks,
                 parts_.walls.network_namespace ? ahead_within(open_file_limit()).networks : 0},
                parts_.epoll.get(), kKeeperTag),
      uids_(parts_.uids.first, kSandboxUids),
      zygotes_({std::move(parts_.zygotes), parts_.epoll.get(), &parts_.filter, parts_.open_files,
                [this](std::uint32_t number) { return runtime_forked(number); },
                [this](const std::string& words) { tell(words); }}) {}

SpawnServer::~SpawnServer() = default;

CgroupLimits SpawnServer::limits_of(const SpawnRequest& request) const {
  CgroupLimits limits;
  limits.memory_bytes = request.memory_bytes * (parts_.walls.memory ? 1 : kUnlimited);
  limits.tmp_bytes = request.tmp_bytes;
  // And init.
  limits.processes = (request.processes + 1) * (parts_.walls.processes ? 1 : kUnlimited);
  return limits;
}

// The kernel refuses when a user watches very much (fs.epoll.max_user_watches), or has no memory.
Result<Done> SpawnServer::watch(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return fail(Error::from_errno("watch for the end of a sandbox (epoll_ctl)"));
  return Done{};
}

// A child that is being set up still has a copy, so closing alone would not end the watching.
void SpawnServer::unwatch(UniqueFd& fd) {
  ::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  fd.reset();
}

int SpawnServer::wait_time() const {
  if (!starts_.empty()) return 0;
  if (!removing_.empty() || !freezing_.empty()) return static_cast<int>(kRetry.count());
  if (!ending_ && cgroups_.lacks()) return 0;
  auto next = ending_ ? std::nullopt : networks_.next_look();
  const auto no_later = [&next](std::optional<Clock::time_point> than) {
    if (than) next = std::min(next.value_or(*than), *than);
  };
  if (watched_ > 0) no_later(next_look_);
  no_later(look_at_zygotes_);
  if (parts_.uplink) no_later(parts_.uplink->next_try());
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - Clock::now());
  return static_cast<int>(std::max<milliseconds::rep>(left.count(), 0));
}

Result<Done> SpawnServer::run() {
  if (auto watched = watch(parts_.socket.get(), 0); !watched) {
    parts_.cgroups.remove_parent();
    return watched;
  }
  // Where changes of the machine's addresses are not heard of, nobody gets out.
  if (parts_.uplink) {
    auto watched = watch(parts_.uplink->addresses_fd(), kAddressesTag);
    if (!watched) parts_.uplink = fail(std::move(watched.error()));
  }
  std::array<epoll_event, 64> events{};
  while (!ending_ || !sandboxes_.empty()) {
    const int count = ::epoll_wait(parts_.epoll.get(), events.data(),
                                   static_cast<int>(events.size()), wait_time());
    for (int i = 0; i < count; ++i) dispatch(events[static_cast<std::size_t>(i)].data.u64);
    begin_starts();
    if (!freezing_.empty()) answer_freezes();
    if (parts_.uplink && parts_.uplink->next_try()) watch_uplink(parts_.uplink->retry());
    if (watched_ > 0 && Clock::now() >= next_look_) look_at_memory();
    if (look_at_zygotes_ && Clock::now() >= *look_at_zygotes_) look_at_zygotes_ = zygotes_.look();
    do_what_can_wait();
  }
  cgroups_.clear();
  parts_.cgroups.remove_parent();
  return Done{};
}

bool SpawnServer::is_asked() const {
  if (!starts_.empty()) return true;
  pollfd socket{parts_.socket.get(), POLLIN, 0};
  return !ending_ && ::poll(&socket, 1, 0) > 0;
}

void SpawnServer::do_what_can_wait() {
  if (!ending_) networks_.keep_up(Clock::now());  // asks the keeper, no more
  const bool asked = is_asked();
  if (!removing_.empty()) {
    const auto& longest = *by_number_.at(removing_.front());
    if (!asked || Clock::now() - longest.removal_began > kLongestPutOff) finish_removals();
  } else if (!asked && !ending_) {
    cgroups_.make_one();
  }
}

void SpawnServer::dispatch(std::uint64_t tag) {
  if (tag == 0) return take_requests();
  if ((tag & (Zygotes::kEndBit | Zygotes::kAnswerBit)) != 0) return zygotes_.take(tag);
  if (tag == kKeeperTag) {
    networks_.take_messages([this](std::uint32_t number) {
      const auto found = by_number_.find(number);
      if (found != by_number_.end()) found->second->closing_tmp = false;
    });
    return;
  }
  if (tag == kAddressesTag || tag == kCarrierTag) return look_after_uplink(tag);
  const auto found = by_number_.find(static_cast<std::uint32_t>(tag));
  if (found == by_number_.end()) return;
  Sandbox& sandbox = *found->second;
  if ((tag & kStatusBit) != 0) {
    if (sandbox.status) setup_ended(sandbox);
  } else if (sandbox.pidfd) {
    pid_one_ended(sandbox);
  }
}

void SpawnServer::take_requests() {
  while (!ending_ && starts_.size() < kStartsAhead) {
    SpawnRequest request;
    iovec part{&request, sizeof(request)};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
    message.msg_control = ancillary;
    message.msg_controllen = sizeof(ancillary);
    const ssize_t size = ::recvmsg(parts_.socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
    auto descriptors = size > 0 ? take_descriptors(message) : std::vector<UniqueFd>{};
    // lambdad is gone, or no longer itself.
    if (size != sizeof(request) || (message.msg_flags & MSG_TRUNC) != 0 || descriptors.size() > 1)
      return end_all();
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
      refuse_for_descriptors(request);
      continue;
    }
    take(request, descriptors.empty() ? UniqueFd() : std::move(descriptors.front()));
  }
}

// Stops are for begin_starts(), so that none overtakes its start.
void SpawnServer::take(const SpawnRequest& request, UniqueFd control) {
  if (auto checked = check_request(request); !checked)
    return reply_failed(request.operation, request.request, checked.error());
  if (request.operation == Operation::start) {
    starts_.push_back({request, std::move(control)});
  } else if (request.operation == Operation::stop) {
    if (stops_.empty()) stops_began_ = Clock::now();
    stops_.push_back(request);
  } else {
    handle(request);
  }
}

void SpawnServer::begin_starts() {
  for (std::size_t begun = 0; begun < kStartsAtOnce && !starts_.empty(); ++begun) {
    const auto asked = std::move(starts_.front());
    starts_.pop_front();
    if (auto started = start(asked.request, asked.control); !started)
      reply_failed(Operation::start, asked.request.request, started.error());
  }
  const bool in_time = stops_.empty() || Clock::now() - stops_began_ < kLongestPutOff;
  if (!starts_.empty() && stops_.size() < kStartsAhead && in_time) return;
  // One that is asked for behind its stop has an id of its own.
  for (const auto& request : std::exchange(stops_, {})) {
    const auto waiting = std::find_if(starts_.begin(), starts_.end(), [&](const Asked& asked) {
      return std::string_view(asked.request.id) == request.id;
    });
    if (waiting == starts_.end()) {
      handle(request);
      continue;
    }
    reply_failed(Operation::start, waiting->request.request,
                 Error(ErrorCode::sandbox_failed, "it was stopped before it was made"));
    starts_.erase(waiting);
    reply_done(Operation::stop, request.request);
  }
}

// The kernel leaves out what does not fit into our table of descriptors, and says so.
void SpawnServer::refuse_for_descriptors(const SpawnRequest& request) {
  const auto words = fmt::format(
      "lambda-spawn has too many open files (its limit is {}) to take a descriptor: raise the hard "
      "limit of open files that lambdad is started with, or lower max_instances",
      open_file_limit());
  reply_failed(request.operation, request.request, Error(ErrorCode::sandbox_failed, words));
}

void SpawnServer::handle(const SpawnRequest& request) {
  const auto operation = request.operation;
  const auto found = sandboxes_.find(std::string_view(request.id));
  if (found == sandboxes_.end()) {
    // Stopping what is gone is no failure.
    if (operation == Operation::stop) return reply_done(operation, request.request);
    return reply_failed(
        operation, request.request,
        Error(ErrorCode::not_found, fmt::format("there is no sandbox {}", request.id)));
  }
  Sandbox& sandbox = *found->second;
  if (operation == Operation::status) return answer_status(sandbox, request);
  if (operation == Operation::stop) {
    sandbox.stop_requests.push_back(request.request);
    return stop(sandbox);
  }
  if (sandbox.state != State::running) {
    return reply_failed(
        operation, request.request,
        Error(ErrorCode::sandbox_failed, fmt::format("sandbox {} does not run", request.id)));
  }
  if (operation == Operation::fill) return fill(sandbox, request);
  if (operation == Operation::limit_cpu) return limit_cpu(sandbox, request);
  set_frozen(sandbox, request);
}

// A process stands still once it would return to user space, for which it has to run: at once on an
// idle machine, and tens of milliseconds later on a busy one. Nobody else waits for that.
void SpawnServer::set_frozen(Sandbox& sandbox, const SpawnRequest& request) {
  const bool freeze = request.operation == Operation::freeze;
  if (auto done = sandbox.cgroup.set_frozen(freeze); !done)
    return reply_failed(request.operation, request.request, done.error());
  if (sandbox.frozen != freeze) watched_ += freeze ? -1u : 1u;
  sandbox.frozen = freeze;
  if (!freeze || sandbox.cgroup.stands_still())
    return reply_done(request.operation, request.request);
  freezing_.push_back({sandbox.number, request.request, Clock::now() + kFreezeLimit});
}

void SpawnServer::limit_cpu(Sandbox& sandbox, const SpawnRequest& request) {
  if (auto done = sandbox.cgroup.set_cpu_quota(request.cpu_thousandths); !done)
    return reply_failed(request.operation, request.request, done.error());
  sandbox.cpu_is_limited = true;
  reply_done(request.operation, request.request);
}

void SpawnServer::answer_freezes() {
  std::erase_if(freezing_, [this](const Freezing& one) {
    const auto found = by_number_.find(one.number);
    if (found == by_number_.end() || found->second->state != State::running) {
      const Error gone(ErrorCode::sandbox_failed, "the sandbox ended while it was being frozen");
      reply_failed(Operation::freeze, one.request, gone);
      return true;
    }
    // What takes longer is on its way all the same; or it was thawed meanwhile.
    const Sandbox& sandbox = *found->second;
    if (sandbox.frozen && !sandbox.cgroup.stands_still() && Clock::now() < one.until) return false;
    reply_done(Operation::freeze, one.request);
    return true;
  });
}

Result<Done> SpawnServer::start(const SpawnRequest& request, const UniqueFd& control) {
  const std::string id = request.id;
  if (!control) return fail(ErrorCode::invalid, "a sandbox needs a control socket");
  if (sandboxes_.contains(id)) return fail(ErrorCode::conflict, "sandbox {} exists", id);
  auto sandbox = std::make_unique<Sandbox>();
  sandbox->id = id;
  sandbox->number = ++last_number_;
  sandbox->start_request = request.request;
  sandbox->stem = request.stem != 0;
  sandbox->limits = limits_of(request);
  sandbox->limits.cpu = CpuWeight::whole_cpu;
  if (!sandbox->stem) sandbox->egress = egress_of(request);
  const auto began = Clock::now();
  auto cgroup = cgroups_.take(id, sandbox->limits);
  if (!cgroup) return fail(std::move(cgroup.error()).as(ErrorCode::sandbox_failed));
  sandbox->cgroup = std::move(*cgroup);
  sandbox->cgroup_time = microseconds_since(began);
  const auto limited = Clock::now();
  auto launched = launch(*sandbox, request, control);
  sandbox->clone_time = microseconds_since(limited);
  sandbox->cloned = Clock::now();
  if (!launched) {
    [[maybe_unused]] const bool gone = sandbox->cgroup.remove();
    if (sandbox->network != 0) networks_.give_back(sandbox->network);
    shut_in(*sandbox);
    uids_.give_back(sandbox->uid);
    return fail(std::move(launched.error()).as(ErrorCode::sandbox_failed));
  }
  Sandbox& launching = *sandbox;
  by_number_.emplace(launching.number, &launching);
  sandboxes_.emplace(id, std::move(sandbox));
  auto watched = watch(launching.pidfd.get(), launching.number);
  if (watched) watched = watch(launching.status.get(), launching.number | kStatusBit);
  if (!watched) give_up_unwatched(launching, watched.error());
  return Done{};
}

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

Result<Done> SpawnServer::launch(Sandbox& sandbox, const SpawnRequest& request,
                                 const UniqueFd& control) {
  const auto& walls = parts_.walls;
  auto tmp = make_tmp(request.tmp_bytes, walls);
  if (!tmp) return fail(std::move(tmp.error()));
  sandbox.tmp = std::move(*tmp);
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail(Error::from_errno("make a pipe"));
  sandbox.status.reset(ends[0]);
  const UniqueFd status(ends[1]);

  SandboxPlan plan;
  for (const auto& entry : sandbox.cgroup.entries()) plan.cgroup_entries.push_back(entry.get());
  const bool runtime = request.root_kind == RootKind::runtime;
  plan.root_base = runtime ? kRuntimesMount : kDataMount;
  plan.root = runtime ? std::string(request.root) + "/rootfs" : std::string(request.root);
  plan.task = request.task;
  plan.tmp = sandbox.tmp.get();
  plan.secret_files = request.secret_files;
  plan.secret_bytes = request.secret_bytes;
  plan.control = control.get();
  plan.init_program = parts_.init_program.get();
  UniqueFd init_end;
  if (runtime && request.fork != 0 && zygotes_.ready_for(request.root)) {
    int pair[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
      return fail(Error::from_errno("make a socket for a runtime"));
    init_end.reset(pair[0]);
    sandbox.runtime.reset(pair[1]);
    sandbox.runtime_name = request.root;
    if (!look_at_zygotes_) look_at_zygotes_ = Clock::now();
  }
  plan.runtime = init_end.get();
  plan.status = status.get();
  const auto uid = uids_.take();
  if (!uid) return fail(ErrorCode::overloaded, "every uid for sandboxes is in use");
  sandbox.uid = *uid;
  plan.outside_id = walls.own_user ? *uid : parts_.uids.first;
  plan.filter = &parts_.filter;
  plan.open_files = parts_.open_files;
  plan.walls = walls;
  uplink::NetlinkSocket router;
  if (request.egress != Egress::none) {
    if (!parts_.uplink) return fail(Error(parts_.uplink.error()), "give the sandbox a way out");
    auto cable = parts_.uplink->take_cable(sandbox.number);
    watch_uplink({});
    if (!cable) return fail(std::move(cable.error()), "give the sandbox a way out");
    sandbox.cable = plan.cable = *cable;
    auto socket = uplink::Uplink::router_socket();
    if (!socket) return fail(std::move(socket.error()));
    router = std::move(*socket);
    plan.router = &router;
  }

  std::optional<NetworkPool::Taken> network;
  if (walls.network_namespace) network = networks_.take();
  if (network) {
    sandbox.network = network->number;
    plan.network = network->name.get();
  }

  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_NEWNS | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  if (walls.pid_namespace) arguments.flags |= CLONE_NEWPID;
  if (walls.uts_namespace) arguments.flags |= CLONE_NEWUTS;
  if (walls.ipc_namespace) arguments.flags |= CLONE_NEWIPC;
  if (walls.network_namespace && !network) arguments.flags |= CLONE_NEWNET;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (sandbox.cgroup.clone_into() >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(sandbox.cgroup.clone_into());
  }
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid < 0) return fail(Error::from_errno("make a process with namespaces of its own"));
  if (pid == 0) set_up_and_run_init(plan);
  sandbox.pid = static_cast<pid_t>(pid);
  sandbox.pidfd.reset(pidfd);
  if (sandbox.runtime) return Done{};  // which has to enter them too
  sandbox.cgroup.close_entries();
  sandbox.cgroup.close_clone_into();
  return Done{};
}

// What the function may reach is let through from here on, before it begins.
Result<Done> SpawnServer::let_out(Sandbox& sandbox, const SpawnRequest& request) {
  const auto rule = egress_of(request);
  if (!rule.out) return Done{};
  if (!sandbox.cable)
    return fail(ErrorCode::conflict, "stem {} was made without a way out", sandbox.id);
  return parts_.uplink->grant(*sandbox.cable, rule);
}

void SpawnServer::shut_in(Sandbox& sandbox) {
  if (sandbox.cable && parts_.uplink) parts_.uplink->take_back(*sandbox.cable);
  sandbox.cable.reset();
}

void SpawnServer::look_after_uplink(std::uint64_t tag) {
  if (tag == kAddressesTag) return watch_uplink(parts_.uplink->addresses_changed());
  if (parts_.uplink->carrier_fd() < 0) return;
  // Children that are being set up have copies, so closing alone would not end the watching.
  ::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_DEL, parts_.uplink->carrier_fd(), nullptr);
  watched_carrier_ = -1;
  watch_uplink(parts_.uplink->carrier_ended());
}

// `trouble`, where there is some, is told to lambdad.
void SpawnServer::watch_uplink(std::string trouble) {
  const int carrier = parts_.uplink->carrier_fd();
  if (carrier != watched_carrier_ && carrier >= 0) {
    if (auto watched = watch(carrier, kCarrierTag); !watched) trouble = watched.error().message();
  }
  watched_carrier_ = carrier;
  if (!trouble.empty() && !ending_) tell("functions' way out: " + trouble);
}

void SpawnServer::fill(Sandbox& sandbox, const SpawnRequest& request) {
  SpawnReply answer;
  answer.operation = Operation::fill;
  answer.request = request.request;
  Result<Done> done = Done{};
  if (!std::exchange(sandbox.stem, false) || sandbox.frozen)
    done = fail(ErrorCode::conflict, "sandbox {} is no stem", sandbox.id);
  const auto began = Clock::now();
  if (done) {
    sandbox.limits = limits_of(request);
    done = sandbox.cgroup.set_limits(sandbox.limits);
  }
  if (done) done = change_file_system(sandbox.tmp.get(), size_of_tmp(request.tmp_bytes));
  answer.cgroup_time = microseconds_since(began);
  const auto limited = Clock::now();
  if (done) {
    const Injection injection{request.task, request.secret_files, request.secret_bytes,
                              sandbox.uid};
    done = inject(sandbox.pidfd, parts_.workspace, injection);
  }
  if (done) done = let_out(sandbox, request);
  answer.mount_time = microseconds_since(limited);
  if (!done) {
    return reply_failed(request.operation, request.request,
                        std::move(done.error()).as(ErrorCode::sandbox_failed));
  }
  signal_through(sandbox.pidfd, init::kFilledSignal);
  copy_text(answer.text, sandbox.cgroup.memory_path());
  reply(answer);
}

void SpawnServer::setup_ended(Sandbox& sandbox) {
  char buffer[800];
  const ssize_t count = ::read(sandbox.status.get(), buffer, sizeof(buffer));
  if (count < 0) return;
  if (count > 0) {
    sandbox.setup_failure.append(buffer, static_cast<std::size_t>(count));
    return;  // the end of the pipe follows
  }
  unwatch(sandbox.status);
  if (!sandbox.setup_failure.empty() || sandbox.state != State::starting) return stop(sandbox);
  if (auto begun = begin_running(sandbox); !begun) {
    sandbox.setup_failure = begun.error().message();
    return stop(sandbox);
  }
  sandbox.state = State::running;
  ++watched_;
  if (watched_ == 1) next_look_ = Clock::now() + kLookEvery;
  SpawnReply answer;
  answer.operation = Operation::start;
  answer.request = std::exchange(sandbox.start_request, 0);
  answer.cgroup_time = sandbox.cgroup_time;
  answer.clone_time = sandbox.clone_time;
  answer.mount_time = microseconds_since(sandbox.cloned);
  copy_text(answer.text, sandbox.cgroup.memory_path());
  reply(answer);
}

// Until its runtime was forked a sandbox keeps a whole CPU's weight: the zygote waits for it, and
// others for the zygote.
Result<Done> SpawnServer::begin_running(Sandbox& sandbox) {
  if (sandbox.egress.out) {
    if (auto set = parts_.uplink->grant(*sandbox.cable, sandbox.egress); !set) return set;
  }
  bool forks = false;
  if (sandbox.runtime) {
    forks = zygotes_.fork(sandbox.runtime_name, sandbox.number, sandbox.pidfd, sandbox.cgroup,
                          std::move(sandbox.runtime));
    sandbox.runtime.reset();
    sandbox.cgroup.close_entries();
    sandbox.cgroup.close_clone_into();
  }
  sandbox.limits.cpu = sandbox.stem ? CpuWeight::least : CpuWeight::by_memory;
  return forks ? Result<Done>(Done{}) : sandbox.cgroup.set_cpu(sandbox.limits);
}

bool SpawnServer::runtime_forked(std::uint32_t number) {
  const auto found = by_number_.find(number);
  if (found == by_number_.end() || found->second->state != State::running) return false;
  Sandbox& sandbox = *found->second;
  if (sandbox.cgroup.set_cpu(sandbox.limits)) return true;
  // As a failed set-up; lambdad takes it for a sandbox that ended.
  kill_through(sandbox.pidfd);
  return false;
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
  const bool closing = sandbox.closing_tmp && networks_.has_keeper();
  const bool removed = !sandbox.pidfd && !closing && sandbox.cgroup.remove();
  if (!removed && Clock::now() - sandbox.removal_began < kRemovalLimit) return false;
  shut_in(sandbox);
  if (sandbox.network != 0) {
    if (removed) {
      networks_.give_back(sandbox.network);
    } else {
      networks_.give_up(sandbox.network);
    }
  }
  tell_of_removal(sandbox, removed);
  uids_.give_back(sandbox.uid);
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

void SpawnServer::answer_status(const Sandbox& sandbox, const SpawnRequest& request) {
  SpawnReply answer;
  answer.operation = Operation::status;
  answer.request = request.request;
  answer.alive = sandbox.state == State::running ? 1 : 0;
  answer.out_of_memory = sandbox.over_memory || sandbox.cgroup.kernel_killed_for_memory() ? 1 : 0;
  reply(answer);
}

void SpawnServer::look_at_memory() {
  hot_ = false;
  unsigned looked = 0;
  for (auto& [id, sandbox] : sandboxes_) {
    if (sandbox->state != State::running || sandbox->frozen || sandbox->over_memory) continue;
    check_memory(*sandbox);
    ++looked;
  }
  const auto spread = 1 + looked / kSandboxesPerLook;
  next_look_ = Clock::now() + (hot_ ? kLookEveryWhenHot : kLookEvery) * spread;
}

// See cgroups.h for why the kernel's own limit cannot do this.
void SpawnServer::check_memory(Sandbox& sandbox) {
  const auto limit = sandbox.limits.memory_bytes;
  const auto charged = sandbox.cgroup.charged();
  if (charged < limit / 4 * 3) return;
  if (charged > limit) {
    const auto held = sandbox.cgroup.held();
    const auto in_tmp = bytes_in(sandbox.tmp.get());
    if (held > limit + in_tmp) {
      sandbox.over_memory = true;
      kill_through(sandbox.pidfd);
      return;
    }
    // All of it is /tmp and page cache: no hurry.
    if (held < in_tmp + limit / 4 * 3) return;
  }
  hot_ = true;
}

void SpawnServer::end_all() {
  ending_ = true;
  starts_.clear();
  stops_.clear();
  ::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_DEL, parts_.socket.get(), nullptr);
  for (auto& [id, sandbox] : sandboxes_) stop(*sandbox);
}

void SpawnServer::reply(const SpawnReply& answer) {
  // lambdad's reader takes replies as they come; when its end is gone, nobody needs one.
  while (::send(parts_.socket.get(), &answer, sizeof(answer), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

// For lambdad's log. Nobody waits for a reply of this number.
void SpawnServer::tell(const std::string& words) {
  SpawnReply notice;
  notice.operation = Operation::notice;
  copy_text(notice.text, words);
  reply(notice);
}

void SpawnServer::reply_done(Operation operation, std::uint32_t request, const std::string& text) {
  SpawnReply answer;
  answer.operation = operation;
  answer.request = request;
  copy_text(answer.text, text);
  reply(answer);
}

void SpawnServer::reply_failed(Operation operation, std::uint32_t request, const Error& error) {
  SpawnReply answer;
  answer.operation = operation;
  answer.request = request;
  answer.failed = 1;
  answer.error_code = static_cast<std::uint32_t>(error.code());
  copy_text(answer.text, error.message());
  reply(answer);
}

}  // namespace lambda::sandbox::native
