// In a process of its own that plays the function; this one plays the guard.
#include "sandbox/init/guard_filter.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lambda::sandbox::init {
namespace {

constexpr int kIoPriorityOfProcess = 1;
constexpr int kIoPriorityOfGroup = 2;
constexpr int kWhoIsUser = 3;
constexpr int kBestEffort = 2 << 13 | 4;

// The errno that a call ends with behind the filter, 0 for none; 255: there is no filter.
int behind_filter(const std::function<long()>& call) {
  const pid_t guard = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    if (!keep_off(guard)) ::_exit(255);
    errno = 0;
    ::_exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

long set_scheduler(pid_t pid) {
  const sched_param parameters{};
  return ::sched_setscheduler(pid, SCHED_BATCH, &parameters);
}
long set_parameters(pid_t pid) {
  const sched_param parameters{};
  return ::sched_setparam(pid, &parameters);
}
// A register is wider than a pid, and the kernel does not look at its upper half.
long set_attributes(pid_t pid) {
  // struct sched_attr: its header and <sched.h> cannot be had together.
  struct {
    std::uint32_t size = 48;
    std::uint32_t policy = SCHED_BATCH;
    std::uint64_t others[5] = {};
  } attributes;
  return ::syscall(SYS_sched_setattr, static_cast<long>(pid) | 1L << 40, &attributes, 0);
}
long set_processors(pid_t pid) {
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof(all));
  return ::sched_setaffinity(pid, sizeof(all), &all);
}
long set_limit(pid_t pid) {
  const rlimit limit{60, 60};
  return ::prlimit(pid, RLIMIT_CPU, &limit, nullptr);
}
long set_priority(pid_t pid) {
  return ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 19);
}
long set_io_priority(pid_t pid) {
  return ::syscall(SYS_ioprio_set, kIoPriorityOfProcess, pid, kBestEffort);
}

TEST(GuardFilter, RefusesWhatWouldStopTheGuard) {
  const pid_t guard = ::getpid();
  for (auto* call : {set_scheduler, set_parameters, set_attributes, set_processors, set_limit,
                     set_priority, set_io_priority}) {
    auto on_guard = [call, guard] { return call(guard); };
    EXPECT_EQ(behind_filter(on_guard), EPERM);
  }
}

TEST(GuardFilter, RefusesCallsOnAllProcessesOfAUser) {
  EXPECT_EQ(behind_filter([] { return ::setpriority(PRIO_USER, 0, 19); }), EPERM);
  EXPECT_EQ(behind_filter([] { return ::syscall(SYS_ioprio_set, kWhoIsUser, 0, kBestEffort); }),
            EPERM);
}

TEST(GuardFilter, LeavesTheFunctionItsOwnProcesses) {
  for (auto* call :
       {set_scheduler, set_parameters, set_processors, set_limit, set_priority, set_io_priority}) {
    EXPECT_EQ(behind_filter([call] { return call(0); }), 0);
    EXPECT_EQ(behind_filter([call] { return call(::getpid()); }), 0);
  }
  EXPECT_EQ(behind_filter([] { return set_attributes(::getpid()); }), 0);
  EXPECT_EQ(
      behind_filter([] { return ::syscall(SYS_ioprio_set, kIoPriorityOfGroup, 0, kBestEffort); }),
      0);
}

#if defined(__x86_64__)
TEST(GuardFilter, KnowsNoCallsOfOtherProcessorModes) {
  constexpr long kX32 = 0x40000000;
  EXPECT_EQ(behind_filter([] { return ::syscall(kX32 | SYS_getpid); }), ENOSYS);
  auto old_call = [] {
    long number = 20;  // getpid of i386
    asm volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
    errno = static_cast<int>(-number);
    return number < 0 ? -1L : 0L;
  };
  EXPECT_EQ(behind_filter(old_call), ENOSYS);
}
#endif

}  // namespace
}  // namespace lambda::sandbox::init
