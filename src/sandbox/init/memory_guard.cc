#include "sandbox/init/memory_guard.h"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace lambda::sandbox::init {
namespace {

// A process can take memory at 2 GB/s, so close to the limit it is looked at often; one whose use
// does not change (waiting for its next event) is looked at seldom.
constexpr int kNearPause = 10;
constexpr int kFarPause = 40;
constexpr int kIdlePause = 250;
constexpr int kIdleAfter = 20;

struct Files {
  const char* charged;
  const char* stat;
  const char* events;
  const char* peak;
};
constexpr Files kV1{"/sys/fs/cgroup/memory/memory.usage_in_bytes",
                    "/sys/fs/cgroup/memory/memory.stat", "/sys/fs/cgroup/memory/memory.oom_control",
                    "/sys/fs/cgroup/memory/memory.max_usage_in_bytes"};
constexpr Files kV2{"/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat",
                    "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory.peak"};

int open_file(const char* path) {
  return ::open(path, O_RDONLY | O_CLOEXEC);
}

template <std::size_t Size>
const char* read_file(int file, char (&text)[Size]) {
  const ssize_t size = ::pread(file, text, Size - 1, 0);
  text[size > 0 ? size : 0] = '\0';
  return text;
}

std::uint64_t bytes_in_tmp() {
  struct statfs status {};
  if (::statfs("/tmp", &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.f_blocks - status.f_bfree) *
         static_cast<std::uint64_t>(status.f_bsize);
}

}  // namespace

std::uint64_t number_behind(const char* text, const char* key) {
  const std::size_t length = std::strlen(key);
  for (const char* line = text; line != nullptr && *line != '\0';) {
    if (std::strncmp(line, key, length) == 0 && line[length] == ' ')
      return std::strtoull(line + length + 1, nullptr, 10);
    line = std::strchr(line, '\n');
    if (line != nullptr) ++line;
  }
  return 0;
}

bool MemoryGuard::open(std::uint64_t limit) {
  charged_ = open_file(kV1.charged);
  v2_ = charged_ < 0;
  const Files& files = v2_ ? kV2 : kV1;
  if (v2_) charged_ = open_file(files.charged);
  if (charged_ < 0) return false;
  stat_ = open_file(files.stat);
  if (stat_ < 0) return false;
  events_ = open_file(files.events);
  if (events_ < 0) return false;
  peak_ = open_file(files.peak);
  // Kernels before 5.19 keep no record: what is used now is the next best.
  if (peak_ < 0) peak_ = open_file(files.charged);
  if (peak_ < 0) return false;
  limit_ = limit;
  pause_ = kFarPause;
  return true;
}

std::uint64_t MemoryGuard::held() const {
  char text[8192];
  read_file(stat_, text);
  return number_behind(text, v2_ ? "anon" : "rss") + number_behind(text, "shmem");
}

bool MemoryGuard::look() {
  if (limit_ == 0) return false;
  char text[32];
  const auto charged = std::strtoull(read_file(charged_, text), nullptr, 10);
  unchanged_ = charged == last_charged_ ? unchanged_ + 1 : 0;
  last_charged_ = charged;
  pause_ = charged < limit_ / 4 * 3 ? kFarPause : kNearPause;
  if (unchanged_ >= kIdleAfter) pause_ = kIdlePause;
  return charged > limit_ && held() > limit_ + bytes_in_tmp();
}

bool MemoryGuard::kernel_killed() const {
  if (events_ < 0) return false;
  char text[512];
  return number_behind(read_file(events_, text), "oom_kill") > 0;
}

}  // namespace lambda::sandbox::init
