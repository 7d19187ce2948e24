// What of the machine decides whether functions can run: read from /proc, /sys and a few system
// calls. Blocking; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lambda {

struct DiskFacts {
  std::string path;
  std::uint64_t free_bytes = 0;  // for others than root
  std::uint64_t all_bytes = 0;
  std::uint64_t free_inodes = 0;
  std::uint64_t all_inodes = 0;  // 0: the file system does not count them
  std::string problem;           // why nothing can be written, "" where it can
};

struct MachineFacts {
  std::string kernel;                            // "6.1.0-18-amd64"
  bool seccomp = false;                          // filters, not only the strict mode
  std::optional<std::uint64_t> user_namespaces;  // the most there may be
  bool cgroup_v2 = false;                        // and nothing else: the unified layout
  std::vector<std::string> controllers;          // of either layout
  std::uint64_t pid_max = 0;
  std::uint64_t open_files = 0;       // of this process
  std::uint64_t most_open_files = 0;  // that it may raise that to
  std::optional<bool> clock_kept;     // synchronised; nothing where the kernel does not say
  std::int64_t clock_error_us = 0;    // at most
  DiskFacts data;
};

// `root` is "/", but in tests.
[[nodiscard]] MachineFacts look_at_machine(const std::filesystem::path& data_directory,
                                           const std::filesystem::path& root = "/");
// The same as somebody sees it who may not write there: what is of the disk's room, and whether the
// kernel made it read-only.
[[nodiscard]] MachineFacts look_at_machine_of_others(const std::filesystem::path& data_directory);

}  // namespace lambda
