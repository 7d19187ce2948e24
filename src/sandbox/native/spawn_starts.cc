// Steps of a start: a cgroup and a network namespace that were made ahead -> clone3 -> the child
// sets itself up (sandbox_setup.cc) and executes lambda-init -> its status pipe ends -> a zygote is
// told to fork its runtime, where one does -> reply. A stem waits then, until it is filled.
#include "sandbox/init/protocol.h"
#include "sandbox/limits.h"
#include "sandbox/native/mount_injection.h"
#include "sandbox/native/mount_tree.h"
#include "sandbox/native/sandbox_setup.h"
#include "sandbox/native/spawn_request.h"
#include "sandbox/native/spawned_sandbox.h"
#include "sandbox/native/workspace.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <utility>

namespace lambda::sandbox::native {
namespace {

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

}  // namespace

CgroupLimits SpawnServer::limits_of(const SpawnRequest& request) const {
  CgroupLimits limits;
  limits.memory_bytes = request.memory_bytes * (parts_.walls.memory ? 1 : kUnlimited);
  limits.tmp_bytes = request.tmp_bytes;
  // And init.
  limits.processes = (request.processes + 1) * (parts_.walls.processes ? 1 : kUnlimited);
  return limits;
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

}  // namespace lambda::sandbox::native
