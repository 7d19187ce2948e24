// A `bootstrap` that attacks. It speaks the Runtime API over a plain socket; each event's body names an
// attack ("all": the whole table; "descriptors": what was inherited), which is tried in a child of its own; the response is a JSON
// object {"NAME": "ERRNO" | "done" | "signal N"}.
#include "function_program.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <time.h>

static long clone_with(unsigned long flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid;
}
static long clone3_with(unsigned long long flags) {
  struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid == 0) _exit(0);
  return pid;
}
static long set_namespace(const char* path) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  return syscall(SYS_setns, fd, 0);
}
static long by_handle(void) {
  // The root directory of most file systems is inode 2: how a Docker container once read the host's files.
  struct {
    struct file_handle head;
    unsigned char bytes[8];
  } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
  int mount = open("/", O_RDONLY);
  return syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY);
}
static long handle_of(void) {
  struct {
    struct file_handle head;
    unsigned char bytes[128];
  } handle = {.head = {.handle_bytes = 128}};
  int id;
  return syscall(SYS_name_to_handle_at, AT_FDCWD, "/etc/passwd", &handle, &id, 0);
}
static long trace_init(void) { return ptrace(PTRACE_ATTACH, 1, 0, 0); }
static long read_of_init(int write) {
  struct iovec mine = {buffer, 64}, theirs = {(void*)0x400000, 64};
  return syscall(write ? SYS_process_vm_writev : SYS_process_vm_readv, 1, &mine, 1, &theirs, 1, 0);
}
static long all_capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};
  return syscall(SYS_capset, &header, data);
}
static long pair_of(int family) {
  int ends[2];
  return syscall(SYS_socketpair, family, SOCK_SEQPACKET, 0, ends);
}
static long huge_map(void) {
  void* at = mmap(0, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? -1 : 0;
}
static long raise_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
  return setrlimit(RLIMIT_NOFILE, &limit);
}
static long set_clock(void) {
  struct timespec now = {1, 0};
  return syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
}
static long adjust_clock(void) {
  struct timex by = {.modes = ADJ_FREQUENCY};
  return syscall(SYS_adjtimex, &by);
}
static long realtime(int policy) {
  struct sched_param parameters = {.sched_priority = 1};
  return syscall(SYS_sched_setscheduler, 0, policy, &parameters);
}
static long deadline_class(void) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes = {48, 6, 0, 0, 0, 10000000, 20000000, 20000000};
  return syscall(SYS_sched_setattr, 0, &attributes, 0);
}
static long type_into_terminal(void) {
  char letter = 'x';
  for (int fd = 0; fd < 3; ++fd)
    if (ioctl(fd, TIOCSTI, &letter) == 0) return 0;
  return -1;
}
static long remount(const char* at) { return syscall(SYS_mount, 0, at, 0, MS_REMOUNT | MS_BIND, 0); }
static long attributes_of(const char* at) {
  uint64_t attr[4] = {0, 1, 0, 0};  // clear MOUNT_ATTR_RDONLY
  return syscall(SYS_mount_setattr, AT_FDCWD, at, 0, attr, sizeof(attr));
}
static long out_of_root(void) {
  // The classic way out: a directory held open, chroot below it, then up and up.
  mkdir("/tmp/hole", 0755);
  int up = open("/", O_RDONLY | O_DIRECTORY);
  if (syscall(SYS_chroot, "/tmp/hole") != 0) return -1;
  fchdir(up);
  return 0;
}
static long thirty_two_bits(long number) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory");
  if (result < 0) {
    errno = (int)-result;
    return -1;
  }
  return result;
#else
  (void)number;
  errno = ENOSYS;
  return -1;
#endif
}
static long x32(long number) {
#ifdef __x86_64__
  return syscall(0x40000000L | number, 0, 0, 0);
#else
  (void)number;
  errno = ENOSYS;
  return -1;
#endif
}
static long perf(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK};
  return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}
static long io_uring(void) {
  char parameters[256] = {0};
  return syscall(SYS_io_uring_setup, 4, parameters);
}
static long bpf_map(void) {
  uint32_t attr[32] = {1, 4, 4, 1};  // BPF_MAP_CREATE of a hash
  return syscall(SYS_bpf, 0, attr, sizeof(attr));
}
static long descriptor_of_init(void) {
  int init = (int)syscall(SYS_pidfd_open, 1, 0);
  if (init < 0) return -1;
  return syscall(438 /* pidfd_getfd */, init, 3, 0);
}

// An attack is an expression.
#define TABLE(_) \
  _(mount_tmpfs, syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, 0)) \
  _(mount_proc, syscall(SYS_mount, "proc", "/tmp", "proc", 0, 0)) \
  _(mount_cgroup, syscall(SYS_mount, "x", "/tmp", "cgroup2", 0, 0)) \
  _(mount_bind, syscall(SYS_mount, "/", "/tmp", 0, MS_BIND | MS_REC, 0)) \
  _(remount_root, remount("/")) \
  _(remount_task, remount("/var/task")) \
  _(remount_settings, remount("/proc/sys")) \
  _(mount_setattr_task, attributes_of("/var/task")) \
  _(umount_task, syscall(SYS_umount2, "/var/task", MNT_DETACH)) \
  _(umount_mask, syscall(SYS_umount2, "/proc/kcore", MNT_DETACH)) \
  _(umount_settings, syscall(SYS_umount2, "/proc/sys", 0)) \
  _(pivot_root, syscall(SYS_pivot_root, "/tmp", "/tmp")) \
  _(fsopen, syscall(430, "tmpfs", 0)) \
  _(open_tree, syscall(428, AT_FDCWD, "/", 1)) \
  _(move_mount, syscall(429, AT_FDCWD, "/var/task", AT_FDCWD, "/tmp", 0)) \
  _(fspick, syscall(433, AT_FDCWD, "/", 0)) \
  _(chroot, out_of_root()) \
  _(unshare_user, syscall(SYS_unshare, CLONE_NEWUSER)) \
  _(unshare_mount, syscall(SYS_unshare, CLONE_NEWNS)) \
  _(unshare_net, syscall(SYS_unshare, CLONE_NEWNET)) \
  _(unshare_pid, syscall(SYS_unshare, CLONE_NEWPID)) \
  _(unshare_cgroup, syscall(SYS_unshare, CLONE_NEWCGROUP)) \
  _(setns_mount, set_namespace("/proc/self/ns/mnt")) \
  _(setns_user, set_namespace("/proc/self/ns/user")) \
  _(setns_net_of_init, set_namespace("/proc/1/ns/net")) \
  _(clone_newuser, clone_with(CLONE_NEWUSER)) \
  _(clone_newns, clone_with(CLONE_NEWNS)) \
  _(clone_newpid, clone_with(CLONE_NEWPID)) \
  _(clone_newnet, clone_with(CLONE_NEWNET)) \
  _(clone_newuts, clone_with(CLONE_NEWUTS)) \
  _(clone_newipc, clone_with(CLONE_NEWIPC)) \
  _(clone_newcgroup, clone_with(CLONE_NEWCGROUP)) \
  _(clone_newuser_high_bits, clone_with(CLONE_NEWUSER | (1ul << 40))) \
  _(clone3, clone3_with(0)) \
  _(clone3_newuser, clone3_with(CLONE_NEWUSER)) \
  _(ptrace_init, trace_init()) \
  _(ptrace_me, ptrace(PTRACE_TRACEME, 0, 0, 0)) \
  _(read_memory_of_init, read_of_init(0)) \
  _(write_memory_of_init, read_of_init(1)) \
  _(kcmp, syscall(SYS_kcmp, getpid(), 1, 2, 0, 0)) \
  _(descriptor_of_init, descriptor_of_init()) \
  _(descriptors_of_init, open("/proc/1/fd/3", O_RDWR)) \
  _(memory_of_init, open("/proc/1/mem", O_RDWR)) \
  _(program_of_init, open("/proc/1/exe", O_RDONLY)) \
  _(root_of_init, open("/proc/1/root/etc/passwd", O_RDONLY)) \
  _(environment_of_init, open("/proc/1/environ", O_RDONLY)) \
  _(score_of_init, open("/proc/1/oom_score_adj", O_WRONLY)) \
  _(bpf, bpf_map()) \
  _(perf_event_open, perf()) \
  _(io_uring, io_uring()) \
  _(io_setup, syscall(SYS_io_setup, 4, buffer)) \
  _(userfaultfd, syscall(SYS_userfaultfd, 1 /* user mode only */)) \
  _(add_key, syscall(SYS_add_key, "user", "x", "y", 1, KEY_SPEC_SESSION_KEYRING)) \
  _(request_key, syscall(SYS_request_key, "user", "x", 0, 0)) \
  _(keyctl, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0)) \
  _(kexec_load, syscall(SYS_kexec_load, 0, 0, 0, 0)) \
  _(kexec_file_load, syscall(SYS_kexec_file_load, -1, -1, 0, 0, 0)) \
  _(init_module, syscall(SYS_init_module, buffer, 16, "")) \
  _(finit_module, syscall(SYS_finit_module, 0, "", 0)) \
  _(delete_module, syscall(SYS_delete_module, "x", 0)) \
  _(reboot, syscall(SYS_reboot, 0xfee1dead, 672274793, 0 /* no more than Ctrl-Alt-Del */, 0)) \
  _(swapon, syscall(SYS_swapon, "/tmp/x", 0)) \
  _(swapoff, syscall(SYS_swapoff, "/tmp/x")) \
  _(acct, syscall(SYS_acct, "/tmp/x")) \
  _(quotactl, syscall(SYS_quotactl, 0, 0, 0, 0)) \
  _(syslog, syscall(SYS_syslog, 3, buffer, 100)) \
  _(sethostname, syscall(SYS_sethostname, "evil", 4)) \
  _(setdomainname, syscall(SYS_setdomainname, "evil", 4)) \
  _(clock_settime, set_clock()) \
  _(settimeofday, syscall(SYS_settimeofday, 0, buffer)) \
  _(adjtimex, adjust_clock()) \
  _(fanotify_init, syscall(SYS_fanotify_init, 0, 0)) \
  _(vhangup, syscall(SYS_vhangup)) \
  _(move_pages, syscall(SYS_move_pages, 1, 0, 0, 0, 0, 0)) \
  _(migrate_pages, syscall(SYS_migrate_pages, 1, 0, 0, 0)) \
  _(open_by_handle_at, by_handle()) \
  _(name_to_handle_at, handle_of()) \
  _(personality_exec, syscall(SYS_personality, READ_IMPLIES_EXEC)) \
  _(an_unknown_call, syscall(5000)) \
  _(thirty_two_bit_call, thirty_two_bits(20)) \
  _(x32_call, x32(39)) \
  _(setuid_root, syscall(SYS_setuid, 0)) \
  _(setgid_root, syscall(SYS_setgid, 0)) \
  _(setresuid_root, syscall(SYS_setresuid, 0, 0, 0)) \
  _(setuid_other, syscall(SYS_setuid, 1000)) \
  _(setgroups, syscall(SYS_setgroups, 1, buffer)) \
  _(capset, all_capabilities()) \
  _(mknod_disk, mknod("/tmp/disk", S_IFBLK | 0666, makedev(8, 0))) \
  _(mknod_memory, mknod("/tmp/memory", S_IFCHR | 0666, makedev(1, 1))) \
  _(raw_socket, syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP)) \
  _(raw_socket_6, syscall(SYS_socket, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)) \
  _(ping_socket, syscall(SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP)) \
  _(sctp_socket, syscall(SYS_socket, AF_INET, SOCK_STREAM, 132)) \
  _(sctp_packet_socket, syscall(SYS_socket, AF_INET, SOCK_SEQPACKET, 0)) \
  _(dccp_socket, syscall(SYS_socket, AF_INET, 6, 0)) \
  _(packet_socket, syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0)) \
  _(key_socket, syscall(SYS_socket, AF_KEY, SOCK_RAW, 2)) \
  _(netlink_generic, syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 16)) \
  _(netlink_audit, syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 9)) \
  _(netlink_netfilter, syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 12)) \
  _(netlink_uevent, syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 15)) \
  _(vsock, syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0)) \
  _(alg_socket, syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0)) \
  _(tipc_socket, syscall(SYS_socket, AF_TIPC, SOCK_SEQPACKET, 0)) \
  _(tipc_pair, pair_of(AF_TIPC)) \
  _(vsock_pair, pair_of(AF_VSOCK)) \
  _(bluetooth_socket, syscall(SYS_socket, AF_BLUETOOTH, SOCK_RAW, 1)) \
  _(can_socket, syscall(SYS_socket, AF_CAN, SOCK_RAW, 1)) \
  _(x25_socket, syscall(SYS_socket, AF_X25, SOCK_SEQPACKET, 0)) \
  _(ax25_socket, syscall(SYS_socket, AF_AX25, SOCK_DGRAM, 0)) \
  _(huge_pages_by_mmap, huge_map()) \
  _(huge_pages_by_memfd, syscall(SYS_memfd_create, "x", MFD_HUGETLB)) \
  _(huge_pages_by_shmget, syscall(SYS_shmget, IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600)) \
  _(more_open_files, raise_files()) \
  _(real_time, realtime(SCHED_FIFO)) \
  _(deadline_class, deadline_class()) \
  _(higher_priority, setpriority(PRIO_PROCESS, 0, -5)) \
  _(type_into_terminal, type_into_terminal()) \
  _(iopl, syscall(172, 3)) \
  _(ioperm, syscall(173, 0x70, 1, 1))

#define DEFINE(name, expression) \
  static long attack_##name(void) { return expression; }
TABLE(DEFINE)
#define ROW(name, expression) {#name, attack_##name},
static const struct Attack attacks[] = {TABLE(ROW){0, 0}};

// The descriptors that lambda-init left open for us.
static void list_descriptors(char* to) {
  to[0] = 0;
  for (int fd = 0; fd < 1024; ++fd)
    if (fcntl(fd, F_GETFD) >= 0 && strlen(to) < 80) sprintf(to + strlen(to), "%d ", fd);
}

static char descriptors[100];

static void answer(const char* event, char* body, size_t size) {
  size_t used = (size_t)snprintf(body, size, "{");
  if (strcmp(event, "descriptors") == 0) used += (size_t)snprintf(body + used, size - used, "\"inherited\": \"%s\"", descriptors);
  for (const struct Attack* attack = attacks; attack->name != 0; ++attack) {
    char outcome[64];
    if (strcmp(event, "all") != 0 && strcmp(event, attack->name) != 0) continue;
    attempt(attack, outcome, sizeof(outcome));
    used += (size_t)snprintf(body + used, size - used, "%s\"%s\": \"%s\"", used > 1 ? ", " : "", attack->name, outcome);
  }
  snprintf(body + used, size - used, "}");
}

int main(void) {
  list_descriptors(descriptors);
  return serve(answer);
}
