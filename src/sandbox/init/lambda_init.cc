// lambda-init: pid 1 of every sandbox, in both back ends. Static, no allocation, one thread.
//
//   lambda-init --fd N           the control socket is descriptor N (native driver)
//               --runtime M      the runtime is forked by a zygote (native/zygote_protocol.h), and
//                                comes at the other end of descriptor M; where it does not,
//                                it is executed like any other
//   lambda-init --socket PATH --memory BYTES
//                                it is the SOCK_SEQPACKET socket at PATH (Docker driver), and init
//                                ends a function that holds more memory than that; the function
//                                cannot touch it (guard_filter.h)
//
// Steps: hide from the function (same uid) -> control socket -> loopback up, where allowed ->
// listener and log pipe -> hello -> serve commands and reap children until the socket closes.
// The function's process gets /dev/null, the log pipe, and no other descriptor.
#include "sandbox/init/guard_filter.h"
#include "sandbox/init/memory_guard.h"
#include "sandbox/init/protocol.h"

#include <climits>

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace lambda::sandbox::init;

// A zygote may be busy with others, or still starting.
constexpr int kForkMs = 2000;
// One that has said that it comes is ended sooner than that, if it stands still
// (native/zygotes.cc).
constexpr int kComingMs = 10'000;
constexpr int kShellNotFound = 127;
constexpr int kShellNotExecutable = 126;

// Zero pages until used; pid 1 allocates nothing. One byte more than a command may have, so that a
// longer one shows.
alignas(Command) char packet[kMaxCommandBytes + 1];
char* argument_list[kMaxArguments + 1];
char* variable_list[kMaxVariables + 1];

int control = -1;
int log_pipe = -1;
int null_device = -1;
pid_t runtime = -1;
int stem_socket = -1;    // to the runtime's process, while it waits for its function
int forked_socket = -1;  // to a runtime that is being forked for us, until it is needed
bool filled = false;     // kFilledSignal has come
std::size_t held = 0;    // size of the start command in `packet` that waits for it
MemoryGuard memory;

// Written by the child while it shares our memory (vfork), read after it is gone.
volatile int exec_error = 0;
char exec_text[sizeof(Report::text)];

bool send_with(int socket, const void* data, std::size_t size, const int* descriptors,
               std::size_t count) {
  iovec part{const_cast<void*>(data), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(4 * sizeof(int))] = {};
  if (count > 0) {
    message.msg_control = ancillary;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(size);
}

void send_report(const Report& report, const int* descriptors = nullptr, std::size_t count = 0) {
  send_with(control, &report, sizeof(report), descriptors, count);
}

[[noreturn]] void give_up(const char* what) {
  Report report;
  report.type = ReportType::failed;
  report.number = errno;
  std::snprintf(report.text, sizeof(report.text), "%s", what);
  if (control >= 0) send_report(report);
  ::dprintf(2, "lambda-init: %s: %s\n", what, std::strerror(report.number));
  ::_exit(1);
}

int connect_control(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::strcpy(address.sun_path, path);
  const int socket = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return -1;
  return socket;
}

// Needs CAP_NET_ADMIN over the network namespace; where init has none, the driver has done it.
void bring_loopback_up() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) == 0) {
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    ::ioctl(socket, SIOCSIFFLAGS, &request);
  }
  ::close(socket);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int listen_for_runtime() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) give_up("make the Runtime API's socket");
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const sockaddr_in address = loopback(kListenPort);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    give_up("bind 127.0.0.1:9001");
  if (::listen(socket, 64) != 0) give_up("listen on 127.0.0.1:9001");
  return socket;
}

void say_hello() {
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) give_up("make the log pipe");
  log_pipe = pipe_ends[1];
  const int listener = listen_for_runtime();
  Report report;
  report.type = ReportType::hello;
  report.number = static_cast<std::int32_t>(kProtocolVersion);
  const int descriptors[4] = {listener, pipe_ends[0], memory.peak(), memory.charged()};
  send_report(report, descriptors, memory.guards() ? 4 : 2);
  // Ours would keep the port open and the pipe alive after the server closed its own.
  ::close(listener);
  ::close(pipe_ends[0]);
}

void note_exec_error(const char* what, const char* subject) {
  exec_error = errno;
  std::snprintf(exec_text, sizeof(exec_text), "%s %.150s: %s", what, subject, std::strerror(errno));
}

// Where a file that is there starts by a program that is not: the interpreter of a script's first
// line, the loader of an ELF. "" where neither can be told.
const char* missing_interpreter(const char* program) {
  static char head[4'096];
  const int file = ::open(program, O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  const auto got = ::pread(file, head, sizeof(head) - 1, 0);
  ::close(file);
  if (got < 2) return "";
  head[got] = '\0';
  char* name = nullptr;
  if (head[0] == '#' && head[1] == '!') {
    name = head + 2 + std::strspn(head + 2, " \t");
    name[std::strcspn(name, " \t\r\n")] = '\0';
  } else if (static_cast<std::size_t>(got) > sizeof(Elf64_Ehdr) &&
             std::memcmp(head, ELFMAG, SELFMAG) == 0) {
    Elf64_Ehdr elf;
    std::memcpy(&elf, head, sizeof(elf));
    for (unsigned i = 0; i < elf.e_phnum; ++i) {
      const auto at = elf.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr);
      Elf64_Phdr part;
      if (at > sizeof(head) - sizeof(part)) break;
      std::memcpy(&part, head + at, sizeof(part));
      if (part.p_type == PT_INTERP && part.p_offset < static_cast<std::uint64_t>(got))
        name = head + part.p_offset;
    }
  }
  return name != nullptr && ::access(name, F_OK) != 0 ? name : "";
}

void note_not_executed(const char* program) {
  const int error = errno;
  const char* missing = error == ENOENT ? missing_interpreter(program) : "";
  errno = error;
  note_exec_error("cannot execute", program);
  if (*missing != '\0') {
    std::snprintf(exec_text, sizeof(exec_text),
                  "cannot execute %.80s: it needs %.80s, which the sandbox does not have", program,
                  missing);
  } else if (error == ENOEXEC) {
    std::snprintf(exec_text, sizeof(exec_text),
                  "cannot execute %.80s: it is no program for this machine; a script begins with "
                  "#! and its interpreter, such as #!/bin/sh",
                  program);
  }
}

// Lowers a limit; raising one would need a privilege that the function must not have.
void lower_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < value) value = limit.rlim_max;
  limit.rlim_cur = value;
  limit.rlim_max = value;
  ::setrlimit(resource, &limit);
}

const char* variable(const char* name) {
  const std::size_t length = std::strlen(name);
  for (char** entry = variable_list; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
      return *entry + length + 1;
  }
  return nullptr;
}

// execvpe, by the PATH of the new environment: the first that can be executed; of those that
// cannot, the most telling error.
void execute() {
  char* program = argument_list[0];
  if (std::strchr(program, '/') != nullptr) {
    ::execve(program, argument_list, variable_list);
    note_not_executed(program);
    return;
  }
  const char* path = variable("PATH");
  if (path == nullptr || *path == '\0') path = "/usr/local/bin:/usr/bin:/bin";
  int telling = ENOENT;
  int unfit_error = 0;
  char unfit[PATH_MAX];
  for (const char* part = path; part != nullptr;) {
    const char* end = std::strchr(part, ':');
    const int length =
        end != nullptr ? static_cast<int>(end - part) : static_cast<int>(std::strlen(part));
    char candidate[PATH_MAX];
    if (std::snprintf(candidate, sizeof(candidate), "%.*s/%s", length, length > 0 ? part : ".",
                      program) < PATH_MAX) {
      ::execve(candidate, argument_list, variable_list);
      const int error = errno;
      // Of a file that is there ENOENT means its interpreter.
      const bool there = error == ENOENT ? ::access(candidate, F_OK) == 0 : error == ENOEXEC;
      if (there && unfit_error == 0) {
        unfit_error = error;
        std::memcpy(unfit, candidate, sizeof(unfit));
      }
      if (error != ENOENT && error != ENOTDIR) telling = error;
    }
    part = end != nullptr ? end + 1 : nullptr;
  }
  if (unfit_error != 0) {
    errno = unfit_error;
    note_not_executed(unfit);
    return;
  }
  exec_error = telling;
  std::snprintf(exec_text, sizeof(exec_text), "cannot execute %.60s: %s in PATH %.120s", program,
                telling == ENOENT ? "not found" : std::strerror(telling), path);
}

// In the child, which borrows our memory until it executes or ends.
[[noreturn]] void become_runtime(const char* directory, rlim_t open_files, pid_t guard, int stem) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int number = 1; number <= SIGRTMAX; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(null_device, 0);
  ::dup2(log_pipe, 1);
  ::dup2(log_pipe, 2);
  if (stem >= 0) {
    ::dup2(stem, 3);
    ::fcntl(3, F_SETFD, 0);
  }
  ::close_range(stem >= 0 ? 4 : 3, ~0u, 0);
  if (open_files > 0) lower_limit(RLIMIT_NOFILE, open_files);
  // Not 0: a core_pattern that is a program would be started all the same.
  lower_limit(RLIMIT_CORE, 1);
  lower_limit(RLIMIT_RTPRIO, 0);
  lower_limit(RLIMIT_NICE, 0);
  if (::chdir(directory) != 0) {
    note_exec_error("cannot enter the working directory", directory);
  } else if (guard > 0 && !keep_off(guard)) {
    note_exec_error("cannot install", "the seccomp filter that keeps a function off its guard");
  } else {
    execute();
  }
  ::_exit(kShellNotFound);
}

void report_exec_failure() {
  Report report;
  report.type = ReportType::exited;
  report.number = exec_error == ENOENT ? kShellNotFound : kShellNotExecutable;
  std::memcpy(report.text, exec_text, sizeof(report.text));
  send_report(report);
}

// Puts the path of the first executable bootstrap in place of the word.
bool find_bootstrap(std::int32_t index) {
  for (const char* candidate : kBootstraps) {
    struct stat status {};
    if (::stat(candidate, &status) == 0 && S_ISREG(status.st_mode) &&
        ::access(candidate, X_OK) == 0) {
      argument_list[index] = const_cast<char*>(candidate);
      return true;
    }
  }
  exec_error = ENOENT;
  std::snprintf(exec_text, sizeof(exec_text), "%s", kNoBootstrap);
  return false;
}

// The strings behind a start command, as arrays that point into the packet. False: malformed.
bool take_strings(const Command& command, std::size_t size, const char** directory) {
  if (command.arguments == 0 || command.arguments > kMaxArguments) return false;
  if (command.variables > kMaxVariables) return false;
  char* at = packet + sizeof(Command);
  char* const end = packet + size;
  auto next = [&at, end]() -> char* {
    auto* stop = static_cast<char*>(std::memchr(at, '\0', static_cast<std::size_t>(end - at)));
    if (at == end || stop == nullptr) return nullptr;
    char* text = at;
    at = stop + 1;
    return text;
  };
  *directory = next();
  if (*directory == nullptr) return false;
  for (std::uint32_t i = 0; i < command.arguments; ++i) {
    argument_list[i] = next();
    if (argument_list[i] == nullptr) return false;
  }
  argument_list[command.arguments] = nullptr;
  for (std::uint32_t i = 0; i < command.variables; ++i) {
    variable_list[i] = next();
    if (variable_list[i] == nullptr) return false;
  }
  variable_list[command.variables] = nullptr;
  return at == end;
}

// The name and the content behind a file command, as a file of /run/secrets. An errno, or 0.
int write_file(std::size_t size) {
  const char* name = packet + sizeof(Command);
  const char* const end = packet + size;
  const auto* stop =
      static_cast<const char*>(std::memchr(name, '\0', static_cast<std::size_t>(end - name)));
  if (stop == nullptr || stop == name || std::strchr(name, '/') != nullptr || *name == '.')
    return EINVAL;
  const int directory = ::open(kSecretDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return errno;
  // Its own to change, but nothing that happens by mistake.
  ::fchmod(directory, 0700);
  const int file =
      ::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
  int error = file < 0 ? errno : 0;
  for (const char* at = stop + 1; error == 0 && at < end;) {
    const ssize_t count = ::write(file, at, static_cast<std::size_t>(end - at));
    if (count > 0) at += count;
    if (count < 0 && errno != EINTR) error = errno;
  }
  if (file >= 0) ::close(file);
  ::fchmod(directory, 0500);
  ::close(directory);
  return error;
}

void take_file(const Command& command, std::size_t size) {
  Report report;
  report.type = ReportType::written;
  report.request = command.request;
  report.number = runtime == -1 || stem_socket >= 0 ? write_file(size) : EBUSY;
  ::explicit_bzero(packet, size);
  send_report(report);
}

// The runtime's process, by the strings of a command. `stem`: its descriptor 3; -1: none. False
// where it could not be executed: exec_error and exec_text say why.
bool launch(const Command& command, std::size_t size, int stem) {
  const char* directory = nullptr;
  errno = EINVAL;
  if (!take_strings(command, size, &directory)) give_up("read the start command");
  const auto bootstrap = command.bootstrap_argument;
  if (bootstrap >= static_cast<std::int32_t>(command.arguments)) give_up("read the start command");
  runtime = 0;
  if (bootstrap >= 0 && !find_bootstrap(bootstrap)) return false;
  const pid_t guard = memory.guards() ? ::getpid() : 0;
  // NOLINTNEXTLINE(bugprone-unsafe-functions): the child only makes system calls, then execs
  const pid_t child = ::vfork();
  if (child == 0) become_runtime(directory, command.open_files, guard, stem);
  if (child < 0) give_up("start the runtime's process");
  // The function has its environment by now, or never will.
  ::explicit_bzero(packet, size);
  // The pipe must end when the last process of the function does.
  ::close(log_pipe);
  if (exec_error != 0) {
    ::waitpid(child, nullptr, 0);
    return false;
  }
  runtime = child;
  return true;
}

void report_started() {
  Report report;
  report.type = ReportType::started;
  report.number = runtime;
  send_report(report);
}

bool send_all(const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = ::send(stem_socket, at, size, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) return false;
    if (count <= 0) continue;
    at += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

void hand_over(const Command& command, std::size_t size) {
  if (command.open_files > 0) {
    rlimit limit{};
    const rlim_t wanted = command.open_files;
    if (::prlimit(runtime, RLIMIT_NOFILE, nullptr, &limit) == 0 &&
        (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > wanted)) {
      limit = {wanted, wanted};
      ::prlimit(runtime, RLIMIT_NOFILE, &limit, nullptr);
    }
  }
  HandOver header;
  header.arguments = command.arguments;
  header.variables = command.variables;
  header.bytes = static_cast<std::uint32_t>(size - sizeof(Command));
  const bool sent = send_all(&header, sizeof(header)) &&
                    send_all(packet + sizeof(Command), size - sizeof(Command));
  ::explicit_bzero(packet, size);
  ::close(stem_socket);
  stem_socket = -1;
  if (!sent) give_up("hand over to a runtime that was started ahead of its function");
  report_started();
}

// False: neither that nor the end of what it comes from, in this time.
bool is_there(int socket, short what, int milliseconds) {
  pollfd watched{socket, what, 0};
  int ready = -1;
  do {
    ready = ::poll(&watched, 1, milliseconds);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

bool take_word(int socket, std::int32_t* word) {
  return ::recv(socket, word, sizeof(*word), MSG_DONTWAIT) == sizeof(*word);
}

// Its pid, from a runtime that is forked for us; -1: none comes, and nobody can enter any more.
//
// Whoever enters has said so before, and could: after shutdown() the kernel refuses the word, so
// that it is there now or never comes. Once it is there, nothing of a function may run before all
// that is about to enter has ended, which is when nobody has the other end any more.
std::int32_t wait_forked(int socket) {
  const char byte = 0;
  const int given[2] = {null_device, log_pipe};
  const bool sent = send_with(socket, &byte, 1, given, 2);
  if (!sent || !is_there(socket, POLLIN, kForkMs)) ::shutdown(socket, SHUT_RD);
  std::int32_t word = -1;
  if (!take_word(socket, &word) || word != kComing) return -1;
  const bool said = is_there(socket, POLLIN, kComingMs);
  if (said && take_word(socket, &word) && word > 1) return word;
  errno = ETIMEDOUT;
  if (!said || !is_there(socket, 0, kComingMs)) give_up("take over a runtime that is being forked");
  return -1;
}

// Takes over the runtime that a zygote has forked into this sandbox; it is our child like one that
// we started. False: there is none.
bool adopt() {
  if (forked_socket < 0) return false;
  const int socket = forked_socket;
  forked_socket = -1;
  const auto pid = wait_forked(socket);
  if (pid < 0) {
    // An order that is carried out later finds nobody.
    ::close(socket);
    return false;
  }
  runtime = pid;
  stem_socket = socket;
  ::close(log_pipe);
  return true;
}

void start(const Command& command, std::size_t size) {
  if (command.when_filled != 0 && !filled) {
    held = size;
    return;
  }
  if (stem_socket >= 0 && runtime > 0) return hand_over(command, size);
  errno = EINVAL;
  if (runtime != -1) give_up("read the start command");
  if (adopt()) return hand_over(command, size);
  if (launch(command, size, -1)) {
    report_started();
  } else {
    report_exec_failure();
  }
}

void start_stem(const Command& command, std::size_t size) {
  errno = EINVAL;
  if (runtime != -1) give_up("read the stem command");
  if (adopt()) return;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    give_up("make the stem's socket");
  const bool launched = launch(command, size, ends[1]);
  errno = exec_error;
  if (!launched) give_up("start a runtime ahead of its function");
  ::close(ends[1]);
  stem_socket = ends[0];
}

// A socket that connects at once, or soon (a full backlog): the server waits for that, not we.
void connect_inside(const Command& command) {
  Report report;
  report.request = command.request;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_in address = loopback(static_cast<std::uint16_t>(command.port));
  if (socket >= 0 &&
      (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
       errno == EINPROGRESS)) {
    report.type = ReportType::connected;
    send_report(report, &socket, 1);
  } else {
    report.type = ReportType::connect_failed;
    report.number = errno;
    send_report(report);
  }
  if (socket >= 0) ::close(socket);
}

[[noreturn]] void end_everything() {
  // As pid 1 our end is everyone's; elsewhere (tests) the runtime's group must be told.
  if (runtime > 0 && ::getpid() != 1) ::kill(-runtime, SIGKILL);
  ::_exit(0);
}

void take_command() {
  const ssize_t size = ::recv(control, packet, sizeof(packet), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) end_everything();
  errno = EPROTO;
  const auto length = static_cast<std::size_t>(size);
  if (length < sizeof(Command) || length > kMaxCommandBytes) give_up("read a command");
  Command command;
  std::memcpy(&command, packet, sizeof(command));
  switch (command.type) {
    case CommandType::start:
      return start(command, length);
    case CommandType::connect:
      return connect_inside(command);
    case CommandType::terminate:
      if (runtime > 0) ::kill(runtime, SIGTERM);
      return;
    case CommandType::file:
      return take_file(command, length);
    case CommandType::stem:
      return start_stem(command, length);
  }
  give_up("know a command");
}

void reap() {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
       pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid != runtime) continue;
    errno = ECHILD;
    // No function is to blame.
    if (stem_socket >= 0) give_up("keep a runtime that was started ahead of its function");
    runtime = 0;
    Report report;
    report.type = ReportType::exited;
    report.number = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    report.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    // A runtime that survived the death of one of its children ended for a reason of its own.
    report.out_of_memory = report.signal == SIGKILL && memory.kernel_killed() ? 1 : 0;
    send_report(report);
  }
}

void check_memory() {
  if (!memory.look()) return;
  if (runtime > 0) {
    Report report;
    report.type = ReportType::exited;
    report.number = -1;
    report.signal = SIGKILL;
    report.out_of_memory = 1;
    send_report(report);
  }
  end_everything();
}

void take_signals(int signals) {
  signalfd_siginfo info;
  while (::read(signals, &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == static_cast<std::uint32_t>(kFilledSignal)) filled = true;
  }
  reap();
  if (held == 0 || !filled) return;
  Command command;
  std::memcpy(&command, packet, sizeof(command));
  const std::size_t size = held;
  held = 0;
  start(command, size);
}

[[noreturn]] void serve(int signals) {
  while (true) {
    // While a command is held, the next one waits in the socket; its end is seen all the same.
    const short from_server = held == 0 ? POLLIN : 0;
    pollfd watched[2] = {{control, from_server, 0}, {signals, POLLIN, 0}};
    const int ready = ::poll(watched, 2, memory.pause());
    check_memory();
    if (ready <= 0) continue;
    if (watched[1].revents != 0) take_signals(signals);
    if ((watched[0].revents & POLLIN) != 0) {
      take_command();
    } else if (watched[0].revents != 0) {
      end_everything();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  // The function runs with our uid: it must not read our memory, descriptors or environment.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NAME, "lambda-init");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  do {
    null_device = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (null_device >= 0 && null_device <= 2);
  if (null_device < 0) give_up("open /dev/null");
  if ((argc == 3 || (argc == 5 && std::strcmp(argv[3], "--runtime") == 0)) &&
      std::strcmp(argv[1], "--fd") == 0) {
    if (argc == 5) {
      forked_socket = std::atoi(argv[4]);
      if (forked_socket <= 2 || ::fcntl(forked_socket, F_SETFD, FD_CLOEXEC) != 0)
        give_up("take over --runtime");
    }
    control = std::atoi(argv[2]);
    if (control <= 2 || ::fcntl(control, F_SETFD, FD_CLOEXEC) != 0) give_up("take over --fd");
  } else if (argc == 5 && std::strcmp(argv[1], "--socket") == 0 &&
             std::strcmp(argv[3], "--memory") == 0) {
    control = connect_control(argv[2]);
    if (control < 0) give_up("connect to the control socket");
    if (!memory.open(std::strtoull(argv[4], nullptr, 10)))
      give_up("find its memory cgroup below /sys/fs/cgroup");
  } else {
    ::dprintf(2,
              "usage: lambda-init --fd NUMBER [--runtime NUMBER] | --socket PATH --memory BYTES\n");
    return 2;
  }
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, kFilledSignal);
  ::sigprocmask(SIG_BLOCK, &awaited, nullptr);
  const int signals = ::signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) give_up("watch for children");
  bring_loopback_up();
  say_hello();
  serve(signals);
}
