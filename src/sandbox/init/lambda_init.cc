// lambda-init: pid 1 of every sandbox, of either driver. Static, without privileges, one thread.
// Steps: find the control socket -> hello (with the Runtime API's listening socket and the log
// pipe) -> start the runtime's process when told -> serve connects, reap, report how the runtime
// ended -> end when the server's side closes. The function shares this program's uid: it is not
// dumpable, keeps no secret, and nothing it says is trusted.
#include "sandbox/init/protocol.h"
#include "sandbox/init/seqpacket.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

namespace proto = lambda::sandbox::init;

constexpr std::uint16_t kRuntimeApiPort = 9001;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "lambda-init: %s: %s\n", what, std::strerror(errno));
  std::_Exit(125);
}

struct State {
  int control = -1;
  int signals = -1;
  int log_write = -1;
  pid_t runtime = -1;
  bool reported = false;
};

struct Program {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string directory;
  std::uint32_t open_files = 0;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string path_of(const std::vector<std::string>& environment) {
  for (const auto& variable : environment) {
    if (variable.rfind("PATH=", 0) == 0) return variable.substr(5);
  }
  return "/usr/local/bin:/usr/bin:/bin";
}

// Which files argv[0] may stand for: itself, alternatives separated by ':', or a name to look up in
// PATH.
std::vector<std::string> candidates(const Program& program) {
  const std::string& name = program.argv[0];
  if (name.find('/') != std::string::npos) return split(name, ':');
  std::vector<std::string> found;
  for (const auto& directory : split(path_of(program.environment), ':'))
    found.push_back(directory + "/" + name);
  return found;
}

// --- in the child, between fork and exec

// Tells the parent why the program could not be started: errno, and the files that were tried.
[[noreturn]] void fail_start(int report, int error_number) {
  [[maybe_unused]] const ssize_t ignored = ::write(report, &error_number, sizeof error_number);
  std::_Exit(127);
}

void set_limits(std::uint32_t open_files) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  // Only ever lower: raising needs a capability that nobody here has.
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, open_files);
  files.rlim_max = files.rlim_cur;
  ::setrlimit(RLIMIT_NOFILE, &files);
  // The kernel should take the function before the init that reports its end.
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) {
    [[maybe_unused]] const ssize_t ignored = ::write(score, "500", 3);
    ::close(score);
  }
}

[[noreturn]] void run_program(Program& program, const State& state, int report) {
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  const int null = ::open("/dev/null", O_RDWR);
  if (null >= 0) ::dup2(null, 0);
  ::dup2(state.log_write, 1);
  ::dup2(state.log_write, 2);
  // Everything else closes at exec; the report pipe tells the parent that exec worked by closing.
  ::syscall(SYS_close_range, 3u, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
  set_limits(program.open_files);
  if (::chdir(program.directory.c_str()) != 0 && ::chdir("/") != 0) fail_start(report, errno);
  auto files = candidates(program);
  auto environment = pointers(program.environment);
  int last = ENOENT;
  for (auto& file : files) {
    program.argv[0] = file;
    auto argv = pointers(program.argv);
    ::execve(file.c_str(), argv.data(), environment.data());
    if (errno != ENOENT && errno != ENOTDIR) last = errno;
  }
  fail_start(report, last);
}

// --- in pid 1

void tell(const State& state, const proto::Encoder& message,
          const std::vector<int>& descriptors = {}) {
  proto::send_message(state.control, message.bytes(), descriptors);
}

void report_end(State& state, proto::Ending how, int value, std::string_view text) {
  if (state.reported) return;
  state.reported = true;
  proto::Encoder message(proto::Type::exited);
  message.number(static_cast<std::uint32_t>(how));
  message.number(static_cast<std::uint32_t>(value));
  message.text(text);
  tell(state, message);
}

// "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]" where argv[0] has
// alternatives, as AWS says.
std::string why_not_started(const Program& program, int error_number) {
  const auto tried = split(program.argv[0], ':');
  if (tried.size() > 1 && error_number == ENOENT) {
    std::string text = "Couldn't find valid bootstrap(s): [";
    bool first = true;
    for (const auto& file : tried) {
      if (file.rfind("/var/runtime/", 0) == 0) continue;
      if (!first) text += ' ';
      text += file;
      first = false;
    }
    return text + "]";
  }
  std::string text = "cannot start " + program.argv[0] + ": " + std::strerror(error_number);
  if (error_number == EACCES) text += " (is it executable?)";
  if (error_number == ENOEXEC) text += " (neither a program for this machine nor a script with #!)";
  return text;
}

void start(State& state, Program program) {
  if (state.runtime > 0 || program.argv.empty()) return;
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) die("pipe");
  const pid_t child = ::fork();
  if (child < 0) {
    report_end(state, proto::Ending::not_started, errno,
               "cannot fork: " + std::string(std::strerror(errno)));
    return;
  }
  if (child == 0) {
    ::close(report[0]);
    run_program(program, state, report[1]);
  }
  state.runtime = child;
  ::close(report[1]);
  ::close(state.log_write);
  state.log_write = -1;
  int error_number = 0;
  const ssize_t count = ::read(report[0], &error_number, sizeof error_number);
  ::close(report[0]);
  if (count == sizeof error_number) {
    report_end(state, proto::Ending::not_started, error_number,
               why_not_started(program, error_number));
    return;
  }
  proto::Encoder message(proto::Type::started);
  message.number(static_cast<std::uint32_t>(child));
  tell(state, message);
}

int listen_runtime_api() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) die("make the Runtime API's socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kRuntimeApiPort);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    die("bind 127.0.0.1:9001");
  if (::listen(fd, 64) != 0) die("listen on 127.0.0.1:9001");
  return fd;
}

// A socket connected to 127.0.0.1:port, or -1 with errno. Over loopback the answer is there at
// once.
int connect_inside(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  int error_number = errno;
  if (error_number == EINPROGRESS) {
    // A full backlog: wait a moment, no more, because this is the only thread.
    pollfd wait{fd, POLLOUT, 0};
    if (::poll(&wait, 1, 100) == 1) {
      socklen_t length = sizeof error_number;
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &length);
      if (error_number == 0) return fd;
    } else {
      error_number = ETIMEDOUT;
    }
  }
  ::close(fd);
  errno = error_number;
  return -1;
}

void serve_connect(const State& state, std::uint32_t id, std::uint16_t port) {
  const int fd = connect_inside(port);
  if (fd < 0) {
    proto::Encoder message(proto::Type::refused);
    message.number(id);
    message.number(static_cast<std::uint32_t>(errno));
    tell(state, message);
    return;
  }
  proto::Encoder message(proto::Type::connected);
  message.number(id);
  tell(state, message, {fd});
  ::close(fd);
}

void handle(State& state, std::string_view bytes) {
  proto::Decoder message(bytes);
  switch (message.type()) {
    case proto::Type::start: {
      Program program;
      program.argv = message.texts();
      program.environment = message.texts();
      program.directory = message.text();
      program.open_files = message.number();
      if (message.ok()) start(state, std::move(program));
      break;
    }
    case proto::Type::connect: {
      const auto id = message.number();
      const auto port = message.number();
      if (message.ok() && port <= 65535) serve_connect(state, id, static_cast<std::uint16_t>(port));
      break;
    }
    case proto::Type::terminate:
      if (state.runtime > 0) ::kill(-state.runtime, SIGTERM);
      break;
    default:
      break;
  }
}

void reap(State& state) {
  signalfd_siginfo drained{};
  while (::read(state.signals, &drained, sizeof drained) > 0) {
  }
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != state.runtime) continue;
    if (WIFSIGNALED(status)) report_end(state, proto::Ending::signal, WTERMSIG(status), "");
    if (WIFEXITED(status)) report_end(state, proto::Ending::exit, WEXITSTATUS(status), "");
  }
}

int find_control(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--fd") return std::atoi(argv[2]);
  if (argc != 3 || std::string_view(argv[1]) != "--connect") {
    std::fputs(
        "lambda-init is pid 1 of a sandbox and is started by lambdad: lambda-init --fd N | "
        "--connect PATH\n",
        stderr);
    std::_Exit(2);
  }
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, argv[2], sizeof address.sun_path - 1);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    die("connect to the server");
  return fd;
}

void hello(State& state) {
  int log[2];
  if (::pipe2(log, O_CLOEXEC) != 0) die("make the log pipe");
  const int listener = listen_runtime_api();
  proto::Encoder message(proto::Type::hello);
  message.number(proto::kVersion);
  if (!proto::send_message(state.control, message.bytes(), {listener, log[0]}))
    die("greet the server");
  // Close our copies: when the server's are gone too, the function sees it.
  ::close(listener);
  ::close(log[0]);
  state.log_write = log[1];
}

}  // namespace

int main(int argc, char** argv) {
  State state;
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  state.control = find_control(argc, argv);
  ::fcntl(state.control, F_SETFD, FD_CLOEXEC);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  state.signals = ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (state.signals < 0) die("make a signal descriptor");
  hello(state);
  while (true) {
    pollfd waits[2] = {{state.control, POLLIN, 0}, {state.signals, POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) die("poll");
    if (waits[1].revents != 0) reap(state);
    if (waits[0].revents != 0) {
      auto received = proto::receive_message(state.control, proto::kMaxMessage);
      for (const int fd : received.descriptors) ::close(fd);
      if (received.kind == proto::Received::Kind::message) {
        handle(state, received.bytes);
      } else if (received.kind != proto::Received::Kind::again) {
        // The server let go, or is gone. Outside of a pid namespace (tests) the children must be
        // ended by name.
        if (::getpid() != 1 && state.runtime > 0) ::kill(-state.runtime, SIGKILL);
        std::_Exit(0);
      }
    }
  }
}
