// MemoryGuard: lambda-init's eye on what the function's processes use of their memory (Docker
// driver; on the native one lambda-spawn has it). /tmp and page cache are charged to the same
// cgroup and are not the function's memory, so the cgroup's hard limit alone cannot tell. Allocates
// nothing. One thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lambda::sandbox::init {

class MemoryGuard {
 public:
  // The container's own cgroup, as Docker mounts it at /sys/fs/cgroup: v1 or v2. False, with errno:
  // it is not there.
  bool open(std::uint64_t limit);
  // The file with the most that was ever used; -1 before open().
  [[nodiscard]] int peak() const { return peak_; }
  // The file with what is used now; -1 before open().
  [[nodiscard]] int charged() const { return charged_; }
  [[nodiscard]] bool guards() const { return limit_ != 0; }
  // Milliseconds until the next look(); -1: never.
  [[nodiscard]] int pause() const { return limit_ == 0 ? -1 : pause_; }
  // True: the function holds more than its limit.
  bool look();
  // The kernel killed something inside for memory.
  [[nodiscard]] bool kernel_killed() const;

 private:
  [[nodiscard]] std::uint64_t held() const;

  std::uint64_t limit_ = 0;
  std::uint64_t last_charged_ = 0;
  int pause_ = 0;
  int unchanged_ = 0;
  bool v2_ = false;
  int charged_ = -1;
  int stat_ = -1;
  int events_ = -1;
  int peak_ = -1;
};

// The number behind `key` in lines of "key number"; 0 where there is none. `text` ends with NUL.
[[nodiscard]] std::uint64_t number_behind(const char* text, const char* key);

}  // namespace lambda::sandbox::init
