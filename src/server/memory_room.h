// How much memory is left: on this machine, in every cgroup with a limit that this process is in,
// and in that of the functions. Blocking; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lambda::server {

struct MemoryRoom {
  std::string of;  // "the machine", "/sys/fs/cgroup/system.slice": for messages
  std::uint64_t bytes = 0;
  std::uint64_t available = 0;  // what can be had without swapping
};

// `functions`: their cgroup, or empty. `root`: where proc and sys are. What cannot be read is left
// out.
[[nodiscard]] std::vector<MemoryRoom> memory_rooms(const std::filesystem::path& functions,
                                                   const std::filesystem::path& root = "/");

// What lacks to so many percent of a room, of that where most does; nothing where there is enough
// in each.
struct MemoryShortage {
  MemoryRoom room;
  std::uint64_t bytes = 0;
};
[[nodiscard]] std::optional<MemoryShortage> shortage_in(const std::vector<MemoryRoom>& rooms,
                                                        unsigned percent);

}  // namespace lambda::server
