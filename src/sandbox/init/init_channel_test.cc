// The real lambda-init, unprivileged and outside any sandbox but in a network namespace of its own
// (it wants port 9001), driven through InitChannel.
#include "sandbox/init/init_channel.h"

#include "base/descriptor_message.h"
#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "sandbox/init/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sched.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace lambda::sandbox {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

auto soon() {
  return std::chrono::steady_clock::now() + seconds(10);
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 10'000) <= 0) return text + "<no end>";
    const ssize_t count = ::read(fd, buffer, sizeof(buffer));
    if (count <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

// With the right to bring its loopback up, also for a user who is not root.
void enter_network_namespace() {
  const auto uid = ::getuid();
  if (::unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER) != 0) ::_exit(99);
  if (uid != 0) std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
}

class LambdaInit : public testing::Test {
 protected:
  void SetUp() override {
    auto ends = InitChannel::make_pair();
    ASSERT_TRUE(ends);
    const int theirs = ends->second.get();
    init_ = ::fork();
    if (init_ == 0) {
      enter_network_namespace();
      const int fd = ::fcntl(theirs, F_DUPFD, 10);
      const auto number = std::to_string(fd);
      const int runtime = runtime_socket();
      const auto forked = std::to_string(runtime);
      ::execl(LAMBDA_INIT_PROGRAM, "lambda-init", "--fd", number.c_str(),
              runtime >= 0 ? "--runtime" : nullptr, forked.c_str(), nullptr);
      ::_exit(98);
    }
    ends->second.reset();
    before_channel(ends->first);
    channel_ = std::make_unique<InitChannel>(loop_.get_executor(), std::move(ends->first));
    auto hello = run_on(loop_, channel_->wait_hello(soon()));
    ASSERT_TRUE(hello) << hello.error().message();
    hello_ = std::move(*hello);
  }

  void TearDown() override {
    channel_.reset();
    int status = 0;
    ::waitpid(init_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == ends_with_) << status;
  }

  // Init's end of the socket to a runtime that is forked for it.
  virtual int runtime_socket() { return -1; }
  virtual void before_channel([[maybe_unused]] const UniqueFd& socket) {}

  Result<Done> start(std::vector<std::string> argv,
                     std::map<std::string, std::string> environment = {{"PATH", "/usr/bin:/bin"}}) {
    StartRequest request;
    request.argv = std::move(argv);
    request.environment = std::move(environment);
    return run_on(loop_, channel_->start(std::move(request), soon()));
  }
  ExitStatus wait_exit() { return run_on(loop_, channel_->wait_exit()); }
  std::string write_program(const char* name, const std::string& content) {
    const auto program = folder_.path() / name;
    std::ofstream(program, std::ios::binary) << content;
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return program.string();
  }
  // How a bootstrap with that in it ends.
  ExitStatus exit_of_program(const std::string& content) {
    EXPECT_TRUE(start({write_program("bootstrap", content)}));
    return wait_exit();
  }
  // How one ends that is looked up in PATH.
  ExitStatus exit_in_path(const std::string& name) {
    EXPECT_TRUE(start({name}, {{"PATH", folder_.path().string() + ":/usr/bin:/bin"}}));
    return wait_exit();
  }

  TemporaryDirectory folder_;

  Loop loop_{1};
  pid_t init_ = -1;
  int ends_with_ = 0;
  std::unique_ptr<InitChannel> channel_;
  InitHello hello_;
};

TEST(InitChannel, ASocketThatCannotBeWatchedIsAChannelThatIsClosed) {
  Loop loop{1};
  InitChannel channel(loop.get_executor(), UniqueFd());
  const auto hello = run_on(loop, channel.wait_hello(soon()));
  ASSERT_FALSE(hello);
  EXPECT_EQ(hello.error().code(), ErrorCode::sandbox_failed);
  EXPECT_NE(hello.error().message().find("control socket"), std::string::npos);
}

TEST_F(LambdaInit, ReportsTheExitStatusAndPassesOnWhatWasPrinted) {
  ASSERT_TRUE(start({"sh", "-c", "echo out; echo err >&2; exit 7"}));
  const auto exit = wait_exit();
  EXPECT_EQ(exit.code, 7);
  EXPECT_FALSE(exit.signal);
  EXPECT_EQ(exit.detail, "");
  EXPECT_EQ(read_to_end(hello_.log.get()), "out\nerr\n");
}

// A shell is the stem: it waits for three numbers, and then for the strings.
class StemOfInit : public LambdaInit {
 protected:
  void before_channel(const UniqueFd& socket) override {
    StartRequest request;
    request.argv = {"sh", "-c",
                    "echo ready $WORD; head -c 12 <&3 | od -An -tu4 | tr -s ' '; "
                    "cat <&3 | tr '\\0' '\\n'; ulimit -n"};
    request.environment = {{"PATH", "/usr/bin:/bin"}, {"WORD", "before"}};
    ASSERT_TRUE(InitChannel::begin_stem(socket, request));
  }
};

TEST_F(StemOfInit, IsToldWhatItsFunctionIs) {
  StartRequest request;
  request.argv = {"runtime", "one two"};
  request.environment = {{"WORD", "a=b"}};
  request.working_directory = "/var/task";
  request.open_files = 100;
  const auto started = run_on(loop_, channel_->start(std::move(request), soon()));
  ASSERT_TRUE(started) << started.error().message();
  EXPECT_EQ(wait_exit().code, 0);
  EXPECT_EQ(read_to_end(hello_.log.get()),
            "ready before\n 2 1 35\n/var/task\nruntime\none two\nWORD=a=b\n100\n");
}

TEST_F(StemOfInit, BeginsWhenItIsFilledAndNotBefore) {
  StartRequest request;
  request.argv = {"runtime"};
  ASSERT_TRUE(channel_->start_when_filled(request));
  const auto early = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  const auto waited = run_on(loop_, channel_->wait_started(early));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), ErrorCode::timeout);
  ::kill(init_, init::kFilledSignal);
  ASSERT_TRUE(run_on(loop_, channel_->wait_started(soon())));
  EXPECT_EQ(wait_exit().code, 0);
}

TEST_F(StemOfInit, MayBeFilledBeforeItIsToldWhatToStart) {
  ::kill(init_, init::kFilledSignal);
  StartRequest request;
  request.argv = {"runtime"};
  ASSERT_TRUE(channel_->start_when_filled(request));
  ASSERT_TRUE(run_on(loop_, channel_->wait_started(soon())));
  EXPECT_EQ(wait_exit().code, 0);
}

// TearDown() sees that init has ended.
TEST_F(StemOfInit, ThatIsNeverFilledEndsWithItsServer) {
  StartRequest request;
  request.argv = {"runtime"};
  ASSERT_TRUE(channel_->start_when_filled(request));
}

TEST_F(StemOfInit, ALargeEnvironmentGetsThroughToo) {
  StartRequest request;
  request.argv = {"runtime"};
  for (int i = 0; i < 30; ++i)
    request.environment.emplace("V" + std::to_string(i), std::string(4096, 'v'));
  ASSERT_TRUE(run_on(loop_, channel_->start(std::move(request), soon())));
  EXPECT_GT(read_to_end(hello_.log.get()).size(), 30u * 4096);
  EXPECT_EQ(wait_exit().code, 0);
}

class StemThatEnds : public LambdaInit {
 protected:
  void before_channel(const UniqueFd& socket) override {
    StartRequest request;
    request.argv = {"/does/not/exist"};
    ASSERT_TRUE(InitChannel::begin_stem(socket, request));
    ends_with_ = 1;
  }
};

TEST_F(StemThatEnds, CannotBeStarted) {
  const auto started = start({"runtime"});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("start a runtime ahead of its function"));
}

// Where it can be written the contract's tests see it, on both drivers.
TEST_F(LambdaInit, AFileThatCannotBeWrittenFailsTheStartWithItsName) {
  StartRequest request;
  request.argv = {"true"};
  request.files = {{"no/TOKEN", "hunter2"}};
  const auto started = run_on(loop_, channel_->start(std::move(request), soon()));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::sandbox_failed);
  EXPECT_THAT(started.error().message(),
              AllOf(HasSubstr("no/TOKEN"), HasSubstr("/run/secrets"), Not(HasSubstr("hunter2"))));
}

TEST_F(LambdaInit, ReportsTheSignal) {
  ASSERT_TRUE(start({"sh", "-c", "kill -SEGV $$"}));
  const auto exit = wait_exit();
  EXPECT_EQ(exit.signal, SIGSEGV);
  EXPECT_FALSE(exit.code);
}

TEST_F(LambdaInit, GivesExactlyTheEnvironmentAndThreeDescriptors) {
  ASSERT_TRUE(start({"sh", "-c", "env -u PWD -u _ -u SHLVL -u OLDPWD; echo /proc/$$/fd/*; cat"},
                    {{"PATH", "/usr/bin:/bin"}, {"WORD", "a b=c"}}));
  EXPECT_EQ(wait_exit().code, 0);
  const auto text = read_to_end(hello_.log.get());
  EXPECT_NE(text.find("WORD=a b=c\n"), std::string::npos) << text;
  EXPECT_NE(text.find("PATH=/usr/bin:/bin\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '='), 3) << text;
  const auto at = text.find("/fd/0");
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_NE(text.find("/fd/2"), std::string::npos) << text;
  EXPECT_EQ(text.find("/fd/4"), std::string::npos) << text;
}

TEST_F(LambdaInit, SaysWhyAProgramCannotBeExecuted) {
  ASSERT_TRUE(start({"/nonexistent/program"}));
  const auto exit = wait_exit();
  EXPECT_EQ(exit.code, 127);
  EXPECT_EQ(exit.detail, "cannot execute /nonexistent/program: No such file or directory");
}

TEST_F(LambdaInit, SaysWhichInterpreterOfAScriptIsMissing) {
  const auto exit = exit_of_program("#! /usr/bin/no-ruby -w\nputs 1\n");
  EXPECT_EQ(exit.code, 127);
  EXPECT_THAT(exit.detail, EndsWith("/bootstrap: it needs /usr/bin/no-ruby, which the sandbox does "
                                    "not have"));
}

TEST_F(LambdaInit, SaysWhichLoaderOfAProgramIsMissing) {
  std::ostringstream content;
  content << std::ifstream("/bin/true", std::ios::binary).rdbuf();
  auto program = content.str();
  program.replace(program.find("/ld-linux"), 9, "/no-linux");
  const auto exit = exit_of_program(program);
  EXPECT_EQ(exit.code, 127);
  EXPECT_THAT(exit.detail, AllOf(HasSubstr("/bootstrap: it needs /lib"), HasSubstr("/no-linux")));
}

TEST_F(LambdaInit, SaysWhenAScriptNamesNoInterpreter) {
  const auto exit = exit_of_program("echo hello\n");
  EXPECT_EQ(exit.code, 126);
  EXPECT_THAT(exit.detail, HasSubstr("it is no program for this machine; a script begins with #!"));
}

TEST_F(LambdaInit, SaysWhenAProgramIsNowhereInPath) {
  ASSERT_TRUE(start({"no-such-program"}));
  const auto exit = wait_exit();
  EXPECT_EQ(exit.code, 127);
  EXPECT_EQ(exit.detail, "cannot execute no-such-program: not found in PATH /usr/bin:/bin");
}

TEST_F(LambdaInit, SaysWhichInterpreterIsMissingOfAScriptInPath) {
  const auto script = write_program("run.rb", "#!/usr/bin/no-ruby\n");
  const auto exit = exit_in_path("run.rb");
  EXPECT_EQ(exit.code, 127);
  EXPECT_EQ(exit.detail, "cannot execute " + script +
                             ": it needs /usr/bin/no-ruby, which the sandbox does not have");
}

TEST_F(LambdaInit, SaysWhichScriptInPathNamesNoInterpreter) {
  const auto script = write_program("run.rb", "echo hello\n");
  const auto exit = exit_in_path("run.rb");
  EXPECT_EQ(exit.code, 126);
  EXPECT_THAT(exit.detail, HasSubstr(script + ": it is no program for this machine"));
}

TEST_F(LambdaInit, StartsALaterProgramInPathWhereTheFirstLacksItsInterpreter) {
  write_program("true", "#!/usr/bin/no-ruby\n");
  EXPECT_EQ(exit_in_path("true").code, 0);
}

TEST_F(LambdaInit, SaysWhenAFileIsNoProgram) {
  ASSERT_TRUE(start({"/etc/passwd"}));
  const auto exit = wait_exit();
  EXPECT_EQ(exit.code, 126);
  EXPECT_EQ(exit.detail, "cannot execute /etc/passwd: Permission denied");
}

TEST_F(LambdaInit, SaysInAwssWordsThatThereIsNoBootstrap) {
  for (const auto* path : init::kBootstraps) ASSERT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(start({"bootstrap"}));
  const auto exit = wait_exit();
  EXPECT_EQ(exit.code, 127);
  EXPECT_EQ(exit.detail, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
}

TEST_F(LambdaInit, ConnectsInsideItsNetworkNamespace) {
  // The one port that listens inside is the Runtime API's, and we hold its listener.
  auto made = run_on(loop_, channel_->connect(init::kListenPort, soon()));
  ASSERT_TRUE(made) << made.error().message();
  UniqueFd accepted(::accept(hello_.listener.get(), nullptr, nullptr));
  ASSERT_TRUE(accepted) << std::strerror(errno);
  ASSERT_EQ(::write(made->get(), "x", 1), 1);
  char got = 0;
  ASSERT_EQ(::read(accepted.get(), &got, 1), 1);
  EXPECT_EQ(got, 'x');
  auto refused = run_on(loop_, channel_->connect(8080, soon()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  EXPECT_NE(refused.error().message().find("port 8080"), std::string::npos);
}

TEST_F(LambdaInit, TerminateReachesTheRuntime) {
  ASSERT_TRUE(start({"sleep", "100"}));
  channel_->terminate();
  EXPECT_EQ(wait_exit().signal, SIGTERM);
}

TEST_F(LambdaInit, ClosingTheChannelEndsTheRuntime) {
  ASSERT_TRUE(start({"sh", "-c", "echo up; sleep 100"}));
  channel_->close();
  EXPECT_EQ(wait_exit().signal, SIGKILL);
  // The pipe ends when its last writer is gone.
  EXPECT_EQ(read_to_end(hello_.log.get()).find("<no end>"), std::string::npos);
}

TEST_F(LambdaInit, ReapsGrandchildrenAndStaysUntilClosed) {
  ASSERT_TRUE(start({"sh", "-c", "(sleep 0.05; echo late) & exit 3"}));
  EXPECT_EQ(wait_exit().code, 3);
  EXPECT_EQ(read_to_end(hello_.log.get()), "late\n");
  EXPECT_EQ(::waitpid(init_, nullptr, WNOHANG), 0);
}

TEST_F(LambdaInit, RefusesTooMuchEnvironmentAndNulCharacters) {
  auto large = start({"true"}, {{"LARGE", std::string(200'000, 'x')}});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code(), ErrorCode::invalid);
  auto nul = start({"true"}, {{"N", std::string("a\0b", 3)}});
  ASSERT_FALSE(nul);
  EXPECT_EQ(nul.error().code(), ErrorCode::invalid);
}

TEST_F(LambdaInit, LowersTheNumberOfOpenFiles) {
  StartRequest request;
  request.argv = {"/bin/sh", "-c", "ulimit -Hn"};
  request.open_files = 100;
  ASSERT_TRUE(run_on(loop_, channel_->start(std::move(request), soon())));
  EXPECT_EQ(wait_exit().code, 0);
  EXPECT_EQ(read_to_end(hello_.log.get()), "100\n");
}

// A peer that lies.
class FakeInit : public testing::Test {
 protected:
  void SetUp() override {
    auto ends = InitChannel::make_pair();
    ASSERT_TRUE(ends);
    theirs_ = std::move(ends->second);
    channel_ = std::make_unique<InitChannel>(loop_.get_executor(), std::move(ends->first));
  }
  void say(const init::Report& report, std::vector<int> descriptors = {}) const {
    iovec part{const_cast<init::Report*>(&report), sizeof(report)};
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
    ASSERT_GT(::sendmsg(theirs_.get(), &message, 0), 0);
  }
  void expect_refused() {
    auto hello = run_on(loop_, channel_->wait_hello(soon()));
    ASSERT_FALSE(hello);
    EXPECT_EQ(hello.error().code(), ErrorCode::sandbox_failed);
    EXPECT_NE(hello.error().message().find("broke its protocol"), std::string::npos);
  }
  static int open_descriptors() {
    int count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      ++count;
    }
    return count;
  }

  Loop loop_{1};
  UniqueFd theirs_;
  std::unique_ptr<InitChannel> channel_;
};

TEST_F(FakeInit, ShortMessagesAreRefused) {
  ASSERT_EQ(::send(theirs_.get(), "hello", 5, 0), 5);
  expect_refused();
}

TEST_F(FakeInit, OtherDescriptorsThanPromisedAreRefusedAndClosed) {
  UniqueFd file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  init::Report report;
  report.type = init::ReportType::hello;
  report.number = static_cast<std::int32_t>(init::kProtocolVersion);
  const int before = open_descriptors();
  say(report, {file.get(), file.get()});
  expect_refused();
  // The channel's own is closed too.
  EXPECT_EQ(open_descriptors(), before - 1);
}

TEST_F(FakeInit, ExitBeforeStartIsRefused) {
  init::Report report;
  report.type = init::ReportType::exited;
  say(report);
  expect_refused();
}

TEST_F(FakeInit, FailureOfInitIsToldInItsWords) {
  init::Report report;
  report.type = init::ReportType::failed;
  report.number = EADDRINUSE;
  std::strcpy(report.text, "bind 127.0.0.1:9001");
  say(report);
  auto hello = run_on(loop_, channel_->wait_hello(soon()));
  ASSERT_FALSE(hello);
  EXPECT_EQ(hello.error().message(),
            "the sandbox's init cannot bind 127.0.0.1:9001: Address already in use");
}

TEST_F(FakeInit, SilenceEndsAtTheDeadline) {
  auto hello = run_on(loop_, channel_->wait_hello(std::chrono::steady_clock::now()));
  ASSERT_FALSE(hello);
  EXPECT_EQ(hello.error().code(), ErrorCode::timeout);
}

TEST_F(FakeInit, EndWithoutWordsIsAKill) {
  theirs_.reset();
  const auto exit = run_on(loop_, channel_->wait_exit());
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.detail, "the sandbox's init has ended");
}

// What lambda-spawn and a zygote's child do is done by the test.
class ForkedRuntime : public LambdaInit {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
    ::fcntl(ours_.get(), F_SETFD, FD_CLOEXEC);
    LambdaInit::SetUp();
    theirs_.reset();
  }
  void TearDown() override {
    LambdaInit::TearDown();
    if (process_ > 0) ::waitpid(process_, nullptr, 0);
  }
  int runtime_socket() override { return theirs_.get(); }

  void announce() {
    const auto word = init::kComing;
    ASSERT_EQ(::write(ours_.get(), &word, sizeof(word)), ssize_t{sizeof(word)});
  }
  // Tells init the pid of a process that does nothing, as the runtime does when it is there.
  void arrive() {
    announce();
    process_ = ::fork();
    if (process_ == 0) {
      ::setpgid(0, 0);
      ::close_range(3, ~0u, 0);  // else init would not see that we hang up
      ::pause();
      ::_exit(0);
    }
    ::setpgid(process_, process_);
    const auto pid = static_cast<std::int32_t>(process_);
    ASSERT_EQ(::write(ours_.get(), &pid, sizeof(pid)), ssize_t{sizeof(pid)});
  }

  UniqueFd ours_;
  UniqueFd theirs_;
  pid_t process_ = -1;
};

TEST_F(ForkedRuntime, IsTakenForTheOneThatWasToBeStarted) {
  arrive();
  ASSERT_TRUE(start({"/nonexistent"}, {{"NAME", "value"}}));
  char byte = 1;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(2 * sizeof(int))] = {};
  message.msg_control = ancillary;
  message.msg_controllen = sizeof(ancillary);
  ASSERT_EQ(::recvmsg(ours_.get(), &message, MSG_CMSG_CLOEXEC), 1);
  auto given = take_descriptors(message);
  ASSERT_EQ(given.size(), 2u);  // /dev/null and the log
  ASSERT_EQ(::write(given[1].get(), "hello", 5), 5);
  given.clear();
  EXPECT_EQ(read_to_end(hello_.log.get()), "hello");
  init::HandOver header;
  ASSERT_EQ(::read(ours_.get(), &header, sizeof(header)), ssize_t{sizeof(header)});
  EXPECT_EQ(header.arguments, 1u);
  EXPECT_EQ(header.variables, 1u);
  const auto texts = read_to_end(ours_.get());
  EXPECT_EQ(texts.size(), header.bytes);
  EXPECT_THAT(texts, HasSubstr("NAME=value"));
}

TEST_F(ForkedRuntime, WhereNoneComesOneIsExecuted) {
  ours_.reset();
  ASSERT_TRUE(start({"sh", "-c", "echo executed"}));
  EXPECT_EQ(wait_exit().code, 0);
  EXPECT_EQ(read_to_end(hello_.log.get()), "executed\n");
}

// A process of a zygote's may be in the sandbox, or enter it.
TEST_F(ForkedRuntime, NoneIsExecutedWhileOneIsComing) {
  announce();
  std::thread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    ours_.reset();
  });
  const auto before = std::chrono::steady_clock::now();
  const auto started = start({"sh", "-c", "echo executed"});
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(2400));
  later.join();
  ASSERT_TRUE(started);
  EXPECT_EQ(wait_exit().code, 0);
  EXPECT_EQ(read_to_end(hello_.log.get()), "executed\n");
}

TEST_F(ForkedRuntime, OneThatComesTooLateFindsNobody) {
  ASSERT_TRUE(start({"sh", "-c", "echo executed"}));
  EXPECT_EQ(wait_exit().code, 0);
  const auto word = init::kComing;
  EXPECT_EQ(::send(ours_.get(), &word, sizeof(word), MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
  ours_.reset();  // the log pipe is still on its way to it
  EXPECT_EQ(read_to_end(hello_.log.get()), "executed\n");
}

}  // namespace
}  // namespace lambda::sandbox
