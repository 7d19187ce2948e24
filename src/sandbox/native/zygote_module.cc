// lambda_zygote: the one function that makes a Python a zygote. wait() carries out lambda-spawn's
// orders (zygote_protocol.h), and returns in each process that it forks, which is then the runtime
// of a sandbox, with the privileges of a function and nothing of the zygote's but its memory.
//
// Steps of an order, for which three processes are made. Only the last copies the zygote's memory:
//   the zygote tells the sandbox's pid 1 that somebody comes. Where pid 1 does not wait any more,
//   because it has executed a runtime meanwhile, it cannot, and that is all
//   1st (shares it, as vfork does) enters the namespaces of the sandbox's pid 1
//   2nd (shares it; the first one inside the pid namespace) enters the cgroups
//   3rd (fork) is the runtime. The 2nd ends, so that pid 1 becomes its parent
//   it enters the user namespace, becomes the user inside, drops everything, as init's child does
//   it gets /dev/null and the log pipe from pid 1, and tells it its pid when it is pid 1's child:
//   no process of the zygote's is inside any more
// The 1st and the 2nd cannot be one: pid 1 inherits only what a process inside leaves behind.
//
// Loaded by runtimes/python/bootstrap.py in a process with one thread; allocates nothing. The
// limited API alone: any Python from 3.11 on.
#include "sandbox/init/protocol.h"
#include "sandbox/native/privileges.h"
#include "sandbox/native/zygote_protocol.h"

// clang-format off
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
// clang-format on

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

constexpr int kNamespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

alignas(sock_filter) char filter_bytes[kMostFilterBytes];
std::size_t filter_size = 0;

// Of the order that is carried out. Processes that share the memory write to it, so it is no local
// variable.
struct Work {
  ZygoteOrder order;
  int pid_one = -1;
  int socket = -1;
  int task_files[kMostTaskFiles] = {};
  int directory = -1;
  const char* failed = nullptr;
  int error = 0;
};
Work work;

void note_failure(const char* what) {
  work.error = errno;
  work.failed = what;
}

void answer(std::uint32_t number) {
  ZygoteAnswer message;
  message.number = number;
  if (work.failed != nullptr) {
    message.error = work.error;
    std::snprintf(message.text, sizeof(message.text), "%s", work.failed);
  }
  while (::send(kZygoteSocket, &message, sizeof(message), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

// How many descriptors came; -1: no packet, or not what was expected.
int receive(int socket, void* data, std::size_t most, ssize_t* size, int* descriptors, int room) {
  iovec part{data, most};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE((kMostTaskFiles + 3) * sizeof(int))];
  message.msg_control = ancillary;
  message.msg_controllen = sizeof(ancillary);
  do {
    *size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (*size < 0 && errno == EINTR);
  if (*size <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return -1;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return 0;
  const auto count = static_cast<int>((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  if (header->cmsg_type != SCM_RIGHTS || count > room) return -1;
  std::memcpy(descriptors, CMSG_DATA(header), static_cast<std::size_t>(count) * sizeof(int));
  return count;
}

// False: there are no orders any more.
bool take_order() {
  work = Work{};
  int descriptors[kMostTaskFiles + 3];
  ssize_t size = 0;
  const int count = receive(kZygoteSocket, &work.order, sizeof(work.order), &size, descriptors,
                            kMostTaskFiles + 3);
  const auto& order = work.order;
  if (size != sizeof(order) || order.task_files > kMostTaskFiles ||
      count != static_cast<int>(2 + order.task_files + order.directory))
    return false;
  int next = 0;
  work.pid_one = descriptors[next++];
  work.socket = descriptors[next++];
  for (std::uint32_t i = 0; i < order.task_files; ++i) work.task_files[i] = descriptors[next++];
  if (order.directory != 0) work.directory = descriptors[next];
  return true;
}

void close_order() {
  ::close(work.pid_one);
  ::close(work.socket);
  for (std::uint32_t i = 0; i < work.order.task_files; ++i) ::close(work.task_files[i]);
  if (work.directory >= 0) ::close(work.directory);
}

// False: nobody waits for the runtime. Of one step with pid 1's giving up (lambda_init.cc).
bool announce() {
  const std::int32_t word = init::kComing;
  if (::send(work.socket, &word, sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(word))
    return true;
  errno = ETIMEDOUT;
  note_failure("fork it while its sandbox waits for it");
  return false;
}

// clone3 in line: a process that shares our stack must not return from a function that we are in,
// for what it calls next is written over the way back.
[[gnu::always_inline]] inline long clone_here(clone_args* arguments) {
#ifdef __x86_64__
  long result = SYS_clone3;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(arguments), "S"(sizeof(*arguments))
               : "rcx", "r11", "memory");
  return result;
#else
#error "zygotes are made for x86-64: say here how a system call is made"
#endif
}

void reap(long child) {
  while (::waitpid(static_cast<pid_t>(child), nullptr, 0) < 0 && errno == EINTR) {
  }
}

// True in the runtime; false in the zygote, whose `work` says whether there is one.
[[gnu::noinline]] bool fork_inside() {
  static clone_args outer;
  static clone_args inner;
  outer = {};
  outer.flags = CLONE_VM | CLONE_VFORK;
  outer.exit_signal = SIGCHLD;
  inner = outer;
  if (work.directory >= 0) {
    inner.flags |= CLONE_INTO_CGROUP;
    inner.cgroup = static_cast<std::uint64_t>(work.directory);
  }
  const long first = clone_here(&outer);
  if (first == 0) {
    if (::setns(work.pid_one, kNamespaces) != 0) {
      note_failure("enter the sandbox's namespaces");
      ::_exit(1);
    }
    const long second = clone_here(&inner);
    if (second == 0) {
      for (std::uint32_t i = 0; i < work.order.task_files; ++i) {
        if (::write(work.task_files[i], "0", 1) == 1) continue;
        note_failure("enter the sandbox's cgroup");
        ::_exit(1);
      }
      const pid_t third = ::fork();
      if (third == 0) return true;
      if (third < 0) note_failure("fork");
      ::_exit(0);
    }
    if (second > 0) reap(second);
    if (second < 0) {
      errno = static_cast<int>(-second);
      note_failure("make a process inside the sandbox");
    }
    ::_exit(0);
  }
  if (first > 0) reap(first);
  if (first < 0) {
    errno = static_cast<int>(-first);
    note_failure("make a process");
  }
  return false;
}

// The kernel forgot it with the process that shared our memory; glibc goes by it.
void register_rseq() {
  constexpr unsigned kSignature = 0x53053053;
  if (__rseq_size == 0) return;
  auto* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
  ::syscall(SYS_rseq, area, 32, 0, kSignature);
}

// A fork does not take over what maps files: each page of the programs would be a fault of the
// first call's. Costs no memory, for the pages are there. Older kernels (5.14 knows it) do without.
int map_program(dl_phdr_info* object, std::size_t, void*) {
#ifdef MADV_POPULATE_READ
  constexpr std::uintptr_t kPage = 4096;
  for (unsigned i = 0; i < object->dlpi_phnum; ++i) {
    const auto& part = object->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const auto begin = (object->dlpi_addr + part.p_vaddr) / kPage * kPage;
    const auto end = object->dlpi_addr + part.p_vaddr + part.p_memsz;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what the loader tells
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
  }
#endif
  return 0;
}

void lower(__rlimit_resource resource, rlim_t value) {
  const rlimit limit{value, value};
  ::setrlimit(resource, &limit);
}

// What failed, or nullptr.
const char* become_user() {
  if (::setgroups(0, nullptr) != 0) return "drop groups";
  if (::setns(work.pid_one, CLONE_NEWUSER) != 0) return "enter the sandbox's user namespace";
  // Its capabilities over its own user namespace would be lost here, but for those that drop the
  // rest.
  if (const char* failed = change_ids(kInsideUid, kInsideGid)) return failed;
  if (const char* failed = drop_capabilities()) return failed;
  return forbid_new_privileges();
}

const char* harden() {
  if (::setsid() < 0) return "make a session";
  register_rseq();
  ::dl_iterate_phdr(map_program, nullptr);
  // As lambda-init has it for what it executes; not 0: see sandbox_setup.cc.
  lower(RLIMIT_CORE, 1);
  lower(RLIMIT_RTPRIO, 0);
  lower(RLIMIT_NICE, 0);
  if (const char* failed = become_user()) return failed;
  return install_filter(reinterpret_cast<const sock_filter*>(filter_bytes),
                        filter_size / sizeof(sock_filter));
}

// Descriptors 0 to 3 as lambda-init gives them to a stem, and no others.
const char* take_descriptors() {
  char byte = 0;
  int given[2];
  ssize_t size = 0;
  if (receive(work.socket, &byte, 1, &size, given, 2) != 2) return "";  // pid 1 wants none
  const int socket = work.socket;
  if (::dup2(given[0], 0) < 0 || ::dup2(given[1], 1) < 0 || ::dup2(given[1], 2) < 0)
    return "take the log pipe";
  if (::dup2(socket, 3) < 0) return "keep the socket to pid 1";
  if (::close_range(4, ~0u, 0) != 0) return "close descriptors";
  return nullptr;
}

void become_runtime() {
  const char* failed = harden();
  if (failed == nullptr) {
    // Everything of the zygote's that is open goes here, its own socket too.
    failed = take_descriptors();
    if (failed == nullptr) {
      // The 2nd, which is root and has the zygote's memory, ends before a function begins.
      while (::getppid() != 1) ::usleep(50);
      // As after an exec: a function may look at itself.
      ::prctl(PR_SET_DUMPABLE, 1);
      const auto pid = static_cast<std::int32_t>(::getpid());
      if (::send(3, &pid, sizeof(pid), MSG_NOSIGNAL) != sizeof(pid)) ::_exit(1);
      return;
    }
  }
  if (*failed != '\0') {
    note_failure(failed);
    answer(work.order.number);
  }
  ::_exit(1);
}

bool begin() {
  // Nobody looks into what is root.
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return false;
  ssize_t size = 0;
  int none[1];
  if (receive(kZygoteSocket, filter_bytes, sizeof(filter_bytes), &size, none, 0) != 0) return false;
  filter_size = static_cast<std::size_t>(size);
  answer(0);
  return true;
}

PyObject* wait(PyObject*, PyObject*) {
  if (!begin()) ::_exit(1);
  while (take_order()) {
    if (announce()) {
      PyOS_BeforeFork();
      const bool inside = fork_inside();
      if (inside) {
        become_runtime();
        PyOS_AfterFork_Child();
        Py_INCREF(Py_None);
        return Py_None;
      }
      PyOS_AfterFork_Parent();
    }
    answer(work.order.number);
    close_order();
  }
  ::_exit(0);
}

PyMethodDef methods[] = {
    {"wait", wait, METH_NOARGS,
     "Carries out lambda-spawn's orders; returns in each process that was forked."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "lambda_zygote",
                          nullptr,
                          0,
                          methods,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace
}  // namespace lambda::sandbox::native

// NOLINTNEXTLINE(readability-identifier-naming): Python's name for it
PyMODINIT_FUNC PyInit_lambda_zygote() {
  return PyModuleDef_Init(&lambda::sandbox::native::definition);
}
