#include "sandbox/native/cgroups.h"

#include <algorithm>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <set>
#include <signal.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::sandbox::spawn {
namespace {

// AWS gives one CPU at 1,769 MB; cpu.shares calls one CPU 1024, cpu.weight calls it 100.
constexpr std::uint64_t kBytesPerCpu = 1769ull << 20;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<Done> write_text(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail(Error::from_errno("open " + path));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail(Error::from_errno(fmt::format("write {} to {}", text, path)));
  }
  return Done{};
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<Done> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(Error::from_errno("make " + path));
  return Done{};
}

bool has_word(const std::string& text, std::string_view word) {
  std::istringstream words(text);
  std::string next;
  while (words >> next) {
    if (next == word) return true;
  }
  return false;
}

// Where each v1 controller and cgroup2 ("") are mounted, and the group this process is in there.
struct Hierarchies {
  std::map<std::string, std::string> mounts;
  std::map<std::string, std::string> own;

  [[nodiscard]] std::string base(const std::string& controller) const {
    const auto mount = mounts.find(controller);
    const auto group = own.find(controller);
    if (mount == mounts.end() || group == own.end()) return {};
    return mount->second + (group->second == "/" ? "" : group->second);
  }
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  std::string part;
  while (std::getline(stream, part, at)) parts.push_back(part);
  return parts;
}

Hierarchies find_hierarchies() {
  Hierarchies found;
  std::istringstream mounts(read_text("/proc/self/mountinfo"));
  std::string line;
  while (std::getline(mounts, line)) {
    // "36 35 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto fields = split(line.substr(0, dash), ' ');
    const auto rest = split(line.substr(dash + 3), ' ');
    if (fields.size() < 5 || rest.size() < 3) continue;
    if (rest[0] == "cgroup2") found.mounts.try_emplace("", fields[4]);
    if (rest[0] == "cgroup") {
      for (const auto& option : split(rest[2], ',')) found.mounts.try_emplace(option, fields[4]);
    }
  }
  std::istringstream groups(read_text("/proc/self/cgroup"));
  while (std::getline(groups, line)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty()) found.own[""] = line.substr(second + 1);
    for (const auto& controller : split(controllers, ','))
      found.own[controller] = line.substr(second + 1);
  }
  return found;
}

// A group that is there under its own path, or the mount's root where that path belongs to another
// cgroup namespace.
std::string usable_base(const Hierarchies& found, const std::string& controller) {
  const auto base = found.base(controller);
  if (!base.empty() && exists(base)) return base;
  const auto mount = found.mounts.find(controller);
  return mount == found.mounts.end() ? std::string() : mount->second;
}

std::vector<int> processes_in(const std::string& group) {
  std::vector<int> pids;
  std::istringstream text(read_text(group + "/cgroup.procs"));
  int pid = 0;
  while (text >> pid) pids.push_back(pid);
  return pids;
}

// What a killed server left: sandboxes' groups with, perhaps, processes in them.
void clear_group(const std::string& group) {
  DIR* directory = ::opendir(group.c_str());
  if (directory == nullptr) return;
  std::vector<std::string> children;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..")
      children.push_back(group + "/" + name);
  }
  ::closedir(directory);
  for (const auto& child : children) {
    for (int round = 0; round < 200; ++round) {
      for (const int pid : processes_in(child)) ::kill(pid, SIGKILL);
      if (::rmdir(child.c_str()) == 0 || errno == ENOENT) break;
      ::usleep(5000);
    }
  }
}

std::uint64_t read_number(int fd) {
  char text[64];
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  std::uint64_t value = 0;
  if (count > 0) std::from_chars(text, text + count, value);
  return value;
}

}  // namespace

std::vector<std::string> CgroupTree::bases() const {
  std::vector<std::string> all{memory_};
  for (const auto& base : {cpu_, pids_, freezer_}) {
    if (!base.empty() && std::ranges::find(all, base) == all.end()) all.push_back(base);
  }
  return all;
}

// Controllers can be handed on only by a group without processes of its own: those move into a leaf
// first.
Result<Done> CgroupTree::prepare_v2(const std::string& own) {
  const std::string control = own + "/cgroup.subtree_control";
  constexpr std::string_view wanted = "+memory +pids +cpu";
  if (!write_text(control, wanted)) {
    const std::string leaf = own + "/lambdad";
    auto made = make_directory(leaf);
    if (!made) return made;
    for (const int pid : processes_in(own)) {
      auto moved = write_text(leaf + "/cgroup.procs", std::to_string(pid));
      if (!moved && moved.error().message().find("No such process") == std::string::npos)
        return moved;
    }
    auto enabled = write_text(control, wanted);
    if (!enabled) {
      return fail(std::move(enabled.error()),
                  "hand the memory, pids and cpu controllers on (under systemd the service needs "
                  "Delegate=yes)");
    }
  }
  return Done{};
}

Result<CgroupTree> CgroupTree::open(std::string server_id) {
  const auto found = find_hierarchies();
  CgroupTree tree;
  const std::string name = "/lambda-" + server_id;
  const auto unified = usable_base(found, "");
  if (!unified.empty() && has_word(read_text(unified + "/cgroup.controllers"), "memory")) {
    tree.pure_v2_ = true;
    tree.v2_freezer_ = true;
    auto prepared = tree.prepare_v2(unified);
    if (!prepared) return fail(std::move(prepared.error()));
    tree.memory_ = tree.cpu_ = tree.pids_ = tree.freezer_ = unified + name;
  } else {
    for (const auto& [controller, place] : std::map<std::string, std::string*>{
             {"memory", &tree.memory_}, {"cpu", &tree.cpu_}, {"pids", &tree.pids_}}) {
      const auto base = usable_base(found, controller);
      if (base.empty()) {
        return fail(ErrorCode::unavailable,
                    "this machine has no {} controller in /sys/fs/cgroup: limits cannot be set",
                    controller);
      }
      *place = base + name;
    }
    tree.v2_freezer_ = !unified.empty();
    const auto freezer = tree.v2_freezer_ ? unified : usable_base(found, "freezer");
    if (!freezer.empty()) tree.freezer_ = freezer + name;
  }
  for (const auto& base : tree.bases()) {
    auto made = make_directory(base);
    if (!made) return fail(std::move(made.error()), "make the server's control group");
    clear_group(base);
  }
  if (tree.pure_v2_) {
    auto enabled = write_text(tree.memory_ + "/cgroup.subtree_control", "+memory +pids +cpu");
    if (!enabled) return fail(std::move(enabled.error()));
  }
  return tree;
}

std::string CgroupTree::description() const {
  return pure_v2_ ? "cgroup v2 at " + memory_ : "cgroup v1 controllers at " + memory_;
}

void CgroupTree::remove() {
  for (const auto& base : bases()) {
    clear_group(base);
    ::rmdir(base.c_str());
  }
}

Result<Cgroup> CgroupTree::make(std::string_view id, const Limits& limits) const {
  Cgroup group;
  group.tree_ = this;
  group.name_ = fmt::format("/{}", id);
  for (const auto& base : bases()) {
    auto made = make_directory(base + group.name_);
    if (!made) return fail(std::move(made.error()));
  }
  const auto set = [&group](const std::string& base, const char* file, std::string text) {
    return write_text(base + group.name_ + "/" + file, text);
  };
  const auto memory = std::to_string(limits.memory_bytes);
  const auto shares =
      std::clamp<std::uint64_t>(limits.share_bytes * 1024 / kBytesPerCpu, 2, 262'144);
  const auto weight = std::clamp<std::uint64_t>(limits.share_bytes * 100 / kBytesPerCpu, 1, 10'000);
  Result<Done> done = Done{};
  if (pure_v2_) {
    done = set(memory_, "memory.max", memory);
    if (done && exists(memory_ + group.name_ + "/memory.swap.max"))
      done = set(memory_, "memory.swap.max", "0");
    if (done) done = set(cpu_, "cpu.weight", std::to_string(weight));
  } else {
    done = set(memory_, "memory.limit_in_bytes", memory);
    if (done && exists(memory_ + group.name_ + "/memory.memsw.limit_in_bytes")) {
      done = set(memory_, "memory.memsw.limit_in_bytes", memory);
    }
    if (done) done = set(cpu_, "cpu.shares", std::to_string(shares));
  }
  if (done) done = set(pids_, "pids.max", std::to_string(limits.processes));
  if (!done) {
    group.remove();
    return fail(std::move(done.error()), "set the limits of sandbox {}", id);
  }
  const std::string directory = memory_ + group.name_;
  group.usage_.reset(
      ::open((directory + (pure_v2_ ? "/memory.current" : "/memory.usage_in_bytes")).c_str(),
             O_RDONLY | O_CLOEXEC));
  group.stat_.reset(::open((directory + "/memory.stat").c_str(), O_RDONLY | O_CLOEXEC));
  return group;
}

Result<Done> Cgroup::attach(int pid) const {
  for (const auto& base : tree_->bases()) {
    auto attached = write_text(base + name_ + "/cgroup.procs", std::to_string(pid));
    if (!attached) return attached;
  }
  return Done{};
}

bool Cgroup::remove() {
  bool gone = true;
  for (const auto& base : tree_->bases()) {
    if (::rmdir((base + name_).c_str()) != 0 && errno != ENOENT) gone = false;
  }
  return gone;
}

Result<Done> Cgroup::set_frozen(bool frozen) const {
  if (tree_->freezer_.empty())
    return fail(ErrorCode::unavailable, "this machine has no freezer in /sys/fs/cgroup");
  const std::string directory = tree_->freezer_ + name_;
  if (tree_->v2_freezer_) return write_text(directory + "/cgroup.freeze", frozen ? "1" : "0");
  return write_text(directory + "/freezer.state", frozen ? "FROZEN" : "THAWED");
}

std::uint64_t Cgroup::memory_in_use() const {
  return read_number(usage_.get());
}

std::uint64_t Cgroup::own_memory() const {
  char text[8192];
  const ssize_t count = ::pread(stat_.get(), text, sizeof text - 1, 0);
  if (count <= 0) return 0;
  std::istringstream lines(std::string(text, static_cast<std::size_t>(count)));
  const std::string_view wanted = tree_->pure_v2_ ? "anon" : "rss";
  std::string name;
  std::uint64_t value = 0;
  while (lines >> name >> value) {
    if (name == wanted) return value;
  }
  return 0;
}

UniqueFd Cgroup::open_peak() const {
  const std::string directory = tree_->memory_ + name_;
  const char* file = tree_->pure_v2_ ? "/memory.peak" : "/memory.max_usage_in_bytes";
  UniqueFd peak(::open((directory + file).c_str(), O_RDONLY | O_CLOEXEC));
  // memory.peak came with Linux 5.19.
  if (!peak) peak.reset(::open((directory + "/memory.current").c_str(), O_RDONLY | O_CLOEXEC));
  return peak;
}

UniqueFd Cgroup::open_oom_counter() const {
  const char* file = tree_->pure_v2_ ? "/memory.events" : "/memory.oom_control";
  return UniqueFd(::open((tree_->memory_ + name_ + file).c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace lambda::sandbox::spawn
