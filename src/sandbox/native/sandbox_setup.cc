// Steps, in an order that matters:
//   cgroups, host name, network namespace, the cable of its way out
//   mounts, as root of the machine, then pivot_root; nothing of the host is left
//   groups, gid, uid -> user namespace, last: the mount, pid, network, ... namespaces belong to the
//     initial one, so that no capability inside the new one means anything to them (with
//     CLONE_NEWUSER together with CLONE_NEWNS, root inside could make injected code writable again)
//   bounding set, capabilities -> no_new_privs -> not dumpable -> seccomp -> exec
#include "sandbox/native/sandbox_setup.h"

#include "sandbox/init/protocol.h"
#include "sandbox/limits.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/mount_tree.h"
#include "sandbox/native/network_namespace.h"
#include "sandbox/native/privileges.h"
#include "sandbox/native/run_directory.h"
#include "sandbox/native/workspace.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

constexpr std::uint64_t kReadOnly = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t kNothingSpecial = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
// Where the old root stays without the wall that unmounts it.
constexpr char kOldRoot[] = "opt";
// Without the wall that closes them.
constexpr int kDescriptorsThatLeak = 256;
// Files of /proc that tell about the machine or steer it. Most are root's alone already.
constexpr const char* kMaskedFiles[] = {"/proc/cmdline",    "/proc/kallsyms", "/proc/kcore",
                                        "/proc/keys",       "/proc/modules",  "/proc/sysrq-trigger",
                                        "/proc/timer_list", "/proc/iomem"};

Result<Done> enter_cgroups(const SandboxPlan& plan) {
  for (const int entry : plan.cgroup_entries) {
    if (::write(entry, "0", 1) != 1) return fail(Error::from_errno("enter the cgroup"));
  }
  // lambda-spawn runs ahead of everyone; functions do not.
  ::setpriority(PRIO_PROCESS, 0, 0);
  // With a limit of 0 the kernel still starts a core_pattern program, as root of the machine, and
  // pipes the function's memory to it; with 1 it does not. The filter keeps it at 1.
  const rlimit no_core{1, 1};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (!plan.walls.cgroup_namespace) return Done{};
  if (::unshare(CLONE_NEWCGROUP) != 0) return fail(Error::from_errno("make a cgroup namespace"));
  return Done{};
}

Result<Done> name_and_network(const SandboxPlan& plan) {
  constexpr std::string_view name = "lambda";
  if (plan.walls.uts_namespace && ::sethostname(name.data(), name.size()) != 0)
    return fail(Error::from_errno("set the host name"));
  if (plan.network >= 0 && ::setns(plan.network, CLONE_NEWNET) != 0)
    return fail(Error::from_errno("enter the network namespace"));
  return Done{};
}

std::uint64_t attributes_of_code(const Walls& walls) {
  std::uint64_t attributes = 0;
  if (walls.read_only) attributes |= MOUNT_ATTR_RDONLY;
  if (walls.mount_flags) attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return attributes;
}

// Everything that will be placed, made while the workspace can still be seen.
struct Mounts {
  UniqueFd root;
  UniqueFd task;
  UniqueFd devices;
  UniqueFd shared_memory;
  UniqueFd proc;
  UniqueFd hosts;
  UniqueFd resolver;
};

Result<Done> make_mounts(const SandboxPlan& plan, Mounts& mounts) {
  auto keep = [](UniqueFd& to, Result<UniqueFd> made) -> Result<Done> {
    if (!made) return fail(std::move(made.error()));
    to = std::move(*made);
    return Done{};
  };
  const auto& walls = plan.walls;
  const auto fixed = attributes_of_code(walls);
  const auto shared_memory = kSharedMemoryBytes * (walls.shared_memory_size ? 1 : 2);
  auto done = keep(mounts.root, copy_below(plan.root_base, plan.root, fixed));
  if (!done) return fail(std::move(done.error()), "the root file system");
  if (!plan.task.empty()) {
    done = keep(mounts.task, copy_below(kDataMount, plan.task, fixed));
    if (!done) return fail(std::move(done.error()), "the function's code");
  }
  done = keep(mounts.devices, copy_tree(std::string(kDeviceTemplate), true));
  if (done) done = keep(mounts.hosts, copy_tree(std::string(kHostsFile)));
  if (done) done = keep(mounts.resolver, copy_tree(std::string(kResolverFile)));
  if (done) {
    done =
        keep(mounts.shared_memory,
             make_file_system("tmpfs", {{"size", std::to_string(shared_memory)}, {"mode", "1777"}},
                              walls.mount_flags ? kNothingSpecial : 0));
  }
  if (done) {
    done = keep(mounts.proc, make_file_system("proc", {}, kNothingSpecial));
  }
  // Both are written while /proc is nowhere yet, so that no path of the root file system is
  // followed. The score is ours (pid 1's) and every child's; written with CAP_SYS_RESOURCE, it is
  // also the lowest that anyone without it may go back to.
  if (done && walls.ended_first) {
    const auto score = fmt::format("{}/oom_score_adj", ::getpid());
    done = write_file_at(mounts.proc.get(), score.c_str(), std::to_string(kOomScore));
  }
  if (done && walls.network_namespace && plan.network < 0)
    done = prepare_network(mounts.proc.get());
  if (!done) return done;
  // Device nodes stay usable on a read-only mount; nothing else there can be changed.
  if (walls.own_devices) {
    done = set_attributes(mounts.devices.get(),
                          MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  }
  for (const auto* file : {&mounts.hosts, &mounts.resolver})
    if (done) done = set_attributes(file->get(), kReadOnly | MOUNT_ATTR_NOEXEC);
  return done;
}

Result<Done> pivot(const Mounts& mounts, const Walls& walls) {
  if (auto done = place(mounts.root.get(), kRootMount); !done) return done;
  if (::chdir(kRootMount) != 0) return fail(Error::from_errno("enter the root file system"));
  const char* old_root = walls.mount_namespace ? "." : kOldRoot;
  if (::syscall(SYS_pivot_root, ".", old_root) != 0) return fail(Error::from_errno("pivot_root"));
  if (walls.mount_namespace && ::umount2(".", MNT_DETACH) != 0)
    return fail(Error::from_errno("unmount the old root"));
  if (::chdir("/") != 0) return fail(Error::from_errno("enter the new root"));
  return Done{};
}

// From here on every path is one of the sandbox's own root, and place() follows no symlink in it.
Result<Done> place_at(int tree, const char* path) {
  auto done = place(tree, path);
  if (!done) {
    return fail(std::move(done.error()), "the root file system needs a directory {} (no link)",
                path);
  }
  return done;
}

// Images leave them empty; one that is filled, or a link, is the image's own business.
Result<Done> place_over_empty(const UniqueFd& tree, const char* path) {
  const auto file = open_target(path);
  struct stat status {};
  if (!file || ::fstat(file->get(), &status) != 0) return Done{};
  if (!S_ISREG(status.st_mode) || status.st_size != 0) return Done{};
  return place(tree.get(), *file);
}

Result<Done> mask_proc(const Walls& walls) {
  for (const char* path : kMaskedFiles) {
    if (!walls.masked_proc) break;
    if (::access(path, F_OK) != 0) continue;  // not in this kernel
    auto null = copy_tree(std::string("/dev/null"));
    if (!null) return fail(std::move(null.error()));
    if (auto done = place(null->get(), path); !done) return done;
  }
  if (!walls.settings) return Done{};
  auto settings = copy_tree(std::string("/proc/sys"));
  if (!settings) return fail(std::move(settings.error()));
  auto done = set_attributes(settings->get(), kReadOnly | MOUNT_ATTR_NOEXEC);
  if (done) done = place(settings->get(), "/proc/sys");
  return done;
}

Result<Done> place_mounts(const SandboxPlan& plan, const Mounts& mounts) {
  auto done = place_at(mounts.proc.get(), "/proc");
  if (done) done = place_at(mounts.devices.get(), "/dev");
  if (done) done = place_at(mounts.shared_memory.get(), "/dev/shm");
  if (done) done = place_at(plan.tmp, "/tmp");
  if (done && mounts.task) done = place_at(mounts.task.get(), "/var/task");
  if (done) done = place_over_empty(mounts.hosts, "/etc/hosts");
  if (done && plan.cable) done = place_over_empty(mounts.resolver, "/etc/resolv.conf");
  if (done && plan.secret_files > 0)
    done = place_run_directory(plan.secret_files, plan.secret_bytes, plan.outside_id);
  if (!done) return done;
  return mask_proc(plan.walls);
}

// A step of privileges.h.
Result<Done> checked(const char* failed) {
  if (failed != nullptr) return fail(Error::from_errno(failed));
  return Done{};
}

// Becomes an id that nobody else on the machine has, and calls it 993 inside. A single id may be
// mapped by its own process: nobody outside has to help.
Result<Done> change_identity(uid_t outside, const Walls& walls) {
  if (::setgroups(0, nullptr) != 0) return fail(Error::from_errno("drop groups"));
  if (auto done = checked(change_ids(outside, outside)); !done) return done;
  if (!walls.user_namespace) return Done{};
  // Else /proc/self/uid_map would belong to root, which we are no more.
  ::prctl(PR_SET_DUMPABLE, 1);
  if (::unshare(CLONE_NEWUSER) != 0) return fail(Error::from_errno("make a user namespace"));
  auto done = write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");
  if (done) {
    done =
        write_file_at(AT_FDCWD, "/proc/self/gid_map", fmt::format("{} {} 1", kInsideGid, outside));
  }
  if (done) {
    done =
        write_file_at(AT_FDCWD, "/proc/self/uid_map", fmt::format("{} {} 1", kInsideUid, outside));
  }
  return done;
}

// Without the wall: all that there are, also after an exec.
Result<Done> pass_on_capabilities() {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0)
    return fail(Error::from_errno("read capabilities"));
  for (auto& half : data) half.inheritable = half.effective = half.permitted;
  if (::syscall(SYS_capset, &header, data) != 0) return fail(Error::from_errno("set capabilities"));
  for (int capability = 0; capability < 64; ++capability)
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  return Done{};
}

Result<Done> drop_privileges(const SandboxPlan& plan) {
  const auto& walls = plan.walls;
  // Without no_new_privs only who has capabilities yet may install it.
  if (walls.seccomp && !walls.no_new_privs) {
    if (auto done = install(*plan.filter); !done) return done;
  }
  auto done = walls.capabilities ? checked(drop_capabilities()) : pass_on_capabilities();
  if (done && walls.no_new_privs) done = checked(forbid_new_privileges());
  if (!done) return done;
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return fail(Error::from_errno("become undumpable"));
  // A change of identity clears it, so it comes after: whoever kills lambda-spawn kills sandboxes.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail(Error::from_errno("set PDEATHSIG"));
  if (!walls.seccomp || !walls.no_new_privs) return Done{};
  return install(*plan.filter);
}

// Returns only when it failed.
void run_init(int program, int runtime) {
  char name[] = "lambda-init";
  char option[] = "--fd";
  char number[] = "3";
  char forked[] = "--runtime";
  std::string socket = std::to_string(runtime);
  char* const arguments[] = {name,          option, number, runtime >= 0 ? forked : nullptr,
                             socket.data(), nullptr};
  char* const environment[] = {nullptr};
  // It may come before init can wait for it.
  sigset_t filled;
  sigemptyset(&filled);
  sigaddset(&filled, init::kFilledSignal);
  ::sigprocmask(SIG_BLOCK, &filled, nullptr);
  ::syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
}

// 0, 1, 2: /dev/null; 3: the control socket; all others end with the exec, but for the socket to a
// runtime that is forked.
Result<Done> arrange_descriptors(const SandboxPlan& plan) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail(Error::from_errno("open /dev/null"));
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(null.get(), fd) < 0) return fail(Error::from_errno("redirect a descriptor"));
  }
  if (::dup2(plan.control, 3) < 0) return fail(Error::from_errno("pass on the control socket"));
  if (!plan.walls.descriptors) {
    for (int fd = 4; fd < kDescriptorsThatLeak; ++fd)
      if (fd != plan.status) ::fcntl(fd, F_SETFD, 0);
  } else if (::close_range(4, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
    return fail(Error::from_errno("close descriptors"));
  }
  if (plan.runtime >= 0) ::fcntl(plan.runtime, F_SETFD, 0);
  // Last: until here this process has copies of all that lambda-spawn has open, and opens more.
  if (::setrlimit(RLIMIT_NOFILE, &plan.open_files) != 0)
    return fail(Error::from_errno("limit the open files"));
  return Done{};
}

Result<Done> set_up(const SandboxPlan& plan) {
  Mounts mounts;
  auto done = enter_cgroups(plan);
  if (done) done = name_and_network(plan);
  if (done && plan.cable) done = uplink::lay(*plan.cable, *plan.router);
  if (done) done = make_mounts(plan, mounts);
  if (done) done = pivot(mounts, plan.walls);
  if (done) done = place_mounts(plan, mounts);
  if (done) done = change_identity(plan.outside_id, plan.walls);
  if (done) done = arrange_descriptors(plan);
  if (done) done = drop_privileges(plan);
  return done;
}

}  // namespace

void set_up_and_run_init(const SandboxPlan& plan) {
  auto done = set_up(plan);
  if (done) {
    run_init(plan.init_program, plan.runtime);
    done = fail(Error::from_errno("execute lambda-init"));
  }
  const auto& text = done.error().message();
  [[maybe_unused]] const auto ignored = ::write(plan.status, text.data(), text.size());
  ::_exit(1);
}

}  // namespace lambda::sandbox::native
