// What a function may try, each attempt with the wall that stops it. A `bootstrap`, whose event is a string: names of attempts ("all":
// all but the slow ones) and facts that only the test knows, as NAME=VALUE. Its response is a JSON object {"NAME": "ERRNO" | "done" |
// "signal N"}: "done" means that the function got what it wanted.
//
// The event " calls=,N,N," tries every other system call number, and tells which of them are not refused.
//
//   attempts --table        prints the table, as lines NAME <tab> WALLS <tab> DOCKER
//   attempts --run EVENT    answers one event on standard output, without a server
//
// WALLS is what must be left out together for the attempt to succeed (walls.h); where several do by themselves, the sets stand
// behind one another with "|" between them. DOCKER: "held" in a container as well, or "open" there (docs/security-model.md says so).
#include "function_program.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/memfd.h>
#include <linux/nsfs.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>

// What the function listens on that has A_SECRET.
#define OTHER_PORT 4321
static char given_facts[4096];

// A fact of the event's; "" where it has none.
static const char* fact(const char* name) {
  static char value[1024];
  char wanted[100];
  snprintf(wanted, sizeof(wanted), " %s=", name);
  const char* found = strstr(given_facts, wanted);
  value[0] = 0;
  if (found != 0) {
    found += strlen(wanted);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(found, " "), found);
  }
  return value;
}
static int number_of(const char* name) { return atoi(fact(name)); }

static long failed(int error) {
  errno = error;
  return -1;
}
// The system call was made, with an argument that the kernel refuses with `error` once it has looked at who asks.
static long got_as_far_as(long result, int error) {
  if (result < 0 && errno == error) return 0;
  return result < 0 ? -1 : 0;
}
static long opened(const char* path, int flags) {
  char letter;
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  if ((flags & O_ACCMODE) != O_RDONLY) return 0;
  const ssize_t count = read(fd, &letter, 1);
  if (count < 0 && errno == EINVAL) return 0;  // nothing that can be read, such as a namespace
  return count < 0 ? -1 : count == 0 ? failed(ENODATA) : 0;  // what is masked is empty
}
static long opened_of_process(int pid, const char* file, int flags) {
  char path[200];
  if (pid <= 0) return failed(EINVAL);
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
  return opened(path, flags);
}
static pid_t sleeping_child(void) {
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(2);
    pause();
    _exit(0);
  }
  return child;
}

// --- System calls that open what the kernel has for everybody ---

static long new_user_namespace(void) { return syscall(SYS_unshare, CLONE_NEWUSER); }
static long mount_in_it(void) {
  if (syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) != 0) return -1;
  return syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, 0);
}
static long chroot_in_it(void) {
  if (syscall(SYS_unshare, CLONE_NEWUSER) != 0) return -1;
  return syscall(SYS_chroot, "/tmp");
}
static long pivot_root_in_it(void) {
  if (mount_in_it() != 0) return -1;
  if (chdir("/tmp") != 0) return -1;
  return syscall(SYS_pivot_root, ".", ".");
}
static long socket_in_it(int family, int type, int protocol) {
  if (syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNET) != 0) return -1;
  return syscall(SYS_socket, family, type, protocol);
}
static long trace_a_child(void) { return ptrace(PTRACE_SEIZE, sleeping_child(), 0, 0); }
static long memory_of_a_child(void) {
  char there[8] = "secret", here[8];
  struct iovec mine = {here, 8}, theirs = {there, 8};
  return syscall(SYS_process_vm_readv, sleeping_child(), &mine, 1, &theirs, 1, 0);
}
static long descriptor_of_a_child(void) {
  int child = (int)syscall(SYS_pidfd_open, sleeping_child(), 0);
  if (child < 0) return -1;
  return syscall(438 /* pidfd_getfd */, child, 0, 0);
}
static long compare_in_the_kernel(void) { return syscall(SYS_kcmp, getpid(), sleeping_child(), 1 /* KCMP_VM */, 0, 0); }
static long page_faults(void) { return syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY); }
static long kernel_key(void) { return syscall(SYS_add_key, "user", "x", "y", 1, KEY_SPEC_PROCESS_KEYRING); }
static long io_ring(void) {
  struct io_uring_params parameters = {0};
  return syscall(SYS_io_uring_setup, 4, &parameters);
}
static long machines_aio(void) {
  aio_context_t context = 0;
  return syscall(SYS_io_setup, 1, &context);
}
static long performance_counters(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_TASK_CLOCK};
  attr.exclude_kernel = attr.exclude_hv = 1;
  return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}
static long watch_file_system(void) { return syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY); }
struct Handle {
  struct file_handle head;
  unsigned char bytes[128];
};
static long handle_of(const char* path, struct Handle* handle) {
  int mount;
  handle->head.handle_bytes = sizeof(handle->bytes);
  return syscall(SYS_name_to_handle_at, AT_FDCWD, path, handle, &mount, 0);
}
static long file_handle(void) {
  struct Handle handle;
  return handle_of("/tmp", &handle);
}
static long executable_data(void) { return syscall(SYS_personality, READ_IMPLIES_EXEC); }
static long thirty_two_bits(void) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L /* getpid */), "b"(0L), "c"(0L), "d"(0L) : "memory");
  return result < 0 ? failed((int)-result) : 0;
#else
  return failed(ENOSYS);
#endif
}
static long segments(void) {
#ifdef SYS_modify_ldt
  struct {
    unsigned entry, base, limit, flags;
  } segment = {0, 0, 0xfffff, 0x51 /* 32 bits, in pages, usable */};
  return syscall(SYS_modify_ldt, 1, &segment, sizeof(segment));
#else
  return failed(ENOSYS);
#endif
}
static long huge_pages(void) { return syscall(SYS_memfd_create, "x", MFD_HUGETLB); }
static long hidden_memory(void) { return syscall(447 /* memfd_secret */, 0); }
// With a limit of 0 the kernel starts the machine's core_pattern program all the same.
static long core_program(void) {
  struct rlimit limit = {0, 0};
  if (setrlimit(RLIMIT_CORE, &limit) != 0 || getrlimit(RLIMIT_CORE, &limit) != 0) return -1;
  return limit.rlim_cur == 0 ? 0 : failed(EPERM);
}
static long write_out_the_machine(void) {
  // Answered with 0 where it is not made at all.
  return syscall(SYS_syncfs, -1) < 0 && errno == EBADF ? 0 : failed(ECANCELED);
}
static long pages_of_a_process(void) { return syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0); }

// --- pid 1, which has the function's own user ---

static long capabilities_back(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  data[0].permitted = data[0].effective = 1u << CAP_SYS_ADMIN;
  return syscall(SYS_capset, &header, data);
}
static pid_t init_process = 1;  // where there is no pid namespace, lambda-init is another

static long of_init(const char* file, int flags) { return opened_of_process(init_process, file, flags); }
static long memory_of_init_by_call(void) {
  // At 0 it has none: EFAULT, after the kernel has looked at who asks.
  struct iovec mine = {buffer, 8}, theirs = {0, 8};
  return got_as_far_as(syscall(SYS_process_vm_readv, init_process, &mine, 1, &theirs, 1, 0), EFAULT);
}
static long descriptor_of_init(void) {
  int init = (int)syscall(SYS_pidfd_open, init_process, 0);
  return init < 0 ? -1 : syscall(438 /* pidfd_getfd */, init, 3, 0);
}
// A directory that lambda-spawn had open, by way of pid 1: out through it.
static long leaked_directory(void) {
  char path[600];
  snprintf(path, sizeof(path), "/proc/%d/fd", init_process);
  DIR* list = opendir(path);
  if (list == 0) return -1;
  for (struct dirent* entry; (entry = readdir(list)) != 0;) {
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%d/fd/%s/%s", init_process, entry->d_name, fact("runtime"));
    if (entry->d_name[0] != '.' && fact("runtime")[0] != 0 && stat(path, &status) == 0) return 0;
  }
  return failed(ENOENT);
}

// --- Users ---

static long ids_of_the_machine(void) {
  struct stat status;
  if (stat("/", &status) != 0) return -1;
  return status.st_uid == 0 ? 0 : failed(ENODATA);
}
static long machines_user_namespace(void) {
  int mine = open("/proc/self/ns/mnt", O_RDONLY);
  return mine < 0 ? -1 : ioctl(mine, NS_GET_USERNS);
}
static long become_root(void) { return syscall(SYS_setuid, 0); }
static long join_a_group(void) {
  gid_t root = 0;
  return syscall(SYS_setgroups, 1, &root);
}
static long make_device(mode_t kind, const char* path) {
  unlink(path);
  return mknod(path, kind | 0666, makedev(1, kind == S_IFBLK ? 0 : 5));
}
static long use_device(void) {
  if (make_device(S_IFCHR, "/tmp/zero") != 0) return -1;
  return opened("/tmp/zero", O_RDONLY);
}
static long more_cpu(void) { return setpriority(PRIO_PROCESS, 0, -5); }
static long give_away_a_file(void) {
  int fd = open("/tmp/mine", O_CREAT | O_WRONLY, 0600);
  return fd < 0 ? -1 : fchown(fd, 0, 0);
}
static long setuid_program(void) {
  // It exits with 0 where it runs as somebody else.
  pid_t child = fork();
  if (child == 0) {
    execl("/var/task/marked", "marked", "--who-am-i", (char*)0);
    _exit(2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? 0 : failed(EPERM);
}

// --- What only root of the machine may ---

static long remount_root(void) {
  if (syscall(SYS_unshare, CLONE_NEWNS) != 0) return -1;
  return syscall(SYS_mount, 0, "/", 0, MS_REMOUNT | MS_BIND, 0);
}
static long unmask(void) {
  if (syscall(SYS_unshare, CLONE_NEWNS) != 0) return -1;
  return syscall(SYS_umount2, "/proc/kallsyms", MNT_DETACH);
}
// Sets the clock's speed to what it is.
static long set_clock(void) {
  struct timex by = {.modes = 0};
  if (syscall(SYS_adjtimex, &by) < 0) return -1;
  by.modes = ADJ_TICK;
  return syscall(SYS_adjtimex, &by);
}
static long bpf_map(void) {
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1};
  return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}
static long kernel_log(void) { return syscall(SYS_syslog, 10 /* its size */, 0, 0); }
static long file_by_handle(void) {
  struct Handle handle;
  if (handle_of("/tmp", &handle) != 0) return -1;
  int mount = open("/tmp", O_RDONLY | O_DIRECTORY);
  return syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY);
}
static long change_host_name(void) { return syscall(SYS_sethostname, "evil", 4); }
static long load_module(void) { return got_as_far_as(syscall(SYS_init_module, buffer, 16, ""), ENOEXEC); }
static long io_ports(void) {
#ifdef SYS_iopl
  return syscall(SYS_iopl, 3);
#else
  return failed(ENOSYS);
#endif
}
static long packet_socket(void) { return syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0); }
static long core_pattern(void) {
  if (syscall(SYS_setuid, 0) != 0) return -1;
  return opened("/proc/sys/kernel/core_pattern", O_WRONLY);  // and writes nothing
}

// --- Processes of others ---

static long signal_to(int pid) { return pid <= 0 ? failed(EINVAL) : kill(pid, 0); }
static long memory_of(int pid) {
  char path[100], line[300];
  unsigned long at = 0;
  if (pid <= 0) return failed(EINVAL);
  snprintf(path, sizeof(path), "/proc/%d/maps", pid);
  FILE* maps = fopen(path, "r");
  if (maps == 0) return -1;
  if (fgets(line, sizeof(line), maps) == 0) return failed(EACCES);
  sscanf(line, "%lx", &at);
  snprintf(path, sizeof(path), "/proc/%d/mem", pid);
  int fd = open(path, O_RDONLY);
  return fd < 0 ? -1 : pread(fd, line, 8, (off_t)at);
}

// --- The network ---

static long connected(int family, const char* address, int port, unsigned scope) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_scope_id = scope};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(family, address, family == AF_INET ? (void*)&four.sin_addr : (void*)&six.sin6_addr) != 1) return failed(EINVAL);
  int fd = socket(family, port == 53 ? SOCK_DGRAM : SOCK_STREAM, 0);
  if (fd < 0) return -1;
  // For a datagram socket this only looks for a way: nothing is sent.
  return family == AF_INET ? connect(fd, (struct sockaddr*)&four, sizeof(four)) : connect(fd, (struct sockaddr*)&six, sizeof(six));
}
static long to_machine(int family, const char* address, unsigned scope) {
  char copy[100];
  snprintf(copy, sizeof(copy), "%s", address);
  const int port = number_of("port");
  return port == 0 ? failed(EINVAL) : connected(family, copy, port, scope);
}
static long to_neighbour(int family, const char* name) {
  char address[100];
  snprintf(address, sizeof(address), "%s", fact(name));
  return connected(family, address, OTHER_PORT, 0);
}
static long link_local(void) {
  // FE80::1%eth0
  char address[100];
  snprintf(address, sizeof(address), "%s", fact("link_local"));
  char* percent = strchr(address, '%');
  if (percent == 0) return failed(EINVAL);
  *percent = 0;
  return to_machine(AF_INET6, address, if_nametoindex(percent + 1));
}
static long abstract_socket(void) {
  struct {
    sa_family_t family;
    char path[108];
  } address = {.family = AF_UNIX};
  int length = snprintf(address.path + 1, sizeof(address.path) - 1, "%s", fact("abstract"));
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (length == 0) return failed(EINVAL);
  return connect(fd, (struct sockaddr*)&address, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)length));
}
static long lines_of(const char* path, int more_than) {
  FILE* file = fopen(path, "r");
  if (file == 0) return -1;
  int lines = 0;
  for (int letter; (letter = getc(file)) != EOF;) lines += letter == '\n';
  return lines > more_than ? 0 : failed(ENODATA);
}
static long text_in(const char* path, const char* text) {
  char line[4096];
  FILE* file = fopen(path, "r");
  if (file == 0) return -1;
  while (fgets(line, sizeof(line), file) != 0)
    if (strstr(line, text) != 0) return 0;
  return failed(ENODATA);
}
static long connections_of_the_machine(void) {
  char port[20];
  snprintf(port, sizeof(port), "0100007F:%04X ", number_of("port"));
  return text_in("/proc/net/tcp", port);
}

// --- Between processes, names ---

static long shared_memory_of_the_machine(void) {
  const int key = number_of("shared_memory");
  return key == 0 ? failed(EINVAL) : shmget(key, 1, 0);
}
static long queue_of_the_machine(void) {
  const char* name = fact("queue");
  return name[0] == 0 ? failed(EINVAL) : mq_open(name, O_RDONLY);
}
static long name_of_the_machine(void) {
  struct utsname names;
  if (uname(&names) != 0) return -1;
  return fact("host")[0] != 0 && strcmp(names.nodename, fact("host")) == 0 ? 0 : failed(ENODATA);
}
static long place_among_groups(void) {
  // Its own cgroup would be "/".
  char line[1000];
  FILE* file = fopen("/proc/self/cgroup", "r");
  if (file == 0) return -1;
  while (fgets(line, sizeof(line), file) != 0)
    if (strstr(line, ":/lambda-") != 0 || strstr(line, "/lambda-") != 0 || strstr(line, "/docker") != 0) return 0;
  return failed(ENODATA);
}

// --- Files ---

// Where it stays when it is not unmounted.
static long old_root(const char* path) {
  char below[1100];
  if (path[0] == 0) return failed(EINVAL);
  snprintf(below, sizeof(below), "/opt%s", path);
  return opened(below, O_RDONLY);
}
static long write_to(const char* path) {
  if (path[0] == 0) return failed(EINVAL);
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  return fd < 0 ? -1 : write(fd, "x", 1);
}
static long run_from_shared_memory(void) {
  char block[4096];
  int from = open("/proc/self/exe", O_RDONLY), to = open("/dev/shm/program", O_CREAT | O_WRONLY | O_TRUNC, 0755);
  if (from < 0 || to < 0) return -1;
  for (ssize_t count; (count = read(from, block, sizeof(block))) > 0;)
    if (write(to, block, (size_t)count) != count) return -1;
  close(to);
  pid_t child = fork();
  if (child == 0) {
    execl("/dev/shm/program", "program", "--nothing", (char*)0);
    _exit(errno == EACCES ? 3 : 4);
  }
  int status = 0;
  waitpid(child, &status, 0);
  unlink("/dev/shm/program");
  return status == 0 ? 0 : failed(EACCES);
}
static long device_of_the_machine(void) {
  static const char* const paths[] = {"/dev/ptmx", "/dev/fuse", "/dev/net/tun", "/dev/kvm"};
  struct stat status;
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); ++i) {
    // A link leads to terminals of the container's own.
    if (lstat(paths[i], &status) == 0 && S_ISCHR(status.st_mode) && open(paths[i], O_RDWR | O_NONBLOCK) >= 0) return 0;
  }
  return failed(ENOENT);
}

// --- Limits ---

static long many_processes(void) {
  long count = 0;
  int hold[2];
  if (pipe(hold) != 0) return -1;
  while (count < 1100) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      char letter;
      close(hold[1]);
      _exit((int)read(hold[0], &letter, 1));
    }
    ++count;
  }
  int error = errno;
  close(hold[1]);
  while (wait(0) > 0) continue;
  return count == 1100 ? 0 : failed(error);
}
static long fill(const char* path, off_t megabytes) {
  int fd = open(path, O_CREAT | O_RDWR, 0600);
  if (fd < 0) return -1;
  int error = posix_fallocate(fd, 0, megabytes << 20);
  unlink(path);
  return error == 0 ? 0 : failed(error);
}
static long many_files(void) {
  char name[40];
  long made = 0, error = 0;
  for (; made < 132000 && error == 0; ++made) {
    snprintf(name, sizeof(name), "/tmp/file-%ld", made);
    if (symlink("x", name) != 0) error = errno;
  }
  for (long i = 0; i < made; ++i) {
    snprintf(name, sizeof(name), "/tmp/file-%ld", i);
    unlink(name);
  }
  return error == 0 ? 0 : failed((int)error);
}
// Of a function with 128 MB. Where it is stopped, it is all of the function that ends.
static long much_memory(void) {
  const size_t size = (size_t)300 << 20;
  char* memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -1;
  for (size_t at = 0; at < size; at += 4096) memory[at] = 1;
  usleep(300000);
  return 0;
}
static long outlive_the_server(void) {
  int score = 1000;
  FILE* file = fopen("/proc/self/oom_score_adj", "r");
  if (file == 0 || fscanf(file, "%d", &score) != 1) return -1;
  return score < 500 ? 0 : failed(EPERM);
}

#define ROOT "capabilities,user_namespace"
#define KERNEL "seccomp," ROOT
// Another function's process has another user, in another user namespace.
#define OTHERS "pid_namespace,own_user,user_namespace|pid_namespace," ROOT

// name, walls, docker, what is tried
#define TABLE(_) \
  _(new_user_namespace, "seccomp", "held", new_user_namespace()) \
  _(mount_in_a_new_namespace, "seccomp", "held", mount_in_it()) \
  _(chroot_in_a_new_namespace, "seccomp", "held", chroot_in_it()) \
  _(pivot_root_in_a_new_namespace, "seccomp", "held", pivot_root_in_it()) \
  _(raw_socket_in_a_new_namespace, "seccomp", "held", socket_in_it(AF_INET, SOCK_RAW, IPPROTO_ICMP)) \
  _(packet_socket_in_a_new_namespace, "seccomp", "held", socket_in_it(AF_PACKET, SOCK_RAW, 0)) \
  _(packet_filter_socket, "seccomp", "held", syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */)) \
  _(hypervisor_socket, "seccomp", "held", syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0)) \
  _(trace_a_child, "seccomp", "held", trace_a_child()) \
  _(memory_of_a_child, "seccomp", "held", memory_of_a_child()) \
  _(descriptor_of_a_child, "seccomp", "held", descriptor_of_a_child()) \
  _(compare_in_the_kernel, "seccomp", "held", compare_in_the_kernel()) \
  _(page_faults, "seccomp", "held", page_faults()) \
  _(kernel_key, "seccomp", "held", kernel_key()) \
  _(io_ring, "seccomp", "held", io_ring()) \
  _(machines_aio, "seccomp", "held", machines_aio()) \
  _(performance_counters, "seccomp", "held", performance_counters()) \
  _(watch_file_system, "seccomp", "held", watch_file_system()) \
  _(file_handle, "seccomp", "held", file_handle()) \
  _(executable_data, "seccomp", "held", executable_data()) \
  _(thirty_two_bits, "seccomp", "held", thirty_two_bits()) \
  _(segments, "seccomp", "held", segments()) \
  _(huge_pages, "seccomp", "held", huge_pages()) \
  _(hidden_memory, "seccomp", "held", hidden_memory()) \
  _(core_program, "seccomp", "held", core_program()) \
  _(write_out_the_machine, "seccomp", "held", write_out_the_machine()) \
  _(pages_of_a_process, "seccomp", "held", pages_of_a_process()) \
  _(capabilities_back, "capabilities", "held", capabilities_back()) \
  _(program_of_init, "capabilities", "held", of_init("exe", O_RDONLY)) \
  _(namespaces_of_init, "capabilities", "held", of_init("ns/net", O_RDONLY)) \
  _(trace_init, "seccomp,capabilities", "held", ptrace(PTRACE_SEIZE, init_process, 0, 0)) \
  _(memory_of_init_by_call, "seccomp,capabilities", "held", memory_of_init_by_call()) \
  _(descriptor_of_init, "seccomp,capabilities", "held", descriptor_of_init()) \
  _(memory_of_init, ROOT, "held", of_init("mem", O_RDWR)) \
  _(layout_of_init, ROOT, "held", of_init("auxv", O_RDONLY)) \
  _(leaked_directory, "descriptors," ROOT, "held", leaked_directory()) \
  _(ids_of_the_machine, "user_namespace", "open", ids_of_the_machine()) \
  _(machines_user_namespace, "user_namespace", "open", machines_user_namespace()) \
  _(become_root, ROOT, "held", become_root()) \
  _(join_a_group, ROOT, "held", join_a_group()) \
  _(make_a_disk, ROOT, "held", make_device(S_IFBLK, "/tmp/disk")) \
  _(more_cpu, ROOT, "held", more_cpu()) \
  _(give_away_a_file, ROOT, "held", give_away_a_file()) \
  _(file_of_root, ROOT, "held", opened("/var/task/of-root", O_RDONLY)) \
  _(use_a_device, "mount_flags," ROOT, "held", use_device()) \
  _(setuid_program, "no_new_privs,mount_flags,user_namespace", "held", setuid_program()) \
  _(remount_root, KERNEL, "held", remount_root()) \
  _(unmask_proc, KERNEL, "held", unmask()) \
  _(set_clock, KERNEL, "held", set_clock()) \
  _(bpf_map, KERNEL, "held", bpf_map()) \
  _(kernel_log, KERNEL, "held", kernel_log()) \
  _(file_by_handle, KERNEL, "held", file_by_handle()) \
  _(change_host_name, KERNEL, "held", change_host_name()) \
  _(load_module, KERNEL, "held", load_module()) \
  _(io_ports, KERNEL, "held", io_ports()) \
  _(packet_socket, KERNEL, "held", packet_socket()) \
  _(core_pattern, "settings," ROOT, "held", core_pattern()) \
  _(see_a_process_outside, "pid_namespace", "held", opened_of_process(number_of("host_pid"), "comm", O_RDONLY)) \
  _(signal_a_process_outside, "pid_namespace," ROOT, "held", signal_to(number_of("host_pid"))) \
  _(signal_another_function, "pid_namespace,own_user|pid_namespace," ROOT, "held", signal_to(number_of("other_pid"))) \
  _(environment_of_another_function, OTHERS, "held", opened_of_process(number_of("other_pid"), "environ", O_RDONLY)) \
  _(tmp_of_another_function, OTHERS, "held", opened_of_process(number_of("other_pid"), "root/tmp/secret", O_RDONLY)) \
  _(memory_of_another_function, OTHERS, "held", memory_of(number_of("other_pid"))) \
  _(code_of_another_function, "mount_namespace," ROOT, "held", old_root(fact("other_code"))) \
  _(file_outside, "mount_namespace", "held", old_root(fact("file_outside"))) \
  _(control_api, "network_namespace", "held", to_machine(AF_INET, "127.0.0.1", 0)) \
  _(machines_own_address, "network_namespace|egress_rules", "held", to_machine(AF_INET, fact("address"), 0)) \
  _(machines_loopback_6, "network_namespace", "held", to_machine(AF_INET6, "::1", 0)) \
  _(link_local, "network_namespace", "held", link_local()) \
  _(neighbours_port, "egress_rules", "held", to_neighbour(AF_INET, "other_address")) \
  _(neighbours_port_6, "egress_rules", "held", to_neighbour(AF_INET6, "other_address_6")) \
  _(way_to_the_metadata, "network_namespace", "held", connected(AF_INET, "169.254.169.254", 53, 0)) \
  _(way_to_the_internet, "network_namespace", "held", connected(AF_INET, "8.8.8.8", 53, 0)) \
  _(abstract_socket, "network_namespace", "held", abstract_socket()) \
  _(interfaces_of_the_machine, "network_namespace", "held", lines_of("/proc/net/dev", 3)) \
  _(connections_of_the_machine, "network_namespace", "held", connections_of_the_machine()) \
  _(shared_memory_of_the_machine, "ipc_namespace", "held", shared_memory_of_the_machine()) \
  _(queue_of_the_machine, "ipc_namespace", "held", queue_of_the_machine()) \
  _(name_of_the_machine, "uts_namespace", "held", name_of_the_machine()) \
  _(place_among_groups, "cgroup_namespace", "held", place_among_groups()) \
  _(write_to_the_root, "read_only", "held", write_to("/var/tmp/evil")) \
  _(write_to_the_code, "read_only", "held", write_to("/var/task/bootstrap.conf")) \
  _(run_from_shared_memory, "mount_flags", "held", run_from_shared_memory()) \
  _(command_line_of_the_machine, "masked_proc", "held", opened("/proc/cmdline", O_RDONLY)) \
  _(symbols_of_the_kernel, "masked_proc", "held", text_in("/proc/kallsyms", " T ")) \
  _(device_of_the_machine, "own_devices", "held", device_of_the_machine()) \
  _(disk_of_the_machine, "own_devices," ROOT, "held", opened(fact("disk"), O_RDONLY)) \
  _(outlive_the_server, "ended_first", "held", outlive_the_server())
// These take long, or what the machine has much of.
#define SLOW(_) \
  _(many_processes, "processes", "held", many_processes()) \
  _(larger_tmp, "tmp_size", "held", fill("/tmp/large", 520)) \
  _(many_files, "tmp_size", "held", many_files()) \
  _(larger_shared_memory, "shared_memory_size", "held", fill("/dev/shm/large", 70)) \
  _(much_memory, "memory", "held", much_memory())

#define DEFINE(name, walls, docker, expression) \
  static long try_##name(void) { return expression; }
TABLE(DEFINE)
SLOW(DEFINE)

static int refused_with_eperm = 0;

struct Attempt {
  struct Attack attack;
  const char* walls;
  const char* docker;
  int slow;
};
#define ROW(name, walls, docker, expression) {{#name, try_##name}, walls, docker, 0},
#define SLOW_ROW(name, walls, docker, expression) {{#name, try_##name}, walls, docker, 1},
static const struct Attempt attempts[] = {TABLE(ROW) SLOW(SLOW_ROW){{0, 0}, 0, 0, 0}};

// System calls that are not in this list (numbers, with a comma before and behind each), and are not refused.
static void find_calls_beside(const char* list, char* to, size_t size) {
  char wanted[20];
  to[0] = 0;
  for (long number = 0; number < 1024; ++number) {
    snprintf(wanted, sizeof(wanted), ",%ld,", number);
    if (strstr(list, wanted) != 0) continue;
    int ends[2], error = 0;
    if (pipe(ends) != 0) exit(10);
    if (fork() == 0) {
      error = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 ? errno : 0;
      if (write(ends[1], &error, sizeof(error)) < 0) _exit(2);
      _exit(0);
    }
    close(ends[1]);
    const ssize_t count = read(ends[0], &error, sizeof(error));
    close(ends[0]);
    wait(0);
    const size_t used = strlen(to);
    if (count != sizeof(error)) {
      snprintf(to + used, size - used, "%ld (ended) ", number);
    } else if (error != ENOSYS && error != EPERM) {
      snprintf(to + used, size - used, "%ld ", number);
    }
    if (count == sizeof(error) && error == EPERM) ++refused_with_eperm;
  }
}

static int asked_for(const struct Attempt* attempt) {
  char wanted[100];
  snprintf(wanted, sizeof(wanted), " %s ", attempt->attack.name);
  return strstr(given_facts, wanted) != 0 || (strstr(given_facts, " all ") != 0 && !attempt->slow);
}

static void answer(const char* event, char* body, size_t size) {
  snprintf(given_facts, sizeof(given_facts), " %s ", event);
  size_t used = (size_t)snprintf(body, size, "{");
  const char* listed = strstr(given_facts, " calls=");
  if (listed != 0) {
    char beside[8192];
    find_calls_beside(listed, beside, sizeof(beside));
    snprintf(body, size, "{\"beside\": \"%s\", \"eperm\": %d}", beside, refused_with_eperm);
    return;
  }
  for (const struct Attempt* each = attempts; each->walls != 0; ++each) {
    char outcome[64];
    if (!asked_for(each)) continue;
    attempt(&each->attack, outcome, sizeof(outcome));
    used += (size_t)snprintf(body + used, size - used, "%s\"%s\": \"%s\"", used > 1 ? ", " : "", each->attack.name, outcome);
  }
  snprintf(body + used, size - used, "}");
}

int main(int count, char** arguments) {
  static char body[32768];
  const char* option = count > 1 ? arguments[1] : "";
  if (strcmp(option, "--nothing") == 0) return 0;
  if (strcmp(option, "--who-am-i") == 0) return geteuid() == getuid();
  if (strcmp(option, "--table") == 0) {
    for (const struct Attempt* each = attempts; each->walls != 0; ++each)
      printf("%s\t%s\t%s\t%s\n", each->attack.name, each->walls, each->docker, each->slow ? "slow" : "");
    return 0;
  }
  if (strcmp(option, "--run") == 0 && count > 2) {
    answer(arguments[2], body, sizeof(body));
    puts(body);
    return 0;
  }
  init_process = getppid();
  const char* secret = getenv("A_SECRET");
  FILE* file = secret != 0 ? fopen("/tmp/secret", "w") : 0;
  if (file != 0) {
    fputs(secret, file);
    fclose(file);
    // Whoever reaches it is connected.
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(OTHER_PORT)};
    const int listener = socket(AF_INET6, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr*)&any, sizeof(any)) == 0) listen(listener, 100);
  }
  return serve(answer);
}
