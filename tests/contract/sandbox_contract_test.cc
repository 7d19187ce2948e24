// The contract of Driver and Sandbox (sandbox/sandbox.h), the same for every back end: real
// programs in real sandboxes made from the python3.11 base file system.
#include "sandbox_probe.h"

#include <csignal>
#include <fstream>
#include <sys/socket.h>

namespace lambda::sandbox {
namespace {

namespace fs = std::filesystem;

class Contract : public SandboxTest, public testing::WithParamInterface<DriverHostFactory> {
 protected:
  void SetUp() override {
    if (host && host_name == GetParam().name) return;
    host.reset();
    make_host(GetParam());
    auto works = run_on(loop_, host->driver().probe());
    ASSERT_TRUE(works) << works.error().message();
  }
};

// The host must go before main() returns: it owns processes and threads.
class HostEnd : public testing::Environment, private SandboxTest {
 public:
  void TearDown() override { host.reset(); }
  void TestBody() override {}
};
const auto* const kHostEnd = testing::AddGlobalTestEnvironment(new HostEnd);

TEST_P(Contract, RunsAProgramWithItsArgumentsEnvironmentAndDirectory) {
  auto spec = python_spec(
      "import os,sys,json; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))");
  spec.argv.emplace_back("one two");
  spec.argv.emplace_back("");
  spec.environment = {{"PATH", "/usr/bin"}, {"WORD", "a=\xc3\xa4 b"}, {"LC_CTYPE", "C.UTF-8"}};
  const auto outcome = run(std::move(spec));
  EXPECT_EQ(outcome.exit.code, 0) << outcome.exit.detail;
  EXPECT_FALSE(outcome.exit.signal);
  EXPECT_FALSE(outcome.exit.out_of_memory);
  EXPECT_EQ(outcome.output,
            "[[\"one two\", \"\"], {\"LC_CTYPE\": \"C.UTF-8\", \"PATH\": \"/usr/bin\", "
            "\"WORD\": \"a=\\u00e4 b\"}, \"/tmp\"]\n");
}

TEST_P(Contract, SecretsAreFilesInATmpfsForTheFunctionsUserAlone) {
  auto spec = python_spec(
      "import os\n"
      "for name in sorted(os.listdir('/run/secrets')):\n"
      "  path = '/run/secrets/' + name\n"
      "  status = os.stat(path)\n"
      "  print(name, oct(status.st_mode & 0o7777), status.st_uid == os.getuid(), "
      "len(open(path, 'rb').read()))\n"
      "print(open('/run/secrets/TOKEN', 'rb').read())\n"
      "print(oct(os.stat('/run/secrets').st_mode & 0o7777))\n"
      "mounts = [line.split() for line in open('/proc/self/mountinfo')]\n"
      "print([(line[line.index('-') + 1], all(word in line[5] for word in ('nosuid', 'nodev', "
      "'noexec'))) for line in mounts if line[4] == '/run/secrets'])\n"
      "try:\n  open('/run/new', 'w'); print('wrote /run')\nexcept OSError: print('read-only')\n"
      "print(os.path.isdir('/run/lambda'))");
  spec.secret_files = {{"CERT", std::string(64 * 1024, 'c')},
                       {"TOKEN", std::string("hun\0ter\n2", 9)},
                       {"THIRD", std::string(64 * 1024, 't')},
                       {"ZFOURTH", std::string(64 * 1024, 'z')}};
  const auto outcome = run(std::move(spec));
  EXPECT_EQ(outcome.exit.code, 0) << outcome.exit.detail;
  EXPECT_EQ(outcome.output,
            "CERT 0o400 True 65536\nTHIRD 0o400 True 65536\nTOKEN 0o400 True 9\n"
            "ZFOURTH 0o400 True 65536\n"
            "b'hun\\x00ter\\n2'\n0o500\n[('tmpfs', True)]\nread-only\nTrue\n");
}

TEST_P(Contract, WithoutSecretsThereIsNoDirectoryForThem) {
  EXPECT_EQ(run("import os; print(os.path.exists('/run/secrets'))").output, "False\n");
}

TEST_P(Contract, LooksTheProgramUpInPath) {
  auto spec = python_spec("");
  spec.argv = {"python3", "-c", "print(1)"};
  EXPECT_EQ(run(std::move(spec)).output, "1\n");
}

TEST_P(Contract, ReportsExitCodes) {
  EXPECT_EQ(run("import sys; sys.exit(7)").exit.code, 7);
}

TEST_P(Contract, ReportsSignals) {
  const auto outcome = run("import os; os.kill(os.getpid(), 11)");
  EXPECT_EQ(outcome.exit.signal, SIGSEGV);
  EXPECT_FALSE(outcome.exit.code);
}

TEST_P(Contract, AProgramThatIsNotThereIsAnExitWithAReason) {
  auto spec = python_spec("");
  spec.argv = {"/var/task/missing"};
  const auto outcome = run(std::move(spec));
  EXPECT_EQ(outcome.exit.code, 127);
  EXPECT_EQ(outcome.exit.detail, "cannot execute /var/task/missing: No such file or directory");
}

TEST_P(Contract, AMissingBootstrapIsToldInAwssWords) {
  auto spec = python_spec("");
  spec.argv = {"bootstrap"};
  EXPECT_EQ(run(std::move(spec)).exit.detail,
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
}

TEST_P(Contract, TheLogHasBothStreamsAndEndsWithTheLastProcess) {
  auto sandbox =
      start(python_spec("import os,sys,time\n"
                        "os.write(1, b'out\\n'); os.write(2, b'err\\n')\n"
                        "if os.fork() == 0:\n  time.sleep(0.2); os.write(1, b'late\\n')\n"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const UniqueFd log = (*sandbox)->take_log();
  EXPECT_NE(::fcntl(log.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(run_on(loop_, (*sandbox)->wait_exit()).code, 0);
  EXPECT_EQ(read_output(log.get()), "out\nerr\nlate\n");
}

TEST_P(Contract, TheListenerIsPort9001Inside) {
  auto sandbox = start(python_spec(
      "import socket\n"
      "s = socket.create_connection(('127.0.0.1', 9001)); s.sendall(b'hello'); print(s.recv(9))"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const UniqueFd listener = (*sandbox)->take_runtime_listener();
  const UniqueFd log = (*sandbox)->take_log();
  pollfd ready{listener.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ready, 1, 10'000), 1);
  const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
  ASSERT_TRUE(peer);
  char text[6] = {};
  ASSERT_EQ(::recv(peer.get(), text, 5, MSG_WAITALL), 5);
  EXPECT_STREQ(text, "hello");
  ASSERT_EQ(::send(peer.get(), "back", 4, 0), 4);
  EXPECT_EQ(run_on(loop_, (*sandbox)->wait_exit()).code, 0);
  EXPECT_EQ(read_output(log.get()), "b'back'\n");
}

TEST_P(Contract, ConnectsToPortsInsideAlsoLowOnes) {
  for (const auto port : {std::uint16_t{8080}, std::uint16_t{80}}) {
    auto sandbox = start(python_spec("import socket\ns = socket.create_server(('127.0.0.1', " +
                                     std::to_string(port) +
                                     "))\nprint('up', flush=True)\nwhile True:\n  c, _ = "
                                     "s.accept(); c.sendall(b'hi'); c.close()"));
    ASSERT_TRUE(sandbox) << sandbox.error().message();
    const UniqueFd log = (*sandbox)->take_log();
    ASSERT_EQ(read_output(log.get(), "up"), "up\n");
    for (int i = 0; i < 3; ++i) {
      auto made = run_on(loop_, (*sandbox)->connect(port));
      ASSERT_TRUE(made) << made.error().message();
      EXPECT_EQ(read_output(made->get()), "hi");
    }
  }
}

TEST_P(Contract, AClosedPortIsUnavailable) {
  auto sandbox = start(python_spec("import time; time.sleep(60)"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  auto made = run_on(loop_, (*sandbox)->connect(8080));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::unavailable);
}

TEST_P(Contract, TerminateIsSigterm) {
  auto sandbox =
      start(python_spec("import signal,sys,time\nsignal.signal(15, lambda *a: sys.exit(42))\n"
                        "print('up', flush=True)\ntime.sleep(60)"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const UniqueFd log = (*sandbox)->take_log();
  ASSERT_EQ(read_output(log.get(), "up"), "up\n");
  (*sandbox)->terminate();
  EXPECT_EQ(run_on(loop_, (*sandbox)->wait_exit()).code, 42);
}

TEST_P(Contract, StopEndsEverythingAndLeavesNothing) {
  auto sandbox =
      start(python_spec("import os,signal,time\nsignal.signal(15, signal.SIG_IGN)\n"
                        "for i in range(5):\n  if os.fork() == 0: os.setsid(); time.sleep(600)\n"
                        "print('up', flush=True)\ntime.sleep(600)"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const UniqueFd log = (*sandbox)->take_log();
  ASSERT_EQ(read_output(log.get(), "up"), "up\n");
  stop(**sandbox);
  // Every writer of the pipe is gone.
  EXPECT_EQ(read_output(log.get()), "");
  EXPECT_EQ(run_on(loop_, (*sandbox)->wait_exit()).signal, SIGKILL);
  auto connected = run_on(loop_, (*sandbox)->connect(80));
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::sandbox_failed);
  EXPECT_TRUE(run_on(loop_, (*sandbox)->stop()));  // twice is no failure
}

TEST_P(Contract, DestroyingWithoutStopEndsItToo) {
  auto spec = python_spec("import time; time.sleep(600)");
  const auto id = spec.id;
  auto started = run_on(loop_, host->driver().start(std::move(spec), in_seconds(20)));
  ASSERT_TRUE(started) << started.error().message();
  const UniqueFd log = (*started)->take_log();
  started->reset();
  EXPECT_EQ(read_output(log.get()), "");
  const auto deadline = in_seconds(10);
  while (!host->leftovers(id).empty() && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(run_on(loop_, sleep_for(std::chrono::milliseconds(10))));
  }
  EXPECT_EQ(host->leftovers(id), "");
}

TEST_P(Contract, TwoOfOneIdCannotBe) {
  auto spec = python_spec("import time; time.sleep(600)");
  const auto first = start(spec);
  ASSERT_TRUE(first);
  const auto second = start(spec);
  // A stem had its id before it was anybody's.
  if (second) {
    EXPECT_EQ(host_name, "stem");
    EXPECT_NE((*second)->id(), (*first)->id());
  }
}

TEST_P(Contract, AnUnknownRuntimeIsUnavailable) {
  auto spec = python_spec("");
  spec.runtime = "cobol74";
  auto sandbox = start(std::move(spec));
  ASSERT_FALSE(sandbox);
  EXPECT_EQ(sandbox.error().code(), ErrorCode::unavailable);
  EXPECT_NE(sandbox.error().message().find("cobol74"), std::string::npos);
}

TEST_P(Contract, CodeIsAtVarTaskAndReadOnly) {
  auto spec = python_spec(
      "import os\nprint(open('/var/task/word').read())\n"
      "for path in ('/var/task/new', '/var/task/word', '/new', '/usr/bin/new', '/etc/hosts', "
      "'/var/new'):\n"
      "  try:\n    open(path, 'w'); print('WROTE', path)\n"
      "  except OSError as e: pass\n"
      "open('/tmp/new', 'w').write('x'); print(os.path.getsize('/tmp/new'))");
  spec.task_directory = host->task_area() / spec.id;
  fs::create_directory(spec.task_directory);
  std::ofstream(spec.task_directory / "word") << "word";
  fs::permissions(spec.task_directory / "word", fs::perms(0666));
  fs::permissions(spec.task_directory, fs::perms(0777));
  const auto task = spec.task_directory;
  EXPECT_EQ(run(std::move(spec)).output, "word\n1\n");
  EXPECT_FALSE(fs::exists(task / "new"));
}

TEST_P(Contract, TheIdentityInsideIsFixed) {
  // Docker lists a process's own group among its supplementary ones, which adds nothing.
  EXPECT_EQ(run("import os; print(os.getuid(), os.getgid(), "
                "set(os.getgroups()) - {os.getgid()}, os.uname().nodename)")
                .output,
            "993 990 set() lambda\n");
}

TEST_P(Contract, MoreMemoryThanAllowedIsTheEnd) {
  auto spec = python_spec(
      "import time\nprint('up', flush=True)\nx = bytearray(300 << 20)\n"
      "for i in range(0, len(x), 4096): x[i] = 1\n"
      "print('HELD', flush=True)\ntime.sleep(1)\nprint('LIVED', flush=True)");
  spec.memory_bytes = 128ull << 20;
  const auto outcome = run(std::move(spec));
  EXPECT_TRUE(outcome.exit.out_of_memory) << outcome.output;
  EXPECT_EQ(outcome.exit.signal, SIGKILL);
  EXPECT_EQ(outcome.output.find("LIVED"), std::string::npos);
}

TEST_P(Contract, ManySmallPiecesOfMemoryAreCountedTogether) {
  auto spec = python_spec(
      "import os,time\n"
      "for i in range(10):\n"
      "  if os.fork() == 0:\n    x = b'x' * (30 << 20); time.sleep(60)\n"
      "time.sleep(60)");
  spec.memory_bytes = 128ull << 20;
  EXPECT_TRUE(run(std::move(spec)).exit.out_of_memory);
}

TEST_P(Contract, LessMemoryThanAllowedIsFine) {
  auto spec = python_spec("x = b'x' * (90 << 20); print(len(x) >> 20)");
  spec.memory_bytes = 128ull << 20;
  const auto outcome = run(std::move(spec));
  EXPECT_FALSE(outcome.exit.out_of_memory);
  EXPECT_EQ(outcome.output, "90\n");
}

TEST_P(Contract, TmpIsNotCountedAsMemory) {
  auto spec = python_spec(
      "import os,time\nwith open('/tmp/large', 'wb') as f:\n"
      "  for i in range(400): f.write(b'x' * (1 << 20))\n"
      "time.sleep(0.3)\nx = b'x' * (80 << 20)\ntime.sleep(0.3)\n"
      "print(os.path.getsize('/tmp/large') >> 20)");
  spec.memory_bytes = 128ull << 20;
  spec.tmp_bytes = 512ull << 20;
  const auto outcome = run(std::move(spec));
  EXPECT_FALSE(outcome.exit.out_of_memory);
  EXPECT_EQ(outcome.output, "400\n");
}

TEST_P(Contract, TmpHasItsSize) {
  auto spec = python_spec(
      "import errno\nn = 0\ntry:\n  with open('/tmp/large', 'wb', 0) as f:\n"
      "    while n < 600: f.write(b'x' * (1 << 20)); n += 1\n"
      "except OSError as e: print(errno.errorcode[e.errno], n)");
  spec.tmp_bytes = 64ull << 20;
  EXPECT_EQ(run(std::move(spec)).output, "ENOSPC 64\n");
}

TEST_P(Contract, ProcessesAreLimited) {
  auto spec = python_spec(
      "import os,time\nn = 0\ntry:\n  while n < 500:\n"
      "    if os.fork() == 0: time.sleep(60); os._exit(0)\n    n += 1\n"
      "except OSError as e: print(e.errno, n, flush=True)\n");
  spec.processes = 40;
  const auto outcome = run(std::move(spec));
  EXPECT_EQ(outcome.output, "11 39\n");  // EAGAIN, and the one that asks
}

TEST_P(Contract, OpenFilesAreLimited) {
  auto spec = python_spec(
      "import os\nn = 3\ntry:\n  while n < 2000: os.open('/dev/null', os.O_RDONLY); n += 1\n"
      "except OSError as e: print(e.errno, n)");
  spec.open_files = 100;
  EXPECT_EQ(run(std::move(spec)).output, "24 100\n");
}

TEST_P(Contract, FrozenStandsStillAndThawedGoesOn) {
  auto sandbox = start(python_spec(
      "import time,sys\nn = 0\nwhile True:\n  n += 1; print(n, flush=True); time.sleep(0.002)"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const UniqueFd log = (*sandbox)->take_log();
  read_output(log.get(), "\n5\n");
  auto frozen = run_on(loop_, (*sandbox)->freeze());
  ASSERT_TRUE(frozen) << frozen.error().message();
  char buffer[65536];
  while (::read(log.get(), buffer, sizeof(buffer)) > 0) {
  }
  ASSERT_TRUE(run_on(loop_, sleep_for(std::chrono::milliseconds(100))));
  EXPECT_LT(::read(log.get(), buffer, sizeof(buffer)), 0);  // nothing came
  ASSERT_TRUE(run_on(loop_, (*sandbox)->thaw()));
  EXPECT_EQ(read_output(log.get(), "\n").find("<no end>"), std::string::npos);
}

TEST_P(Contract, AFrozenOneCanBeStopped) {
  auto sandbox = start(python_spec("import time; time.sleep(60)"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  ASSERT_TRUE(run_on(loop_, (*sandbox)->freeze()));
  stop(**sandbox);
}

TEST_P(Contract, UsageIsThatOfTheFunction) {
  auto spec =
      python_spec("import time\nx = b'x' * (50 << 20)\nprint('up', flush=True)\ntime.sleep(60)");
  spec.memory_bytes = 512ull << 20;  // far off: what is told is cut there
  auto sandbox = start(std::move(spec));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const UniqueFd log = (*sandbox)->take_log();
  read_output(log.get(), "up");
  auto usage = (*sandbox)->usage();
  ASSERT_TRUE(usage) << usage.error().message();
  EXPECT_GE(usage->memory_peak_bytes, 50ull << 20);
  EXPECT_LE(usage->memory_peak_bytes, 120ull << 20);  // beside an interpreter
  EXPECT_FALSE(usage->out_of_memory);
  const auto used = (*sandbox)->memory_in_use();
  ASSERT_TRUE(used) << used.error().message();
  EXPECT_GE(*used, 50ull << 20);
  EXPECT_LE(*used, usage->memory_peak_bytes);
}

// The kernel counts files in /tmp; who is told of more than the memory would look for a leak.
TEST_P(Contract, WhatFillsTmpIsNoMoreThanTheMemory) {
  auto spec = python_spec(
      "import time\nopen('/tmp/x', 'wb').write(b'x' * (40 << 20))\nopen('/tmp/y', 'wb').write(b'x' "
      "* "
      "(40 << 20))\nopen('/tmp/z', 'wb').write(b'x' * (40 << 20))\nprint('up', flush=True)\n"
      "time.sleep(60)");
  spec.memory_bytes = 96ull << 20;
  spec.tmp_bytes = 256ull << 20;
  auto sandbox = start(std::move(spec));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const UniqueFd log = (*sandbox)->take_log();
  read_output(log.get(), "up");
  auto usage = (*sandbox)->usage();
  ASSERT_TRUE(usage) << usage.error().message();
  EXPECT_EQ(usage->memory_peak_bytes, 96ull << 20);
  EXPECT_EQ((*sandbox)->memory_in_use(), 96ull << 20);
  EXPECT_FALSE(usage->out_of_memory);
}

TEST_P(Contract, ADeadlineThatHasPassedIsATimeoutAndLeavesNothing) {
  auto spec = python_spec("import time; time.sleep(60)");
  const auto id = spec.id;
  auto started = start(std::move(spec), -1);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::timeout);
  // Until now it may not have begun; when another one is up it has, and its end was asked for.
  auto later = start(python_spec("import time; print('up', flush=True); time.sleep(60)"));
  ASSERT_TRUE(later) << later.error().message();
  const auto deadline = in_seconds(10);
  while (!host->leftovers(id).empty() && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(run_on(loop_, sleep_for(std::chrono::milliseconds(10))));
  }
  EXPECT_EQ(host->leftovers(id), "");
}

// Of several starts at once. Shared with each: one may outlast a test that failed.
struct Starting {
  explicit Starting(std::size_t count) : left(count) {}
  AsyncEvent done;
  std::size_t left;
};

Task<Result<Done>> start_one(Driver& driver, std::vector<std::unique_ptr<Sandbox>>& all,
                             std::shared_ptr<Starting> starting) {
  auto started = co_await driver.start(
      python_spec("import time; print('up', flush=True); time.sleep(60)"), in_seconds(60));
  if (started) all.push_back(std::move(*started));
  if (--starting->left == 0) starting->done.set();
  if (!started) co_return fail(std::move(started.error()));
  co_return Done{};
}

TEST_P(Contract, FiftyAtOnce) {
  constexpr std::size_t count = 50;
  const auto starting = std::make_shared<Starting>(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto failed = [](std::exception_ptr, Result<Done> result) {
      EXPECT_TRUE(result) << result.error().message();
    };
    asio::co_spawn(loop_.get_executor(), start_one(host->driver(), sandboxes_, starting), failed);
  }
  ASSERT_TRUE(run_on(loop_, starting->done.wait_until(in_seconds(60))));
  ASSERT_EQ(sandboxes_.size(), count);
  for (auto& sandbox : sandboxes_) {
    const UniqueFd log = sandbox->take_log();
    EXPECT_EQ(read_output(log.get(), "up"), "up\n");
  }
}

INSTANTIATE_TEST_SUITE_P(Drivers, Contract, testing::ValuesIn(driver_hosts()),
                         [](const auto& host) { return host.param.name; });

}  // namespace
}  // namespace lambda::sandbox
