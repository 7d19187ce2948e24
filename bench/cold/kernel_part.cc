// What the kernel does for a sandbox, and nothing else: cgroups with limits, clone3 with the same
// namespaces, the same kinds of mounts, pivot_root, a user namespace, loopback, exec of a static
// program that ends at once, and the removal of it all. One process of this loops for so many
// seconds and prints how many it made.
//
//   kernel_part SECONDS ROOT CODE NAME     ROOT: a directory with /proc /dev /tmp /var/task; NAME:
//   of its cgroups; as root kernel_part                            the static program
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "kernel_part: %s: %s\n", what, std::strerror(errno));
  std::_Exit(1);
}

void must(bool good, const char* what) {
  if (!good) die(what);
}

bool write_to(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool done = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  return done;
}

// One directory in each hierarchy that there is, with the limits that belong there.
struct Hierarchy {
  std::string path;
  std::vector<std::pair<std::string, std::string>> limits;
  bool v2 = false;
};

std::vector<Hierarchy> hierarchies() {
  const std::string base = "/sys/fs/cgroup";
  const std::pair<std::string, std::string> memory{"memory.limit_in_bytes", "700000000"},
      pids{"pids.max", "1025"}, cpu{"cpu.shares", "128"};
  std::vector<Hierarchy> found;
  const auto there = [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
  if (there(base + "/memory/tasks")) found.push_back({base + "/memory", {memory}});
  if (there(base + "/cpu/tasks")) found.push_back({base + "/cpu", {cpu}});
  if (there(base + "/pids/tasks")) found.push_back({base + "/pids", {pids}});
  if (there(base + "/unified/cgroup.procs")) found.push_back({base + "/unified", {}, true});
  if (there(base + "/cgroup.controllers"))
    found.push_back(
        {base, {{"memory.max", "700000000"}, {"pids.max", "1025"}, {"cpu.weight", "12"}}, true});
  return found;
}

int fs(const char* type, std::vector<std::pair<const char*, const char*>> options) {
  const int context = ::fsopen(type, FSOPEN_CLOEXEC);
  for (const auto& [key, value] : options) ::fsconfig(context, FSCONFIG_SET_STRING, key, value, 0);
  must(::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0, type);
  const int mounted = ::fsmount(context, FSMOUNT_CLOEXEC, 0);
  ::close(context);
  return mounted;
}

int copy(const char* path, std::uint64_t attributes, bool recursive = false) {
  const int tree = ::open_tree(
      AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0u));
  must(tree >= 0, path);
  mount_attr attr{};
  attr.attr_set = attributes;
  must(::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) == 0,
       "mount_setattr");
  return tree;
}

void place(int tree, const char* path) {
  must(::move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0, path);
}

[[noreturn]] void inside(const std::vector<int>& entries, const char* root, const char* code,
                         int program) {
  for (const int entry : entries) must(::write(entry, "0", 1) == 1, "enter a cgroup");
  must(::unshare(CLONE_NEWCGROUP) == 0, "cgroup namespace");
  must(::sethostname("kernel", 6) == 0, "host name");
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  must(::ioctl(socket, SIOCSIFFLAGS, &loopback) == 0, "loopback");
  const int top = copy(root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  const int task = copy(code, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  const int devices = copy("/dev", MOUNT_ATTR_NOSUID);
  const int proc = fs("proc", {});
  const int tmp = fs("tmpfs", {{"size", "512m"}, {"mode", "1777"}});
  const int shared = fs("tmpfs", {{"size", "64m"}, {"mode", "1777"}});
  place(top, "/mnt");
  must(::chdir("/mnt") == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
           ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0,
       "pivot_root");
  place(proc, "/proc");
  place(devices, "/dev");
  place(shared, "/dev/shm");
  place(tmp, "/tmp");
  place(task, "/var/task");
  must(::unshare(CLONE_NEWUSER) == 0, "user namespace");
  char name[] = "kernel_part";
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};
  ::syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
  die("exec");
}

void one(const std::vector<Hierarchy>& all, const std::string& name, const char* root,
         const char* code, int program) {
  std::vector<int> entries;
  clone_args arguments{};
  int pidfd = -1;
  arguments.flags =
      CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  int directory = -1;
  for (const auto& hierarchy : all) {
    const auto path = hierarchy.path + "/" + name;
    must(::mkdir(path.c_str(), 0755) == 0, path.c_str());
    for (const auto& [file, value] : hierarchy.limits) {
      const auto at = path + "/" + file;
      must(write_to(at, value), at.c_str());
    }
    if (hierarchy.v2) {
      directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else {
      entries.push_back(::open((path + "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
    }
  }
  if (directory >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(directory);
  }
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  must(pid >= 0, "clone3");
  if (pid == 0) inside(entries, root, code, program);
  int status = 0;
  must(::waitpid(static_cast<pid_t>(pid), &status, 0) == pid, "wait");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) std::_Exit(1);
  ::close(pidfd);
  for (const int entry : entries) ::close(entry);
  if (directory >= 0) ::close(directory);
  for (const auto& hierarchy : all)
    must(::rmdir((hierarchy.path + "/" + name).c_str()) == 0, "rmdir");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return 0;
  must(argc == 5, "usage: kernel_part SECONDS ROOT CODE NAME");
  const int program = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  must(::unshare(CLONE_NEWNS) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
       "mount namespace");
  // As few mounts as lambda-spawn has: each is copied with every new mount namespace.
  const int root = ::open_tree(AT_FDCWD, argv[2], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  const int code = ::open_tree(AT_FDCWD, argv[3], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  must(root >= 0 && code >= 0, "open_tree");
  const auto all = hierarchies();
  std::vector<std::string> opened;
  must(::mount("tmpfs", "/mnt", "tmpfs", 0, "size=1m") == 0, "tmpfs");
  for (const char* name : {"/mnt/mnt", "/mnt/dev", "/mnt/root", "/mnt/code", "/mnt/sys"})
    must(::mkdir(name, 0755) == 0, name);
  place(root, "/mnt/root");
  place(code, "/mnt/code");
  place(fs("tmpfs", {{"size", "64k"}}), "/mnt/dev");
  must(::mkdir("/mnt/dev/shm", 0755) == 0, "shm");
  const int control_groups =
      ::open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  must(control_groups >= 0, "/sys");
  place(control_groups, "/mnt/sys");
  must(::chdir("/mnt") == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
           ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0,
       "pivot_root");
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::milliseconds(static_cast<long>(std::atof(argv[1]) * 1000));
  long made = 0;
  while (std::chrono::steady_clock::now() < until)
    one(all, std::string(argv[4]) + "-" + std::to_string(++made), "/root", "/code", program);
  std::printf("%ld\n", made);
  return 0;
}
