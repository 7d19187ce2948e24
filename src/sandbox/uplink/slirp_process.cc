// Steps of the child: the machine's files and network -> a mount namespace of its own, with a /dev
// that holds nothing but what it opens -> the router's user namespace, where it is root and outside
// of which it is nobody -> dies with lambda-spawn -> exec.
#include "sandbox/uplink/slirp_process.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace lambda::sandbox::uplink {
namespace {

constexpr const char* kPrograms[] = {"/usr/bin/slirp4netns", "/usr/local/bin/slirp4netns",
                                     "/bin/slirp4netns"};
constexpr int kNetworkFd = 3;
constexpr int kLifelineFd = 4;

struct Node {
  const char* path;
  unsigned major;
  unsigned minor;
};
constexpr Node kNodes[] = {
    {"/dev/net/tun", 10, 200}, {"/dev/null", 1, 3}, {"/dev/urandom", 1, 9}, {"/dev/random", 1, 8}};

// Where nodes cannot be made (in some containers) the machine's /dev has to do.
void cover_devices() {
  if (::mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") != 0) return;
  bool made = ::mkdir("/dev/net", 0755) == 0;
  for (const auto& [path, major, minor] : kNodes)
    made = made && ::mknod(path, S_IFCHR | 0666, ::makedev(major, minor)) == 0 &&
           ::chmod(path, 0666) == 0;
  if (!made) ::umount2("/dev", MNT_DETACH);
}

// Functions decide how much it holds: where memory is short, it goes as they do.
void end_before_the_server() {
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0) return;
  [[maybe_unused]] const auto written = ::write(score, "500", 3);
  ::close(score);
}

// Returns only when it failed.
void run(const std::string& program, const MachineNamespaces& machine,
         const RouterNamespace& router, int lifeline) {
  // Copies, above what is closed; lambda-spawn's own numbers may be 3 and 4.
  const int user = ::fcntl(router.user.get(), F_DUPFD_CLOEXEC, 10);
  const int network = ::fcntl(router.network.get(), F_DUPFD_CLOEXEC, 10);
  const int alive = ::fcntl(lifeline, F_DUPFD_CLOEXEC, 10);
  ::setpriority(PRIO_PROCESS, 0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::setns(machine.mount.get(), CLONE_NEWNS) != 0) return;
  if (::setns(machine.network.get(), CLONE_NEWNET) != 0) return;
  end_before_the_server();
  if (::unshare(CLONE_NEWNS | CLONE_NEWIPC) != 0) return;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
  cover_devices();
  if (::chdir("/") != 0 || ::setgroups(0, nullptr) != 0) return;
  if (::setns(user, CLONE_NEWUSER) != 0) return;
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) return;
  // It tells in lines of its own, among lambdad's, of what lambda-spawn tells when it ends.
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0 || ::dup2(nowhere, STDOUT_FILENO) < 0 || ::dup2(nowhere, STDERR_FILENO) < 0)
    return;
  if (::dup2(network, kNetworkFd) < 0 || ::dup2(alive, kLifelineFd) < 0) return;
  if (::close_range(kLifelineFd + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0) return;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
  const std::array<std::string, 12> words = {"slirp4netns",
                                             "--netns-type=path",
                                             "--cidr=198.18.0.0/24",
                                             "--mtu=65520",
                                             "--enable-ipv6",
                                             "--disable-host-loopback",
                                             "--enable-sandbox",
                                             "--enable-seccomp",
                                             "--exit-fd=4",
                                             "/proc/self/fd/3",
                                             kWayOut,
                                             ""};
  std::array<char*, words.size()> arguments{};
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    arguments[i] = const_cast<char*>(words[i].c_str());
  char* const environment[] = {nullptr};
  ::execve(program.c_str(), arguments.data(), environment);
}

}  // namespace

std::string find_slirp() {
  for (const char* program : kPrograms) {
    if (::access(program, X_OK) == 0) return program;
  }
  return {};
}

Result<MachineNamespaces> MachineNamespaces::open() {
  MachineNamespaces machine;
  machine.mount.reset(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!machine.mount) return fail(Error::from_errno("open /proc/self/ns/mnt"));
  machine.network.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!machine.network) return fail(Error::from_errno("open /proc/self/ns/net"));
  return machine;
}

Result<SlirpProcess> start_slirp(const std::string& program, const MachineNamespaces& machine,
                                 const RouterNamespace& router) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Error::from_errno("make a pipe"));
  const UniqueFd theirs(ends[0]);
  SlirpProcess process;
  process.lifeline.reset(ends[1]);
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid < 0) return fail(Error::from_errno("make a process"));
  if (pid == 0) {
    run(program, machine, router, theirs.get());
    ::_exit(127);
  }
  process.pidfd.reset(pidfd);
  return process;
}

}  // namespace lambda::sandbox::uplink
