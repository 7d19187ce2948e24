// Steps: open (find hierarchies, make the parent, set the budget) -> make (a directory in each) ->
// limits -> remove.
#include "sandbox/native/cgroups.h"

#include "sandbox/limits.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/cgroup_layout.h"

#include <algorithm>
#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

// The weight of a whole CPU is 1024 (v1), 100 (v2).
std::uint64_t scaled(std::uint64_t weight, std::uint64_t memory, std::uint64_t least,
                     std::uint64_t most) {
  return std::clamp(weight * (memory >> 20) / (kMemoryOfOneCpu >> 20), least, most);
}

std::uint64_t machine_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t largest_pid() {
  const auto text = read_file_at(AT_FDCWD, "/proc/sys/kernel/pid_max");
  return text ? parse_number(*text).value_or(32768) : 32768;
}

// Swap would only make a function that is too large slow instead of dead. Not every kernel counts
// it.
void forbid_swap(const Hierarchy& hierarchy, const std::string& directory, std::uint64_t limit) {
  if (hierarchy.v2) {
    [[maybe_unused]] const auto done =
        write_file_at(hierarchy.parent.get(), directory + "/memory.swap.max", "0");
  } else {
    [[maybe_unused]] const auto done = write_file_at(
        hierarchy.parent.get(), directory + "/memory.memsw.limit_in_bytes", std::to_string(limit));
  }
}

Result<Done> limit_memory(const Hierarchy& hierarchy, const std::string& directory,
                          std::uint64_t limit) {
  const char* file = hierarchy.v2 ? "/memory.max" : "/memory.limit_in_bytes";
  auto done = write_file_at(hierarchy.parent.get(), directory + file, std::to_string(limit));
  // v1 refuses a limit above the one for memory and swap together, which an earlier server set.
  if (!done) {
    forbid_swap(hierarchy, directory, limit);
    done = write_file_at(hierarchy.parent.get(), directory + file, std::to_string(limit));
  }
  if (done) forbid_swap(hierarchy, directory, limit);
  return done;
}

std::uint64_t memory_of_weight(const CgroupLimits& limits) {
  if (limits.cpu == CpuWeight::by_memory) return limits.memory_bytes;
  return limits.cpu == CpuWeight::least ? 0 : kMemoryOfOneCpu;
}

Result<Done> set_cpu(const Hierarchy& hierarchy, const std::string& directory,
                     const CgroupLimits& limits) {
  if (!hierarchy.cpu) return Done{};
  const int parent = hierarchy.parent.get();
  const auto memory = memory_of_weight(limits);
  if (hierarchy.v2) {
    return write_file_at(parent, directory + "/cpu.weight",
                         std::to_string(scaled(100, memory, 1, 10'000)));
  }
  return write_file_at(parent, directory + "/cpu.shares",
                       std::to_string(scaled(1024, memory, 2, 262'144)));
}

Result<Done> set_limits(const Hierarchy& hierarchy, const std::string& directory,
                        const CgroupLimits& limits) {
  const int parent = hierarchy.parent.get();
  if (hierarchy.memory) {
    auto done = limit_memory(hierarchy, directory,
                             limits.memory_bytes + limits.tmp_bytes + kHardLimitSlack);
    if (!done) return done;
  }
  if (hierarchy.pids) {
    auto done = write_file_at(parent, directory + "/pids.max", std::to_string(limits.processes));
    if (!done) return done;
  }
  return set_cpu(hierarchy, directory, limits);
}

std::vector<std::string> directories_in(int directory) {
  std::vector<std::string> names;
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), ::closedir);
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name(entry->d_name);
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

void kill_processes_of(const Hierarchy& hierarchy, const std::string& directory) {
  const int parent = hierarchy.parent.get();
  if (hierarchy.v2 && write_file_at(parent, directory + "/cgroup.kill", "1")) return;
  const auto text = read_file_at(parent, directory + "/cgroup.procs");
  if (!text) return;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto pid = static_cast<pid_t>(parse_number(rest).value_or(0));
    if (pid > 1) ::kill(pid, SIGKILL);
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
}

void pause_for(long milliseconds) {
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  ::nanosleep(&time, nullptr);
}

Result<Done> make_parent(Hierarchy& hierarchy, const std::string& name,
                         const CgroupBudget& budget) {
  if (::mkdirat(hierarchy.base.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(Error::from_errno("make the cgroup " + hierarchy.base_path + "/" + name));
  hierarchy.path = hierarchy.base_path + "/" + name;
  hierarchy.parent =
      UniqueFd(::openat(hierarchy.base.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!hierarchy.parent) return fail(Error::from_errno("open the cgroup " + hierarchy.path));
  const int parent = hierarchy.parent.get();
  if (hierarchy.v2 && hierarchy.memory) {
    auto done = write_file_at(parent, "cgroup.subtree_control",
                              hierarchy.cpu ? "+memory +pids +cpu" : "+memory +pids");
    if (!done) return done;
  }
  if (hierarchy.memory) {
    const auto bytes = budget.memory_bytes != 0 ? budget.memory_bytes : machine_memory() / 10 * 9;
    auto done = limit_memory(hierarchy, ".", bytes);
    if (!done) return done;
  }
  if (hierarchy.pids) {
    const auto count = budget.processes != 0 ? budget.processes : largest_pid() / 10 * 8;
    return write_file_at(parent, "pids.max", std::to_string(count));
  }
  return Done{};
}

}  // namespace

std::uint64_t Cgroup::charged() const {
  const auto text = read_again(usage_.get());
  return text ? parse_number(*text).value_or(0) : 0;
}

std::uint64_t Cgroup::held() const {
  const auto* memory = all_->with_memory();
  const auto text = read_file_at(memory->parent.get(), name_ + "/memory.stat");
  if (!text) return 0;
  return value_of(*text, memory->v2 ? "anon" : "rss").value_or(0) +
         value_of(*text, "shmem").value_or(0);
}

bool Cgroup::kernel_killed_for_memory() const {
  const auto* memory = all_->with_memory();
  const auto text = read_file_at(memory->parent.get(),
                                 name_ + (memory->v2 ? "/memory.events" : "/memory.oom_control"));
  return text && value_of(*text, "oom_kill").value_or(0) > 0;
}

void Cgroup::mark(const std::string& id) const {
  for (const auto& hierarchy : all_->hierarchies_) {
    const UniqueFd directory(
        ::openat(hierarchy.parent.get(), name_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) ::fsetxattr(directory.get(), "trusted.lambda.sandbox", id.data(), id.size(), 0);
  }
}

Result<Done> Cgroup::set_limits(const CgroupLimits& limits) const {
  for (const auto& hierarchy : all_->hierarchies_) {
    auto done = native::set_limits(hierarchy, name_, limits);
    if (!done) return done;
  }
  return Done{};
}

Result<Done> Cgroup::set_cpu(const CgroupLimits& limits) const {
  for (const auto& hierarchy : all_->hierarchies_) {
    auto done = native::set_cpu(hierarchy, name_, limits);
    if (!done) return done;
  }
  return Done{};
}

Result<Done> Cgroup::set_cpu_quota(std::optional<unsigned> thousandths) const {
  constexpr unsigned period = 100'000;  // microseconds; the kernel's own
  const auto quota = [&] { return std::to_string(std::uint64_t{*thousandths} * (period / 1000)); };
  for (const auto& hierarchy : all_->hierarchies_) {
    if (!hierarchy.cpu) continue;
    auto done = hierarchy.v2
                    ? write_file_at(hierarchy.parent.get(), name_ + "/cpu.max",
                                    fmt::format("{} {}", thousandths ? quota() : "max", period))
                    : write_file_at(hierarchy.parent.get(), name_ + "/cpu.cfs_quota_us",
                                    thousandths ? quota() : "-1");
    if (!done) return fail(std::move(done.error()).as(ErrorCode::unsupported));
    return done;
  }
  return fail(ErrorCode::unsupported, "this machine has no cgroup controller for CPU time");
}

Result<Done> Cgroup::set_frozen(bool frozen) const {
  const auto* freezer = all_->with_freezer();
  if (freezer == nullptr) return fail(ErrorCode::unavailable, "this machine has no freezer cgroup");
  const int parent = freezer->parent.get();
  const std::string file = name_ + (freezer->v2 ? "/cgroup.freeze" : "/freezer.state");
  const std::string wanted = freezer->v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
  return write_file_at(parent, file, wanted);
}

bool Cgroup::stands_still() const {
  const auto* freezer = all_->with_freezer();
  if (freezer == nullptr) return false;
  const auto state = read_file_at(freezer->parent.get(),
                                  name_ + (freezer->v2 ? "/cgroup.events" : "/freezer.state"));
  if (!state) return false;
  return freezer->v2 ? value_of(*state, "frozen") == 1 : state->starts_with("FROZEN");
}

bool Cgroup::remove() {
  bool gone = true;
  for (const auto& hierarchy : all_->hierarchies_) {
    if (::unlinkat(hierarchy.parent.get(), name_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
      gone = false;
  }
  return gone;
}

Result<Cgroups> Cgroups::open(const std::string& name, const CgroupBudget& budget) {
  auto found = find_hierarchies();
  if (!found) return fail(std::move(found.error()));
  Cgroups cgroups;
  cgroups.hierarchies_ = std::move(*found);
  for (auto& hierarchy : cgroups.hierarchies_) {
    auto made = make_parent(hierarchy, name, budget);
    if (!made) return fail(std::move(made.error()).as(ErrorCode::unavailable));
  }
  return cgroups;
}

Result<Cgroup> Cgroups::make(const std::string& name) const {
  Cgroup made;
  made.all_ = this;
  made.name_ = name;
  for (const auto& hierarchy : hierarchies_) {
    const int parent = hierarchy.parent.get();
    const std::string path = hierarchy.path + "/" + name;
    Result<Done> done = Done{};
    if (::mkdirat(parent, name.c_str(), 0755) != 0)
      done = fail(Error::from_errno("make the cgroup " + path));
    if (done && hierarchy.v2) {
      made.directory_ =
          UniqueFd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!made.directory_) done = fail(Error::from_errno("open the cgroup " + path));
    } else if (done) {
      made.entries_.emplace_back(::openat(parent, (name + "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
      if (!made.entries_.back()) done = fail(Error::from_errno("open the cgroup " + path));
    }
    if (done && hierarchy.memory) {
      const char* file = hierarchy.v2 ? "/memory.current" : "/memory.usage_in_bytes";
      made.usage_ = UniqueFd(::openat(parent, (name + file).c_str(), O_RDONLY | O_CLOEXEC));
      made.memory_path_ = path;
    }
    if (!done) {
      [[maybe_unused]] const bool gone = made.remove();
      return fail(std::move(done.error()));
    }
  }
  return made;
}

void Cgroups::reap() const {
  std::vector<std::string> left;
  for (const auto& hierarchy : hierarchies_) {
    for (auto& name : directories_in(hierarchy.parent.get())) left.push_back(std::move(name));
  }
  std::sort(left.begin(), left.end());
  left.erase(std::unique(left.begin(), left.end()), left.end());
  for (const auto& name : left) {
    Cgroup old;
    old.all_ = this;
    old.name_ = name;
    // A frozen process of v1 dies only when it is thawed.
    for (int attempt = 0; attempt < 200 && !old.remove(); ++attempt) {
      for (const auto& hierarchy : hierarchies_) kill_processes_of(hierarchy, name);
      [[maybe_unused]] const auto thawed = old.set_frozen(false);
      pause_for(5);
    }
  }
}

void Cgroups::remove_parent() {
  for (auto& hierarchy : hierarchies_) {
    const auto name = hierarchy.path.substr(hierarchy.base_path.size() + 1);
    ::unlinkat(hierarchy.base.get(), name.c_str(), AT_REMOVEDIR);
  }
}

std::string Cgroups::description() const {
  const auto* memory = with_memory();
  const auto* freezer = with_freezer();
  if (memory->v2) return "cgroup v2 at " + memory->path;
  return fmt::format("cgroup v1 at {}, frozen through {}", memory->path,
                     freezer == nullptr ? "nothing (no freezer)"
                     : freezer->v2      ? "v2"
                                        : "v1");
}

const Hierarchy* Cgroups::with_memory() const {
  for (const auto& hierarchy : hierarchies_) {
    if (hierarchy.memory) return &hierarchy;
  }
  return nullptr;
}

const Hierarchy* Cgroups::with_freezer() const {
  for (const auto& hierarchy : hierarchies_) {
    if (hierarchy.freezer) return &hierarchy;
  }
  return nullptr;
}

}  // namespace lambda::sandbox::native
