// lambda-spawn: lambdad's small privileged hand. Root, one thread, started before lambdad drops its
// privileges. Steps: move into a mount namespace that holds little else than what sandboxes are
// made of -> make the filter and the control groups -> answer typed requests, and notice the ends
// of sandboxes -> when lambdad goes, end and remove everything.
#include "sandbox/native/cgroups.h"
#include "sandbox/native/sandbox_process.h"
#include "sandbox/native/seqpacket.h"
#include "sandbox/native/spawn_protocol.h"
#include "sandbox/native/spawn_wire.h"
#include "sandbox/native/syscall_filter.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <map>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace lambda::sandbox::spawn {
namespace {

// How often memory is looked at while sandboxes run: what one may overshoot its own limit by, up to
// the kernel's limit.
constexpr int kTickMs = 20;

struct Options {
  int socket = -1;
  std::string data;
  std::string runtimes;
  std::string init;
  std::string server_id;
};

struct Entry {
  SandboxProcess process;
  Cgroup group;
  std::uint64_t memory_bytes = 0;
  uid_t uid = 0;
  bool ended = false;                  // reaped; its groups may still be there
  bool told = false;                   // over_memory was said
  std::vector<std::uint32_t> waiting;  // destroy requests to answer
};

bool is_name(const std::string& text, std::size_t longest) {
  return !text.empty() && text.size() <= longest && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

bool is_digest(const std::string& text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// A read-only copy of a directory below `base`; no symbolic link anywhere on the way, so that
// lambdad cannot lead elsewhere.
Result<UniqueFd> open_below(int base, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd directory(
      static_cast<int>(::syscall(SYS_openat2, base, path.c_str(), &how, sizeof how)));
  if (!directory) return fail(Error::from_errno("open " + path));
  return directory;
}

class Spawner {
 public:
  Spawner(Options options, CgroupTree tree, std::vector<sock_filter> filter, UniqueFd data,
          UniqueFd runtimes, UniqueFd init)
      : options_(std::move(options)),
        tree_(std::move(tree)),
        filter_(std::move(filter)),
        data_(std::move(data)),
        runtimes_(std::move(runtimes)),
        init_(std::move(init)) {}

  void run();

 private:
  void handle(const std::string& bytes);
  Result<std::vector<UniqueFd>> create(Decoder& request);
  void destroy(std::uint32_t number, const std::string& id);
  void answer(std::uint32_t number, const Result<Done>& result,
              const std::vector<int>& descriptors = {}, std::string_view text = {});
  void reap(const std::string& id, Entry& entry);
  void clean_up();
  void watch_memory();
  uid_t next_uid();

  Options options_;
  CgroupTree tree_;
  std::vector<sock_filter> filter_;
  UniqueFd data_;
  UniqueFd runtimes_;
  UniqueFd init_;
  std::map<std::string, Entry> sandboxes_;
  std::uint32_t last_uid_ = 0;
};

uid_t Spawner::next_uid() {
  while (true) {
    const uid_t uid = kFirstUid + last_uid_++ % kUids;
    const bool used =
        std::ranges::any_of(sandboxes_, [uid](const auto& item) { return item.second.uid == uid; });
    if (!used) return uid;
  }
}

Result<std::vector<UniqueFd>> Spawner::create(Decoder& request) {
  const auto id = request.text();
  const auto runtime = request.text();
  const auto image = request.text();
  const auto code = request.text();
  const std::uint64_t memory = std::uint64_t{request.number()} << 20;
  const std::uint64_t tmp = std::uint64_t{request.number()} << 20;
  const auto processes = request.number();
  const bool one_root = runtime.empty() != image.empty();
  if (!request.ok() || !is_name(id, 40) || !one_root ||
      (!runtime.empty() && !is_name(runtime, 64)) || (!image.empty() && !is_digest(image)) ||
      (!code.empty() && !is_digest(code)) || memory == 0 || tmp == 0 || processes == 0) {
    return fail(ErrorCode::invalid, "lambda-spawn refuses a request that is not well formed");
  }
  if (sandboxes_.contains(id))
    return fail(ErrorCode::conflict, "there is a sandbox {} already", id);
  auto root = runtime.empty() ? open_below(data_.get(), "images/" + image + "/rootfs")
                              : open_below(runtimes_.get(), runtime + "/rootfs");
  if (!root) return fail(std::move(root.error()), "open the root of sandbox {}", id);
  UniqueFd task;
  if (!code.empty()) {
    auto opened = open_below(data_.get(), "code/" + code);
    if (!opened) return fail(std::move(opened.error()), "open the code of sandbox {}", id);
    task = std::move(*opened);
  }
  Entry entry;
  entry.uid = next_uid();
  entry.memory_bytes = memory;
  // /tmp and /dev/shm are charged to the group of whoever writes there, so the kernel's limit has
  // room for both; the processes' own memory is held to `memory` by watch_memory().
  auto group = tree_.make(id, Limits{memory + tmp, memory, processes + 1});
  if (!group) return fail(std::move(group.error()));
  entry.group = std::move(*group);
  ProcessPlan plan;
  plan.root = root->get();
  plan.code = task.get();
  plan.init = init_.get();
  plan.tmp_bytes = tmp;
  plan.outside_uid = entry.uid;
  plan.filter = &filter_;
  auto process = make_process(plan, [&entry](pid_t pid) { return entry.group.attach(pid); });
  if (!process) {
    entry.group.remove();
    return fail(std::move(process.error()), "make sandbox {}", id);
  }
  entry.process = std::move(*process);
  std::vector<UniqueFd> descriptors;
  descriptors.push_back(std::move(entry.process.control));
  descriptors.push_back(entry.group.open_peak());
  descriptors.push_back(entry.group.open_oom_counter());
  if (!descriptors[1] || !descriptors[2]) {
    ::kill(entry.process.pid, SIGKILL);
    sandboxes_.emplace(id, std::move(entry));
    return fail(ErrorCode::sandbox_failed, "open the memory files of sandbox {}", id);
  }
  sandboxes_.emplace(id, std::move(entry));
  return descriptors;
}

void Spawner::destroy(std::uint32_t number, const std::string& id) {
  const auto found = sandboxes_.find(id);
  if (found == sandboxes_.end()) {
    answer(number, Done{});
    return;
  }
  auto& entry = found->second;
  entry.waiting.push_back(number);
  if (!entry.ended) {
    // A frozen process takes the signal, and dies of it when it is thawed.
    ::kill(entry.process.pid, SIGKILL);
    static_cast<void>(entry.group.set_frozen(false));
  }
}

void Spawner::answer(std::uint32_t number, const Result<Done>& result,
                     const std::vector<int>& descriptors, std::string_view text) {
  Encoder message;
  message.number(number);
  message.number(result ? 0u : 1u + static_cast<std::uint32_t>(result.error().code()));
  message.text(result ? text : std::string_view(result.error().message()));
  if (!send_message(options_.socket, message.bytes(), descriptors)) {
    std::fprintf(stderr, "lambda-spawn: cannot answer lambdad: %s\n", std::strerror(errno));
  }
}

void Spawner::handle(const std::string& bytes) {
  Decoder request(bytes);
  const auto number = request.number();
  const auto operation = static_cast<Operation>(request.number());
  switch (operation) {
    case Operation::create: {
      auto made = create(request);
      if (!made) {
        answer(number, fail(std::move(made.error())));
        return;
      }
      std::vector<int> descriptors;
      for (const auto& fd : *made) descriptors.push_back(fd.get());
      answer(number, Done{}, descriptors);
      return;
    }
    case Operation::destroy:
      destroy(number, request.text());
      return;
    case Operation::freeze:
    case Operation::thaw: {
      const auto found = sandboxes_.find(request.text());
      if (found == sandboxes_.end() || found->second.ended) {
        answer(number, fail(ErrorCode::not_found, "there is no such sandbox"));
      } else {
        answer(number, found->second.group.set_frozen(operation == Operation::freeze));
      }
      return;
    }
    case Operation::probe:
      answer(number, Done{}, {}, tree_.description());
      return;
  }
  answer(number, fail(ErrorCode::invalid, "lambda-spawn does not know this operation"));
}

// When pid 1 of a namespace has been reaped, the kernel has ended everything in it.
void Spawner::reap(const std::string&, Entry& entry) {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(entry.process.pidfd.get()), &info, WEXITED | WNOHANG) ==
          0 &&
      info.si_pid != 0) {
    entry.ended = true;
    entry.process.pidfd.reset();
  }
}

// Ended sandboxes: their groups, and then whoever waits for the end. One that nobody asked to
// destroy stays, without its groups, until somebody does.
void Spawner::clean_up() {
  for (auto at = sandboxes_.begin(); at != sandboxes_.end();) {
    auto& entry = at->second;
    if (!entry.ended || !entry.group.remove()) {
      ++at;
      continue;
    }
    for (const auto number : entry.waiting) answer(number, Done{});
    at = entry.waiting.empty() ? std::next(at) : sandboxes_.erase(at);
  }
}

void Spawner::watch_memory() {
  for (auto& [id, entry] : sandboxes_) {
    if (entry.ended || entry.told || entry.group.memory_in_use() <= entry.memory_bytes) continue;
    if (entry.group.own_memory() <= entry.memory_bytes) continue;
    entry.told = true;
    Encoder message;
    message.number(0);
    message.number(static_cast<std::uint32_t>(Event::over_memory));
    message.text(id);
    send_message(options_.socket, message.bytes());
    ::kill(entry.process.pid, SIGKILL);
  }
}

void Spawner::run() {
  std::vector<pollfd> waits;
  std::vector<std::string> ids;
  while (true) {
    waits.assign(1, pollfd{options_.socket, POLLIN, 0});
    ids.clear();
    for (const auto& [id, entry] : sandboxes_) {
      if (entry.ended) continue;
      waits.push_back(pollfd{entry.process.pidfd.get(), POLLIN, 0});
      ids.push_back(id);
    }
    const int ready = ::poll(waits.data(), waits.size(), sandboxes_.empty() ? -1 : kTickMs);
    if (ready < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (waits[i + 1].revents != 0) reap(ids[i], sandboxes_.at(ids[i]));
    }
    if (waits[0].revents != 0) {
      auto received = receive_message(options_.socket, kMaxMessage);
      for (const int fd : received.descriptors) ::close(fd);
      if (received.kind != Received::Kind::message) break;
      handle(received.bytes);
    }
    clean_up();
    watch_memory();
  }
  // lambdad is gone: nothing of its sandboxes stays.
  for (auto& [id, entry] : sandboxes_) {
    if (entry.ended) continue;
    ::kill(entry.process.pid, SIGKILL);
    static_cast<void>(entry.group.set_frozen(false));
    ::waitpid(entry.process.pid, nullptr, 0);
  }
  for (auto& [id, entry] : sandboxes_) entry.group.remove();
  tree_.remove();
}

// --- the start

[[noreturn]] void die(std::string_view message) {
  std::fprintf(stderr, "lambda-spawn: %.*s\n", static_cast<int>(message.size()), message.data());
  std::_Exit(1);
}

void need(bool ok, const char* what) {
  if (!ok) die(fmt::format("{}: {}", what, std::strerror(errno)));
}

Options parse(int argc, char** argv) {
  Options options;
  const std::map<std::string_view, std::string*> texts{{"--data-dir", &options.data},
                                                       {"--runtimes-dir", &options.runtimes},
                                                       {"--init", &options.init},
                                                       {"--server-id", &options.server_id}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--fd") options.socket = std::atoi(argv[i + 1]);
    const auto found = texts.find(argv[i]);
    if (found != texts.end()) *found->second = argv[i + 1];
  }
  if (options.socket < 0 || options.data.empty() || options.runtimes.empty() ||
      options.init.empty() || !is_name(options.server_id, 64)) {
    die("this program makes sandboxes for lambdad, which starts it; it is not for people");
  }
  return options;
}

// A root with three things in it: an empty /newroot, /proc, and the control groups. The host's file
// system is left behind: sandboxes clone this namespace, and a clone costs by the number of mounts.
void enter_small_root(const Options& options) {
  need(::unshare(CLONE_NEWNS) == 0, "make a mount namespace");
  need(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  need(::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755") == 0,
       "mount a small root");
  for (const char* directory :
       {"/tmp/newroot", "/tmp/proc", "/tmp/sys", "/tmp/sys/fs", "/tmp/sys/fs/cgroup"}) {
    need(::mkdir(directory, 0755) == 0, "fill the small root");
  }
  need(::mount("/sys/fs/cgroup", "/tmp/sys/fs/cgroup", nullptr, MS_BIND | MS_REC, nullptr) == 0,
       "bring the control groups");
  need(::mount("/proc", "/tmp/proc", nullptr, MS_BIND | MS_REC, nullptr) == 0, "bring /proc");
  need(::mount(options.data.c_str(), "/tmp/data", nullptr, MS_BIND, nullptr) == 0,
       "bring the data directory");
  need(::mount(options.runtimes.c_str(), "/tmp/runtimes", nullptr, MS_BIND, nullptr) == 0,
       "bring the base file systems");
  need(::chdir("/tmp") == 0, "enter the small root");
  need(::syscall(SYS_pivot_root, ".", ".") == 0, "pivot into the small root");
  need(::umount2(".", MNT_DETACH) == 0, "leave the host's file system");
  need(::chdir("/") == 0, "enter the small root");
}

UniqueFd open_directory(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) die(fmt::format("open {}: {}", path, std::strerror(errno)));
  return directory;
}

}  // namespace
}  // namespace lambda::sandbox::spawn

int main(int argc, char** argv) {
  using namespace lambda;
  using namespace lambda::sandbox::spawn;
  ::signal(SIGPIPE, SIG_IGN);
  // Signals from a terminal are lambdad's business: it ends us by closing the socket.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  auto options = parse(argc, argv);
  UniqueFd init(::open(options.init.c_str(), O_RDONLY | O_CLOEXEC));
  if (!init) die(fmt::format("open {}: {}", options.init, std::strerror(errno)));
  auto tree = CgroupTree::open(options.server_id);
  if (!tree) die(tree.error().message());
  auto filter = make_syscall_filter();
  if (!filter) die(filter.error().message());
  enter_small_root(options);
  auto data = open_directory("/data");
  auto runtimes = open_directory("/runtimes");
  Spawner spawner(std::move(options), std::move(*tree), std::move(*filter), std::move(data),
                  std::move(runtimes), std::move(init));
  spawner.run();
  return 0;
}
