// The limits of a sandbox that are the same on both drivers.
#pragma once

#include <cstdint>

namespace lambda::sandbox {

// What the kernel's hard limit leaves beside memory and /tmp: kernel memory (stacks, page tables,
// sockets) and page cache that is just being given back.
inline constexpr std::uint64_t kHardLimitSlack = 32ull << 20;
// AWS gives one full CPU at this much memory.
inline constexpr std::uint64_t kMemoryOfOneCpu = 1769ull << 20;
// /dev/shm.
inline constexpr std::uint64_t kSharedMemoryBytes = 64ull << 20;
// /tmp has an inode for so many of its bytes: inodes are kernel memory that its size does not
// limit.
inline constexpr std::uint64_t kBytesPerInode = 4096;
// Under memory pressure on the machine functions are ended before the server (0) is: their
// oom_score_adj, which they cannot lower.
inline constexpr int kOomScore = 500;

}  // namespace lambda::sandbox
