// Steps: check that we may -> one server per data directory (lock) -> room for descriptors -> uids
// that no other server has -> cgroups, less what a killed one left -> seccomp filter for functions
// -> the sandboxes' way out -> own mount and network namespace -> hello -> serve until lambdad is
// gone.
#include "sandbox/native/spawn_program.h"

#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/spawn_server.h"
#include "sandbox/native/workspace.h"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

// Of all servers of the machine: a lock file for each block of uids.
constexpr char kUidClaims[] = "/run/lambda-uids";

struct Arguments {
  std::string data;
  std::string runtimes;
  std::string init;
  std::string zygote;  // the module; may be missing
  std::uint64_t zygote_forks = 0;
  CgroupBudget budget;
};

Result<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    if (name == "--data") arguments.data = value;
    if (name == "--runtimes") arguments.runtimes = value;
    if (name == "--init") arguments.init = value;
    if (name == "--zygote") arguments.zygote = value;
    if (name == "--zygote-forks") arguments.zygote_forks = parse_number(value).value_or(0);
    if (name == "--memory") arguments.budget.memory_bytes = parse_number(value).value_or(0);
    if (name == "--processes") arguments.budget.processes = parse_number(value).value_or(0);
  }
  for (const auto* path : {&arguments.data, &arguments.runtimes, &arguments.init}) {
    if (!path->starts_with('/'))
      return fail(ErrorCode::invalid, "lambda-spawn is started by lambdad alone");
  }
  return arguments;
}

// Stable for one data directory, so that a later server finds what an earlier one left.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

// Kept until our end. An earlier server's lambda-spawn may still be clearing up: wait for it.
Result<UniqueFd> lock(const std::string& data) {
  const std::string path = data + "/spawn.lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail(Error::from_errno("open " + path));
  for (int attempt = 0; attempt < 800; ++attempt) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return fail(ErrorCode::conflict, "another server uses the data directory {}", data);
}

// Every sandbox costs descriptors: the soft limit of a login shell would be a limit of a few
// hundred sandboxes. What the limit was: sandboxes get that.
Result<rlimit> raise_descriptor_limit() {
  rlimit before{};
  if (::getrlimit(RLIMIT_NOFILE, &before) != 0)
    return fail(Error::from_errno("read the limit of open files"));
  const rlimit all{before.rlim_max, before.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &all) != 0)
    return fail(Error::from_errno("raise the limit of open files"));
  return before;
}

// What keeps others from what we use, until our end.
struct Locks {
  UniqueFd data;
  UniqueFd runtimes;
};

// Shared: while it is held, runtimes/build keeps the base file systems that it has replaced, which
// sandboxes may still have as their root. Waits while it removes some.
UniqueFd use_runtimes() {
  UniqueFd directory(::open(kRuntimesMount, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) ::flock(directory.get(), LOCK_SH);
  return directory;
}

Result<SpawnServerParts> prepare(const Arguments& arguments, const Walls& walls, Locks& locks) {
  if (::geteuid() != 0) {
    return fail(
        ErrorCode::unavailable,
        "native sandboxes are made by root: start the server as root, or use --driver docker");
  }
  auto locked = lock(arguments.data);
  if (!locked) return fail(std::move(locked.error()));
  locks.data = std::move(*locked);
  SpawnServerParts parts;
  auto files = raise_descriptor_limit();
  if (!files) return fail(std::move(files.error()));
  parts.open_files = *files;
  parts.epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!parts.epoll) return fail(Error::from_errno("make an epoll"));
  parts.init_program.reset(::open(arguments.init.c_str(), O_PATH | O_CLOEXEC));
  if (!parts.init_program) return fail(Error::from_errno("open " + arguments.init));
  if (!arguments.zygote.empty())
    parts.zygotes.module.reset(::open(arguments.zygote.c_str(), O_RDONLY | O_CLOEXEC));
  parts.zygotes.forks = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(arguments.zygote_forks, std::numeric_limits<std::uint32_t>::max()));
  parts.zygotes.allowed = walls == Walls{};
  const auto hash = hash_of(arguments.data);
  auto uids = claim_uid_block(kUidClaims, static_cast<uid_t>(hash % kUidBlocks));
  if (!uids) return fail(std::move(uids.error()), "claim uids for sandboxes");
  parts.uids = std::move(*uids);
  auto cgroups =
      Cgroups::open(fmt::format("lambda-{:012x}", hash & 0xffff'ffff'ffff), arguments.budget);
  if (!cgroups) return fail(std::move(cgroups.error()));
  parts.cgroups = std::move(*cgroups);
  // We hold the lock: what is there was left by one that was killed.
  parts.cgroups.reap();
  auto filter = compile_seccomp_filter();
  if (!filter) return fail(std::move(filter.error()));
  parts.filter = std::move(*filter);
  // Without the wall there is no network but the machine's own.
  if (walls.network_namespace) {
    parts.uplink =
        uplink::Uplink::open(parts.uids.first + kSandboxUids,
                             walls.egress_rules ? uplink::Limits::all : uplink::Limits::none);
  }
  auto entered =
      enter_workspace(arguments.data, arguments.runtimes, walls, parts.uplink.has_value());
  if (!entered) {
    parts.cgroups.remove_parent();
    return fail(std::move(entered.error()).as(ErrorCode::unavailable),
                "make a mount namespace (CAP_SYS_ADMIN and Linux 5.12 are needed)");
  }
  parts.workspace = std::move(*entered);
  parts.walls = walls;
  locks.runtimes = use_runtimes();
  // Last: until here it has to stay open, for the hello that says what failed.
  parts.socket.reset(kSpawnSocket);
  return parts;
}

void say_hello(const Result<SpawnServerParts>& parts) {
  SpawnReply hello;
  hello.operation = Operation::hello;
  hello.request = kSpawnProtocolVersion;
  hello.failed = parts ? 0 : 1;
  if (parts) hello.sandboxes = sandboxes_within(parts->open_files.rlim_max);
  if (!parts) hello.error_code = static_cast<std::uint32_t>(parts.error().code());
  const std::string text = parts ? parts->cgroups.description() : parts.error().message();
  std::snprintf(hello.text, sizeof(hello.text), "%s", text.c_str());
  hello.uplink = parts && parts->uplink ? 1 : 0;
  if (parts && !parts->uplink) {
    std::snprintf(hello.uplink_text, sizeof(hello.uplink_text), "%s",
                  parts->uplink.error().message().c_str());
  }
  [[maybe_unused]] const auto sent = ::send(kSpawnSocket, &hello, sizeof(hello), MSG_NOSIGNAL);
}

// A terminal's ^C and a service manager's SIGTERM go to lambdad, which drains; we end after it.
void leave_signals_to_lambdad() {
  ::setsid();
  sigset_t left;
  sigemptyset(&left);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&left, number);
  ::sigprocmask(SIG_BLOCK, &left, nullptr);
}

}  // namespace

int run_spawn(int argc, char** argv, const Walls& walls) {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::umask(022);
  leave_signals_to_lambdad();
  // A function over its memory limit must be seen in time also when all CPUs are busy.
  ::setpriority(PRIO_PROCESS, 0, -10);
  ::fcntl(kSpawnSocket, F_SETFD, FD_CLOEXEC);
  auto arguments = parse(argc, argv);
  Locks locks;
  Result<SpawnServerParts> parts =
      arguments ? prepare(*arguments, walls, locks) : fail(std::move(arguments.error()));
  say_hello(parts);
  if (!parts) return 1;
  return SpawnServer(std::move(*parts)).run() ? 0 : 1;
}

}  // namespace lambda::sandbox::native
