#include "sandbox/init/guard_filter.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

namespace lambda::sandbox::init {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "which architecture do system calls of this machine have?"
#endif
// x32 shares x86_64's architecture; on no machine does a call of its own have this bit.
constexpr std::uint32_t kFirstX32Call = 0x40000000;
constexpr std::uint32_t kIoPriorityOfUser = 3;  // IOPRIO_WHO_USER: no header has it

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kIfNotLess = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;

constexpr std::uint32_t kCall = offsetof(seccomp_data, nr);
// The kernel takes the lower half of a register for a pid or a "which", and so does the filter.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
constexpr std::uint32_t argument(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

class Program {
 public:
  void add(std::uint16_t code, std::uint32_t operand, std::uint8_t skip_if = 0,
           std::uint8_t skip_unless = 0) {
    steps_[size_++] = {code, skip_if, skip_unless, operand};
  }
  void refuse(int call, unsigned index, std::uint32_t value) {
    add(kLoad, kCall);
    add(kIfEqual, static_cast<std::uint32_t>(call), 0, 3);
    add(kLoad, argument(index));
    add(kIfEqual, value, 0, 1);
    add(kReturn, SECCOMP_RET_ERRNO | EPERM);
  }
  bool install() {
    const sock_fprog program{size_, steps_};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  }

 private:
  sock_filter steps_[64] = {};
  unsigned short size_ = 0;
};

}  // namespace

bool keep_off(pid_t guard) {
  const auto pid = static_cast<std::uint32_t>(guard);
  Program program;
  program.add(kLoad, offsetof(seccomp_data, arch));
  program.add(kIfEqual, kArchitecture, 0, 2);
  program.add(kLoad, kCall);
  program.add(kIfNotLess, kFirstX32Call, 0, 1);
  program.add(kReturn, SECCOMP_RET_ERRNO | ENOSYS);
  for (const int call : {SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr,
                         SYS_sched_setaffinity, SYS_prlimit64}) {
    program.refuse(call, 0, pid);
  }
  for (const int call : {SYS_setpriority, SYS_ioprio_set}) program.refuse(call, 1, pid);
  program.refuse(SYS_setpriority, 0, PRIO_USER);
  program.refuse(SYS_ioprio_set, 0, kIoPriorityOfUser);
  program.add(kReturn, SECCOMP_RET_ALLOW);
  return program.install();
}

}  // namespace lambda::sandbox::init
