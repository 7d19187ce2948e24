// Steps, in the child: wait for the control groups -> private mounts -> root, read-only -> /tmp,
// /dev, /proc, /var/task -> pivot_root -> loopback, host name -> user namespace (the parent writes
// its maps) -> groups, gid, uid -> bounding set -> no_new_privs -> seccomp -> exec lambda-init.
#include "sandbox/native/sandbox_process.h"

#include "sandbox/native/spawn_protocol.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <optional>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lambda::sandbox::spawn {
namespace {

constexpr int kControlFd = 3;
// A tmpfs must not hold more files than this for each megabyte, or empty files would eat kernel
// memory.
constexpr std::uint64_t kInodesPerMegabyte = 512;

// What the child tells when a step fails: which, and errno. Text in the child is literals alone.
struct Failed {
  std::array<char, 48> step{};
  int error_number = 0;
};

class Child {
 public:
  Child(const ProcessPlan& plan, int control, int from_parent, int report)
      : plan_(plan), control_(control), from_parent_(from_parent), report_(report) {}

  [[noreturn]] void run() {
    wait_for_parent("wait for the control groups");
    mounts();
    network();
    identity();
    exec();
  }

 private:
  [[noreturn]] void fail_at(const char* step) {
    Failed failed;
    failed.error_number = errno;
    std::strncpy(failed.step.data(), step, failed.step.size() - 1);
    [[maybe_unused]] const ssize_t ignored = ::write(report_, &failed, sizeof failed);
    std::_Exit(1);
  }
  void check(bool ok, const char* step) {
    if (!ok) fail_at(step);
  }
  void wait_for_parent(const char* step) {
    char go = 0;
    check(::read(from_parent_, &go, 1) == 1, step);
  }

  void attach_tree(int tree, const char* target, const char* step) {
    check(::syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) == 0,
          step);
  }

  void mounts();
  void devices();
  void processes();
  void network();
  void identity();
  [[noreturn]] void exec();

  const ProcessPlan& plan_;
  int control_;
  int from_parent_;
  int report_;
};

void Child::mounts() {
  check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  // /newroot is an empty directory of lambda-spawn's own root.
  attach_tree(plan_.root, "/newroot", "mount the root");
  check(::chdir("/newroot") == 0, "enter the root");
  const std::uint64_t megabytes = std::max<std::uint64_t>(1, plan_.tmp_bytes >> 20);
  std::array<char, 96> options{};
  std::snprintf(options.data(), options.size(), "size=%lluk,mode=1777,nr_inodes=%llu",
                static_cast<unsigned long long>(plan_.tmp_bytes >> 10),
                static_cast<unsigned long long>(megabytes * kInodesPerMegabyte));
  check(::mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, options.data()) == 0, "mount /tmp");
  devices();
  if (plan_.code >= 0) attach_tree(plan_.code, "var/task", "mount /var/task");
  processes();
  check(::syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
  check(::umount2(".", MNT_DETACH) == 0, "leave the old root");
  check(::chdir("/") == 0, "enter the new root");
}

void Child::devices() {
  check(::mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=755,nr_inodes=64") ==
            0,
        "mount /dev");
  struct Node {
    const char* path;
    unsigned minor_number;
  };
  const mode_t before = ::umask(0);
  for (const Node& node : {Node{"dev/null", 3}, Node{"dev/zero", 5}, Node{"dev/full", 7},
                           Node{"dev/random", 8}, Node{"dev/urandom", 9}}) {
    check(::mknod(node.path, S_IFCHR | 0666, makedev(1, node.minor_number)) == 0, "make devices");
  }
  ::umask(before);
  check(::symlink("/proc/self/fd", "dev/fd") == 0, "link /dev/fd");
  check(::symlink("/proc/self/fd/0", "dev/stdin") == 0, "link /dev/stdin");
  check(::symlink("/proc/self/fd/1", "dev/stdout") == 0, "link /dev/stdout");
  check(::symlink("/proc/self/fd/2", "dev/stderr") == 0, "link /dev/stderr");
  check(::mkdir("dev/shm", 01777) == 0, "make /dev/shm");
  check(::mount("tmpfs", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV,
                "size=64m,mode=1777,nr_inodes=4096") == 0,
        "mount /dev/shm");
  // Nothing more is made here: read-only keeps it so.
  check(::mount(nullptr, "dev", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC,
                nullptr) == 0,
        "make /dev read-only");
}

void Child::processes() {
  check(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2") == 0,
        "mount /proc");
  // Ports below 1024 belong to the function; the namespace is its own.
  const int ports = ::open("proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);
  if (ports >= 0) {
    check(::write(ports, "0", 1) == 1, "allow low ports");
    ::close(ports);
  }
  for (const char* path : {"proc/sys", "proc/bus", "proc/fs", "proc/irq"}) {
    if (::mount(path, path, nullptr, MS_BIND, nullptr) != 0) {
      check(errno == ENOENT, "bind a part of /proc");
      continue;
    }
    check(
        ::mount(nullptr, path, nullptr,
                MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0,
        "make a part of /proc read-only");
  }
  for (const char* path :
       {"proc/kcore", "proc/keys", "proc/key-users", "proc/kmsg", "proc/sysrq-trigger",
        "proc/timer_list", "proc/sched_debug", "proc/kallsyms", "proc/kpagecount",
        "proc/kpageflags", "proc/config.gz"}) {
    check(::mount("dev/null", path, nullptr, MS_BIND, nullptr) == 0 || errno == ENOENT,
          "mask a part of /proc");
  }
}

void Child::network() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(socket >= 0, "make a socket");
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  check(::ioctl(socket, SIOCSIFFLAGS, &request) == 0, "bring loopback up");
  ::close(socket);
  check(::sethostname("lambda", 6) == 0, "set the host name");
}

void Child::identity() {
  check(::unshare(CLONE_NEWCGROUP | CLONE_NEWUSER) == 0, "make the user namespace");
  Failed mapped;  // an empty report: "write my maps"
  check(::write(report_, &mapped, sizeof mapped) == sizeof mapped, "ask for the user map");
  wait_for_parent("wait for the user map");
  check(::setgroups(0, nullptr) == 0, "leave all groups");
  check(::setresgid(kInsideGid, kInsideGid, kInsideGid) == 0, "change the group");
  // The bounding set goes while there is still the capability to do so; the uid's change drops the
  // rest.
  for (unsigned long capability = 0; capability <= 63; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;
  }
  check(::setresuid(kInsideUid, kInsideUid, kInsideUid) == 0, "change the user");
  check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0,
        "clear ambient capabilities");
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "give up new privileges");
  check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "become undumpable");
  // Whatever ends lambda-spawn ends its sandboxes.
  check(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, "tie to lambda-spawn");
}

void Child::exec() {
  // The control socket becomes descriptor 3; everything else closes at exec.
  const int init = ::fcntl(plan_.init, F_DUPFD_CLOEXEC, 10);
  const int report = ::fcntl(report_, F_DUPFD_CLOEXEC, 10);
  const int control = ::fcntl(control_, F_DUPFD_CLOEXEC, 10);
  check(init >= 0 && report >= 0 && control >= 0, "place descriptors");
  report_ = report;
  check(::dup2(control, kControlFd) == kControlFd, "place the control socket");
  const int null = ::open("/dev/null", O_RDWR);
  check(null >= 0, "open /dev/null");
  for (int fd = 0; fd < 3; ++fd) check(::dup2(null, fd) == fd, "place standard descriptors");
  check(::syscall(SYS_close_range, 4u, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */) == 0,
        "close descriptors");
  ::umask(022);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  sock_fprog program{};
  program.len = static_cast<unsigned short>(plan_.filter->size());
  program.filter = const_cast<sock_filter*>(plan_.filter->data());
  check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0,
        "install the seccomp filter");
  const char* argv[] = {"lambda-init", "--fd", "3", nullptr};
  const char* environment[] = {nullptr};
  ::syscall(SYS_execveat, init, "", argv, environment, AT_EMPTY_PATH);
  fail_at("start lambda-init");
}

// --- the parent

Result<Done> write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail(Error::from_errno("write " + path).as(ErrorCode::sandbox_failed));
  }
  return Done{};
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(Error::from_errno("make a pipe").as(ErrorCode::sandbox_failed));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

pid_t clone_child(int& pidfd) {
  clone_args arguments{};
  arguments.flags =
      CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

// The child's next report: nothing at the end of the pipe (exec worked).
std::optional<Failed> next_report(int fd) {
  Failed failed;
  const ssize_t count = ::read(fd, &failed, sizeof failed);
  if (count != sizeof failed) return std::nullopt;
  return failed;
}

Error step_error(const Failed& failed) {
  return Error(ErrorCode::sandbox_failed,
               fmt::format("{}: {}", failed.step.data(), ::strerrordesc_np(failed.error_number)));
}

// The conversation with the child until init runs.
Result<Done> guide(pid_t pid, const ProcessPlan& plan, const Pipe& to_child, const Pipe& report,
                   const std::function<Result<Done>(pid_t)>& attach) {
  auto attached = attach(pid);
  if (!attached) return attached;
  if (::write(to_child.write_end.get(), "g", 1) != 1)
    return fail(Error::from_errno("let the sandbox go on").as(ErrorCode::sandbox_failed));
  const auto first = next_report(report.read_end.get());
  if (!first) return fail(ErrorCode::sandbox_failed, "the sandbox ended while it was made");
  if (first->error_number != 0) return fail(step_error(*first));
  const std::string directory = fmt::format("/proc/{}/", pid);
  auto mapped =
      write_file(directory + "gid_map", fmt::format("{} {} 1\n", kInsideGid, plan.outside_uid));
  if (mapped)
    mapped =
        write_file(directory + "uid_map", fmt::format("{} {} 1\n", kInsideUid, plan.outside_uid));
  if (!mapped) return mapped;
  if (::write(to_child.write_end.get(), "m", 1) != 1)
    return fail(Error::from_errno("let the sandbox go on").as(ErrorCode::sandbox_failed));
  if (const auto second = next_report(report.read_end.get())) return fail(step_error(*second));
  return Done{};
}

}  // namespace

Result<UniqueFd> read_only_tree(int directory) {
  UniqueFd tree(static_cast<int>(::syscall(SYS_open_tree, directory, "",
                                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
  if (!tree) return fail(Error::from_errno("copy a mount").as(ErrorCode::sandbox_failed));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) !=
      0) {
    return fail(Error::from_errno("make a mount read-only").as(ErrorCode::sandbox_failed));
  }
  return tree;
}

Result<SandboxProcess> make_process(const ProcessPlan& plan,
                                    const std::function<Result<Done>(pid_t)>& attach) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(Error::from_errno("make init's control socket").as(ErrorCode::sandbox_failed));
  }
  SandboxProcess process;
  process.control.reset(ends[0]);
  const UniqueFd inside(ends[1]);
  auto to_child = make_pipe();
  auto report = make_pipe();
  if (!to_child) return fail(std::move(to_child.error()));
  if (!report) return fail(std::move(report.error()));
  int pidfd = -1;
  process.pid = clone_child(pidfd);
  if (process.pid < 0)
    return fail(
        Error::from_errno("clone a process into new namespaces").as(ErrorCode::sandbox_failed));
  if (process.pid == 0) {
    Child child(plan, inside.get(), to_child->read_end.get(), report->write_end.get());
    child.run();
  }
  process.pidfd.reset(pidfd);
  report->write_end.reset();
  auto made = guide(process.pid, plan, *to_child, *report, attach);
  if (!made) {
    ::kill(process.pid, SIGKILL);
    ::waitpid(process.pid, nullptr, 0);
    return fail(std::move(made.error()));
  }
  return process;
}

}  // namespace lambda::sandbox::spawn
