#include "base/machine_facts.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace lambda {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// "#subsys_name hierarchy num_cgroups enabled", a line each.
std::vector<std::string> enabled_controllers(const fs::path& file) {
  std::ifstream lines(file);
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    const auto words = words_of(line);
    if (words.size() == 4 && !words[0].starts_with('#') && words[3] == "1")
      names.push_back(words[0]);
  }
  return names;
}

// access() knows of permissions, but not of every disk that the kernel made read-only.
void try_to_write(const fs::path& path, DiskFacts& disk) {
  const auto probe = (path / fmt::format(".doctor-{}", ::getpid())).string();
  const int file = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0 && errno != EEXIST) disk.problem = std::strerror(errno);
  if (file >= 0) {
    if (::write(file, "x", 1) != 1) disk.problem = std::strerror(errno);
    ::close(file);
    ::unlink(probe.c_str());
  }
}

DiskFacts look_at_disk(const fs::path& path) {
  DiskFacts disk;
  disk.path = path.string();
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) {
    disk.problem = std::strerror(errno);
    return disk;
  }
  disk.free_bytes = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  disk.all_bytes = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
  disk.free_inodes = info.f_favail;
  disk.all_inodes = info.f_files;
  if ((info.f_flag & ST_RDONLY) != 0) disk.problem = std::strerror(EROFS);
  return disk;
}

void look_at_clock(MachineFacts& facts) {
  timex clock{};
  const int state = ::adjtimex(&clock);
  if (state < 0) return;
  facts.clock_kept = state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
  facts.clock_error_us = clock.maxerror;
}

MachineFacts look_at_system(const fs::path& root) {
  MachineFacts facts;
  utsname name{};
  if (::uname(&name) == 0) facts.kernel = name.release;
  const auto actions = words_of(first_line(root / "proc/sys/kernel/seccomp/actions_avail"));
  facts.seccomp = std::ranges::find(actions, "errno") != actions.end();
  facts.user_namespaces = number_in(root / "proc/sys/user/max_user_namespaces");
  const auto unified = root / "sys/fs/cgroup/cgroup.controllers";
  std::error_code error;
  facts.cgroup_v2 = fs::exists(unified, error);
  facts.controllers =
      facts.cgroup_v2 ? words_of(first_line(unified)) : enabled_controllers(root / "proc/cgroups");
  facts.pid_max = number_in(root / "proc/sys/kernel/pid_max").value_or(0);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    facts.open_files = files.rlim_cur;
    facts.most_open_files = files.rlim_max;
  }
  look_at_clock(facts);
  return facts;
}

}  // namespace

MachineFacts look_at_machine(const fs::path& data_directory, const fs::path& root) {
  auto facts = look_at_system(root);
  facts.data = look_at_disk(data_directory);
  if (facts.data.problem.empty()) try_to_write(data_directory, facts.data);
  return facts;
}

MachineFacts look_at_machine_of_others(const fs::path& data_directory) {
  auto facts = look_at_system("/");
  facts.data = look_at_disk(data_directory);
  return facts;
}

}  // namespace lambda
