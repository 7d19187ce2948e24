// Steps: signals wait -> the terminal is silent -> the prompt -> a line, or a signal, which comes
// in between two bytes alone -> the terminal as it was -> what the signal wants.
#include "cli/hidden_input.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

namespace lambda::cli {
namespace {

// Whatever else would end or stop the program while nothing that is typed can be seen.
constexpr std::array<int, 5> kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

volatile std::sig_atomic_t came = 0;

void note(int signal) {
  came = signal;
}

// While it lives the terminal shows nothing that is typed, and signals wait.
class Silence {
 public:
  Silence() {
    sigset_t waiting;
    ::sigemptyset(&waiting);
    for (const int signal : kSignals) ::sigaddset(&waiting, signal);
    ::sigprocmask(SIG_BLOCK, &waiting, &mask_);
    struct sigaction noted {};
    noted.sa_handler = note;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], nullptr, &actions_[i]);
      // What is ignored (nohup) stays ignored.
      if (actions_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &noted, nullptr);
    }
    known_ = ::tcgetattr(STDIN_FILENO, &terminal_) == 0;
    auto silent = terminal_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    // Before the prompt: what is typed or pasted after it is neither shown nor thrown away.
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Silence() {
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_);
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &actions_[i], nullptr);
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  // Nothing to read once a signal came, also where that was just before: it comes in here alone.
  bool next_byte(char& c) const {
    fd_set terminal;
    FD_ZERO(&terminal);
    FD_SET(STDIN_FILENO, &terminal);
    return ::pselect(STDIN_FILENO + 1, &terminal, nullptr, nullptr, nullptr, &mask_) == 1 &&
           ::read(STDIN_FILENO, &c, 1) == 1;
  }

 private:
  sigset_t mask_{};
  std::array<struct sigaction, kSignals.size()> actions_{};
  termios terminal_{};
  bool known_ = false;
};

std::string ask(const std::string& prompt) {
  const Silence silence;
  std::fputs(prompt.c_str(), stderr);
  std::string line;
  char c = 0;
  while (silence.next_byte(c) && c != '\n') line += c;
  std::fputc('\n', stderr);
  return line;
}

}  // namespace

std::optional<std::string> read_hidden_line(const std::string& prompt) {
  while (true) {
    came = 0;
    auto line = ask(prompt);
    if (came == 0) {
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    if (came == SIGINT) return std::nullopt;
    // Ends the program, or stops it until somebody goes on with it: then it is asked for anew.
    ::raise(came);
  }
}

}  // namespace lambda::cli
