#include "sandbox/native/seccomp_filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/fs.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace lambda::sandbox::native {
namespace {

struct Call {
  const char* words;
  long number;
  long arguments[4];
  int expected;  // the error it ends with; 0: none
};

// What the calls come to in a process that lives under the filter: "" or the words of the first
// that ended otherwise, and how.
std::string under_the_filter(const std::vector<Call>& calls) {
  const auto filter = compile_seccomp_filter();
  if (!filter) return filter.error().message();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    char text[200] = "not installed";
    int size = 13;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && install(*filter)) {
      size = 0;
      for (const auto& call : calls) {
        const auto& given = call.arguments;
        const long result = ::syscall(call.number, given[0], given[1], given[2], given[3]);
        const int error = result < 0 ? errno : 0;
        if (error == call.expected) continue;
        size = std::snprintf(text, sizeof(text), "%s: error %d", call.words, error);
        break;
      }
    }
    [[maybe_unused]] const auto told = ::write(ends[1], text, static_cast<std::size_t>(size));
    ::_exit(0);
  }
  ::close(ends[1]);
  char text[200];
  const auto size = ::read(ends[0], text, sizeof(text));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return "it was killed";
  return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

// Made for real, each of these would fail: there is no such descriptor.
TEST(SeccompFilter, AnswersWhatWouldWriteOutWithoutDoingIt) {
  EXPECT_EQ(under_the_filter({{"fsync", SYS_fsync, {-1}, 0},
                              {"fdatasync", SYS_fdatasync, {-1}, 0},
                              {"syncfs", SYS_syncfs, {-1}, 0},
                              {"sync_file_range", SYS_sync_file_range, {-1, 0, 0, 0}, 0},
                              {"sync", SYS_sync, {}, 0}}),
            "");
}

TEST(SeccompFilter, LetsMsyncAskWhatIsMappedAndNothingElse) {
  EXPECT_EQ(under_the_filter({{"MS_SYNC", SYS_msync, {4096, 4096, MS_SYNC}, 0},
                              {"MS_SYNC and more", SYS_msync, {4096, 4096, MS_SYNC | 2}, 0},
                              {"MS_ASYNC", SYS_msync, {4096, 4096, MS_ASYNC}, ENOMEM}}),
            "");
}

TEST(SeccompFilter, RefusesTheIoctlsOfBtrfsAndNoOthers) {
  constexpr long kBtrfsSync = _IO(0x94, 8);
  EXPECT_EQ(
      under_the_filter({{"BTRFS_IOC_SYNC", SYS_ioctl, {-1, kBtrfsSync}, EOPNOTSUPP},
                        // The kernel looks at 32 bits of it.
                        {"with more bits", SYS_ioctl, {-1, kBtrfsSync | (1l << 40)}, EOPNOTSUPP},
                        {"FICLONE", SYS_ioctl, {-1, FICLONE, -1}, EOPNOTSUPP},
                        {"FIONREAD", SYS_ioctl, {-1, FIONREAD, 0}, EBADF},
                        {"TIOCGWINSZ", SYS_ioctl, {-1, TIOCGWINSZ, 0}, EBADF},
                        {"FIOCLEX", SYS_ioctl, {-1, FIOCLEX, 0}, EBADF},
                        {"type 0x95", SYS_ioctl, {-1, _IO(0x95, 8), 0}, EBADF},
                        {"type 0x14", SYS_ioctl, {-1, _IO(0x14, 8), 0}, EBADF}}),
      "");
}

TEST(SeccompFilter, KnowsNothingOfWhatIsNotListed) {
  EXPECT_EQ(under_the_filter({{"mount", SYS_mount, {}, ENOSYS},
                              {"bpf", SYS_bpf, {}, ENOSYS},
                              {"setns", SYS_setns, {-1, 0}, ENOSYS},
                              {"getpid", SYS_getpid, {}, 0}}),
            "");
}

}  // namespace
}  // namespace lambda::sandbox::native
