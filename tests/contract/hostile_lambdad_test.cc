// lambda-spawn is root and lambdad talks to strangers: here lambdad has been taken over, and sends
// whatever it likes over the socket. Needs root, and the python3.11 base file system.
#include "base/unique_fd.h"
#include "sandbox/native/spawn_protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <spawn.h>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::sandbox::native {
namespace {

namespace fs = std::filesystem;

template <std::size_t Size>
void set(char (&field)[Size], const std::string& text) {
  std::memset(field, 0, Size);
  std::memcpy(field, text.data(), std::min(text.size(), Size));
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// From now on this thread and what it starts can watch the socket to lambdad and nothing else, as
// if the kernel's limit of watched descriptors had been reached.
void watch_nothing_more() {
  constexpr auto argument = [](unsigned index) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
  };
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(1)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_CTL_ADD, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(2)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSpawnSocket, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{static_cast<unsigned short>(std::size(steps)), steps};
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

class HostileLambdad : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/lambda-hostile-XXXXXX";
    data_ = ::mkdtemp(pattern);
    fs::permissions(data_, fs::perms(0711));
    launch();
  }
  void TearDown() override {
    hang_up();
    fs::remove_all(data_);
  }

  void launch() {
    pid_ = execute(socket_);
    SpawnReply hello;
    ASSERT_TRUE(receive(hello));
    ASSERT_EQ(hello.failed, 0u) << hello.text;
    const std::string found =
        hello.text;  // "cgroup v1 at /sys/fs/cgroup/memory/lambda-..., frozen ..."
    const auto path = found.substr(found.find('/'));
    memory_ = path.substr(0, path.find(','));
  }

  // A lambda-spawn for the data directory; `socket` becomes our end.
  pid_t execute(UniqueFd& socket) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    socket.reset(ends[0]);
    const UniqueFd theirs(::fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
    ::close(ends[1]);
    const std::string programs = LAMBDA_PROGRAMS;
    const char* runtimes = std::getenv("LAMBDA_RUNTIMES_DIR");
    std::vector<std::string> words{programs + "/lambda-spawn",
                                   "--data",
                                   data_.string(),
                                   "--runtimes",
                                   runtimes != nullptr ? runtimes : "/var/lib/lambda-runtimes",
                                   "--init",
                                   programs + "/lambda-init"};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kSpawnSocket);
    char* const environment[] = {nullptr};
    pid_t pid = -1;
    EXPECT_EQ(::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    return pid;
  }

  // Closes the socket and waits: everything must end.
  void hang_up() {
    socket_.reset();
    if (pid_ <= 0) return;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << "lambda-spawn crashed: " << status;
    EXPECT_FALSE(fs::exists(memory_)) << memory_;
    pid_ = -1;
  }

  bool receive(SpawnReply& reply, int milliseconds = 15'000) {
    pollfd ready{socket_.get(), POLLIN, 0};
    if (::poll(&ready, 1, milliseconds) != 1) return false;
    return ::recv(socket_.get(), &reply, sizeof(reply), 0) == sizeof(reply);
  }

  void send(const void* bytes, std::size_t size, const std::vector<int>& descriptors = {}) {
    iovec part{const_cast<void*>(bytes), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    std::vector<char> ancillary(CMSG_SPACE(descriptors.size() * sizeof(int)));
    if (!descriptors.empty()) {
      message.msg_control = ancillary.data();
      message.msg_controllen = ancillary.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
    }
    ASSERT_EQ(::sendmsg(socket_.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(size));
  }

  SpawnReply ask(const SpawnRequest& request, const std::vector<int>& descriptors = {}) {
    send(&request, sizeof(request), descriptors);
    SpawnReply reply;
    EXPECT_TRUE(receive(reply)) << "no answer";
    EXPECT_EQ(reply.request, request.request);
    return reply;
  }

  SpawnRequest start_request(const std::string& id) {
    SpawnRequest request;
    request.operation = Operation::start;
    request.request = ++last_;
    set(request.id, id);
    set(request.root, "python3.11");
    request.memory_bytes = 128u << 20;
    request.tmp_bytes = 16u << 20;
    request.processes = 10;
    return request;
  }
  SpawnRequest request_of(Operation operation, const std::string& id) {
    SpawnRequest request;
    request.operation = operation;
    request.request = ++last_;
    set(request.id, id);
    return request;
  }
  // A start with a socket nobody reads at the other end; what was answered.
  SpawnReply start(const SpawnRequest& request) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    controls_.emplace_back(ends[0]);
    const UniqueFd theirs(ends[1]);
    return ask(request, {theirs.get()});
  }
  [[nodiscard]] bool alive() {
    auto reply = ask(request_of(Operation::stop, "nothing-of-that-name"));
    return reply.failed == 0;
  }
  [[nodiscard]] bool has_cgroup(const std::string& id) const {
    return std::any_of(
        fs::directory_iterator(memory_), fs::directory_iterator(),
        [&id](const fs::directory_entry& one) {
          char mark[64];
          const auto size =
              ::getxattr(one.path().c_str(), "trusted.lambda.sandbox", mark, sizeof(mark));
          return size > 0 && id == std::string_view(mark, static_cast<std::size_t>(size));
        });
  }
  // Once it holds what it makes ahead.
  [[nodiscard]] std::size_t open_descriptors() const {
    const auto count = [this] {
      const fs::directory_iterator all("/proc/" + std::to_string(pid_) + "/fd");
      return std::distance(begin(all), end(all));
    };
    auto found = count();
    for (auto before = found + 1; found != before; found = count()) {
      before = found;
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
    }
    return static_cast<std::size_t>(found);
  }

  fs::path data_;
  fs::path memory_;
  UniqueFd socket_;
  pid_t pid_ = -1;
  std::uint32_t last_ = 0;
  std::vector<UniqueFd> controls_;
};

TEST_F(HostileLambdad, WhatIsRightWorks) {
  EXPECT_EQ(start(start_request("good")).failed, 0u);
  EXPECT_TRUE(has_cgroup("good"));
  EXPECT_EQ(ask(request_of(Operation::stop, "good")).failed, 0u);
  EXPECT_FALSE(has_cgroup("good"));
}

TEST_F(HostileLambdad, TheWeightIsByMemoryAndOfAStemTheLeast) {
  const auto weight_of = [](const SpawnReply& reply) {
    std::string cgroup = reply.text;
    if (const auto at = cgroup.find("/memory/"); at != std::string::npos)
      cgroup.replace(at, 8, "/cpu/");
    const auto v2 = text_of(cgroup + "/cpu.weight");
    return std::atoi((v2.empty() ? text_of(cgroup + "/cpu.shares") : v2).c_str());
  };
  auto request = start_request("good");
  request.memory_bytes = 1769u << 20;
  const int whole = weight_of(start(request));
  EXPECT_TRUE(whole == 100 || whole == 1024) << whole;  // v2, v1
  request = start_request("half");
  request.memory_bytes = 884u << 20;
  EXPECT_NEAR(weight_of(start(request)), whole / 2.0, 1);
  request = start_request("stem");
  request.stem = 1;
  EXPECT_LE(weight_of(start(request)), 2);
  auto fill = start_request("stem");
  fill.operation = Operation::fill;
  fill.memory_bytes = 884u << 20;
  EXPECT_NEAR(weight_of(ask(fill)), whole / 2.0, 1);
}

TEST_F(HostileLambdad, NoPathLeadsOutOfTheTwoDirectories) {
  fs::create_directory(data_ / "inside");
  fs::create_symlink("/etc", data_ / "link");
  fs::create_symlink("/", data_ / "inside/root");
  for (const char* path :
       {"/etc", "..", "../etc", "inside/../..", "link", "inside/root", "inside/root/etc",
        "link/apt", "inside/.", "./inside", "inside//x", "proc/self/root"}) {
    auto request = start_request("out");
    set(request.task, path);
    EXPECT_EQ(start(request).failed, 1u) << "code: " << path;
    request = start_request("out");
    request.root_kind = RootKind::image;
    set(request.root, path);
    EXPECT_EQ(start(request).failed, 1u) << "image: " << path;
    request = start_request("out");
    set(request.root, path);
    EXPECT_EQ(start(request).failed, 1u) << "runtime: " << path;
  }
  EXPECT_TRUE(alive());
}

// Root mounts into a root file system that lambdad may have made: nothing there may be a link.
TEST_F(HostileLambdad, LinksInARootFileSystemAreNotFollowed) {
  const auto root = data_ / "image";
  const std::vector<std::string> needed{"proc", "dev", "tmp", "var/task", "etc"};
  for (const auto& name : {"proc", "dev", "tmp", "var/task"}) {
    for (const auto& target :
         {"/proc/sys/net/ipv4", "/proc", "/etc", "/proc/self/fd/4", "/proc/self/root", "/dev"}) {
      fs::remove_all(root);
      for (const auto& directory : needed) fs::create_directories(root / directory);
      fs::create_directories(data_ / "code");
      fs::remove(root / name);
      fs::create_symlink(target, root / name);
      auto request = start_request("links");
      request.root_kind = RootKind::image;
      set(request.root, "image");
      set(request.task, "code");
      const auto reply = start(request);
      EXPECT_EQ(reply.failed, 1u) << name << " -> " << target;
      EXPECT_NE(std::string(reply.text).find(name), std::string::npos) << reply.text;
    }
  }
}

// With `/var/task` -> /proc/sys/net/ipv4, root's write of ip_unprivileged_port_start would have
// gone where a link in the code says: to any setting of the machine.
TEST_F(HostileLambdad, NoSettingOfTheMachineCanBeWritten) {
  const auto root = data_ / "image";
  for (const char* directory : {"proc", "dev", "tmp", "var", "etc"})
    fs::create_directories(root / directory);
  fs::create_symlink("/proc/sys/net/ipv4", root / "var/task");
  fs::create_directories(data_ / "code");
  fs::create_symlink("/proc/sys/kernel/printk_delay", data_ / "code/ip_unprivileged_port_start");
  const fs::path setting = "/proc/sys/kernel/printk_delay";
  const std::string before = text_of(setting);
  std::ofstream(setting) << "7";
  ASSERT_EQ(text_of(setting), "7\n");
  auto request = start_request("settings");
  request.root_kind = RootKind::image;
  set(request.root, "image");
  set(request.task, "code");
  EXPECT_EQ(start(request).failed, 1u);
  EXPECT_EQ(text_of(setting), "7\n");
  std::ofstream(setting) << before;
}

TEST_F(HostileLambdad, OddRequestsAreRefusedOneByOne) {
  auto request = start_request("../../../escape");
  EXPECT_EQ(start(request).failed, 1u);
  request = start_request("x");
  std::memset(request.id, 'a', sizeof(request.id));
  EXPECT_EQ(start(request).failed, 1u);
  request = start_request("x");
  std::memset(request.root, 'a', sizeof(request.root));
  EXPECT_EQ(start(request).failed, 1u);
  request = start_request("x");
  request.memory_bytes = ~0ull;
  EXPECT_EQ(start(request).failed, 1u);
  request = start_request("x");
  request.processes = ~0u;
  EXPECT_EQ(start(request).failed, 1u);
  request = start_request("x");
  request.root_kind = static_cast<RootKind>(77);
  EXPECT_EQ(start(request).failed, 1u);
  EXPECT_EQ(ask(start_request("x")).failed, 1u) << "without a control socket";
  for (std::uint32_t operation = 7; operation < 200; ++operation) {
    EXPECT_EQ(ask(request_of(static_cast<Operation>(operation), "x")).failed, 1u);
  }
  EXPECT_EQ(ask(request_of(Operation::hello, "x")).failed, 1u);
  for (const auto operation : {Operation::freeze, Operation::thaw, Operation::status})
    EXPECT_EQ(ask(request_of(operation, "not-there")).failed, 1u);
  EXPECT_TRUE(alive());
}

TEST_F(HostileLambdad, DescriptorsItSendsAreClosed) {
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(alive());
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    ask(request_of(Operation::stop, "x"), {file.get()});
    ask(request_of(Operation::start, "Not A Name"), {file.get()});
  }
  ASSERT_TRUE(alive());  // so the last one has been dealt with
  EXPECT_EQ(open_descriptors(), before);
}

// Room for one descriptor, rounded up, is room for two: the second stayed open once.
TEST_F(HostileLambdad, TwoDescriptorsEndTheConversation) {
  ASSERT_EQ(start(start_request("victim")).failed, 0u);
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto request = request_of(Operation::stop, "x");
  send(&request, sizeof(request), {file.get(), file.get()});
  int status = 0;
  ASSERT_EQ(::waitpid(pid_, &status, 0), pid_);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_FALSE(fs::exists(memory_));
  pid_ = -1;
}

TEST_F(HostileLambdad, MessagesOfOddSizesEndTheConversation) {
  for (const std::size_t size :
       {std::size_t{1}, sizeof(SpawnRequest) - 1, sizeof(SpawnRequest) + 1, std::size_t{60'000}}) {
    if (pid_ <= 0) launch();
    ASSERT_EQ(start(start_request("victim")).failed, 0u);
    const std::vector<char> bytes(size, 'x');
    send(bytes.data(), bytes.size());
    int status = 0;
    ASSERT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFEXITED(status)) << size;
    EXPECT_FALSE(fs::exists(memory_)) << size;
    pid_ = -1;
  }
}

// Whatever is given as the control socket, init is unprivileged by the time it reads it.
TEST_F(HostileLambdad, AControlSocketThatIsNone) {
  for (const char* path : {"/dev/null", "/dev/zero", "/", "/proc/self/environ"}) {
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    ask(start_request("odd"), {file.get()});  // made, or not: it must only not harm
    EXPECT_EQ(ask(request_of(Operation::stop, "odd")).failed, 0u) << path;
  }
  EXPECT_TRUE(alive());
}

TEST_F(HostileLambdad, FreezingAndStoppingInAnyOrder) {
  for (int round = 0; round < 20; ++round) {
    const auto id = "turn-" + std::to_string(round);
    const auto begin = start_request(id);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    controls_.emplace_back(ends[0]);
    const UniqueFd theirs(ends[1]);
    send(&begin, sizeof(begin), {theirs.get()});
    unsigned answers = 1;
    for (const auto operation : {Operation::freeze, Operation::thaw, Operation::freeze,
                                 Operation::freeze, Operation::status, Operation::stop,
                                 Operation::stop, Operation::thaw, Operation::freeze}) {
      const auto request = request_of(operation, id);
      send(&request, sizeof(request));
      ++answers;
    }
    SpawnReply reply;
    for (; answers > 0; --answers) ASSERT_TRUE(receive(reply)) << round << ", left: " << answers;
  }
  EXPECT_TRUE(alive());
}

TEST_F(HostileLambdad, EverySandboxHasAUidOfItsOwnAndNoneOfTheMachines) {
  std::vector<std::string> uids;
  for (int i = 0; i < 5; ++i) {
    const auto id = "uid-" + std::to_string(i);
    const auto started = start(start_request(id));
    ASSERT_EQ(started.failed, 0u);
    const auto pid = text_of(fs::path(started.text) / "cgroup.procs");
    const std::string process = "/proc/" + pid.substr(0, pid.find('\n')) + "/status";
    const auto text = text_of(process);
    const auto at = text.find("Uid:\t");
    ASSERT_NE(at, std::string::npos) << process;
    uids.push_back(text.substr(at + 5, text.find('\t', at + 5) - at - 5));
    EXPECT_GE(std::stoul(uids.back()), 1'900'000'000ul);
  }
  std::sort(uids.begin(), uids.end());
  EXPECT_EQ(std::unique(uids.begin(), uids.end()), uids.end());
}

TEST_F(HostileLambdad, WithFewDescriptorsLeftItRefusesAndGoesOn) {
  const rlimit few{open_descriptors() + 4, open_descriptors() + 4};
  ASSERT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &few, nullptr), 0);
  for (int i = 0; i < 30; ++i) {
    if (start(start_request("few-" + std::to_string(i))).failed != 0) break;
  }
  EXPECT_EQ(start(start_request("one-more")).failed, 1u);
  EXPECT_TRUE(alive());
}

// A sandbox whose end nobody would see: its start fails, and nothing of it stays.
TEST_F(HostileLambdad, WhatCannotBeWatchedIsNotStarted) {
  hang_up();
  std::thread([this] {
    watch_nothing_more();
    launch();
  }).join();
  ASSERT_TRUE(alive());
  const auto before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    const auto id = "unwatched-" + std::to_string(i % 2);
    const auto request = start_request(id);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    send(&request, sizeof(request), {theirs.get()});
    theirs.reset();
    SpawnReply reply;
    if (!receive(reply)) ::kill(pid_, SIGKILL);  // it would not end by itself
    ASSERT_EQ(reply.failed, 1u) << "no answer, or a sandbox";
    EXPECT_NE(std::string(reply.text).find("epoll_ctl"), std::string::npos) << reply.text;
    EXPECT_FALSE(has_cgroup(id));
    // What it may have said before its end, and the end.
    char text[256];
    ssize_t count = 0;
    do {
      count = ::recv(ours.get(), text, sizeof(text), 0);
    } while (count > 0);
    EXPECT_EQ(count, 0) << "somebody holds the control socket";
  }
  EXPECT_TRUE(alive());
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(HostileLambdad, ADescriptorThatFindsNoPlaceIsMissedInWords) {
  const rlimit none{4, 4};
  ASSERT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &none, nullptr), 0);
  const auto reply = start(start_request("none"));
  EXPECT_EQ(reply.failed, 1u);
  EXPECT_NE(std::string(reply.text).find("too many open files (its limit is 4)"), std::string::npos)
      << reply.text;
  EXPECT_TRUE(alive());
}

TEST_F(HostileLambdad, ASecondServerOfOneDirectoryIsRefused) {
  UniqueFd first = std::move(socket_);
  const auto second = execute(socket_);
  SpawnReply hello;
  ASSERT_TRUE(receive(hello));
  EXPECT_EQ(hello.failed, 1u);
  EXPECT_NE(std::string(hello.text).find("another server"), std::string::npos) << hello.text;
  ::waitpid(second, nullptr, 0);
  socket_ = std::move(first);
  EXPECT_TRUE(alive());
}

}  // namespace
}  // namespace lambda::sandbox::native
