// Steps: the machine's /proc/meminfo -> which cgroups this process is in -> each of them, and those
// above it -> the functions' own.
#include "server/memory_room.h"

#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/cgroup_mounts.h"

#include <algorithm>
#include <fcntl.h>
#include <string_view>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;
using sandbox::native::has_word;
using sandbox::native::parse_number;
using sandbox::native::read_file_at;
using sandbox::native::split;
using sandbox::native::value_of;

// What cannot be read has nothing to say here.
std::string text_of(const fs::path& file) {
  return read_file_at(AT_FDCWD, file.string()).value_or("");
}

// "MemTotal:        1000 kB" of /proc/meminfo, in bytes.
std::optional<std::uint64_t> kilobytes_of(std::string_view text, std::string_view name) {
  for (const auto line : split(text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() < 2 || words[0] != name) continue;
    const auto number = parse_number(words[1]);
    if (number) return *number << 10;
  }
  return std::nullopt;
}

std::optional<MemoryRoom> room_of_machine(const fs::path& root) {
  const auto text = text_of(root / "proc/meminfo");
  const auto total = kilobytes_of(text, "MemTotal:");
  const auto available = kilobytes_of(text, "MemAvailable:");
  if (!total || !available) return std::nullopt;
  return MemoryRoom{"the machine", *total, *available};
}

// Of one that has no limit: nothing. Cached files that nobody used of late can be had at once.
std::optional<MemoryRoom> room_of_cgroup(const fs::path& directory, bool v2) {
  const auto limit =
      parse_number(text_of(directory / (v2 ? "memory.max" : "memory.limit_in_bytes")));
  const auto used =
      parse_number(text_of(directory / (v2 ? "memory.current" : "memory.usage_in_bytes")));
  if (!limit || !used) return std::nullopt;
  const auto cached =
      value_of(text_of(directory / "memory.stat"), v2 ? "inactive_file" : "total_inactive_file");
  const auto taken = *used - std::min(*used, cached.value_or(0));
  return MemoryRoom{directory.string(), *limit, *limit - std::min(*limit, taken)};
}

// "4:memory:/a" (v1), "0::/a" (v2).
std::string own_cgroup(std::string_view cgroups, bool v2) {
  for (const auto line : split(cgroups, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    if (v2 ? line.starts_with("0::") : has_word(controllers, "memory", ','))
      return std::string(line.substr(second + 1));
  }
  return "/";
}

// What of `path` lies below a mount of `top`.
std::string below_mount(std::string path, const std::string& top) {
  if (top == "/") return path;
  return path.starts_with(top) ? path.substr(top.size()) : "";
}

}  // namespace

std::vector<MemoryRoom> memory_rooms(const fs::path& functions, const fs::path& root) {
  std::vector<MemoryRoom> rooms;
  if (auto machine = room_of_machine(root)) rooms.push_back(std::move(*machine));
  const auto cgroups = text_of(root / "proc/self/cgroup");
  for (const auto& mount :
       sandbox::native::parse_cgroup_mounts(text_of(root / "proc/self/mountinfo"))) {
    if (!mount.v2 && !has_word(mount.options, "memory", ',')) continue;
    const auto top = root / fs::path(mount.path).relative_path();
    const auto own = below_mount(own_cgroup(cgroups, mount.v2), mount.root);
    const auto below = fs::path(own).relative_path();
    auto at = below.empty() ? top : top / below;
    while (true) {
      auto room = room_of_cgroup(at, mount.v2);
      // No limit, as v1 has it, is more than there is.
      if (room && (rooms.empty() || room->bytes < rooms.front().bytes))
        rooms.push_back(std::move(*room));
      if (at == top || at.string().size() <= top.string().size()) break;
      at = at.parent_path();
    }
  }
  const auto directory = root / functions.relative_path();
  auto room = room_of_cgroup(directory, fs::exists(directory / "memory.max"));
  if (!functions.empty() && room) rooms.push_back(std::move(*room));
  return rooms;
}

std::optional<MemoryShortage> shortage_in(const std::vector<MemoryRoom>& rooms, unsigned percent) {
  std::optional<MemoryShortage> most;
  for (const auto& room : rooms) {
    const auto wanted = room.bytes / 100 * percent;
    if (room.available >= wanted) continue;
    const auto lacks = wanted - room.available;
    if (!most || lacks > most->bytes) most = MemoryShortage{room, lacks};
  }
  return most;
}

}  // namespace lambda::server
