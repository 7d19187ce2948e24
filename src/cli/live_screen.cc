#include "cli/live_screen.h"

#include "cli/output.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace lambda::cli {
namespace {

constexpr std::array<int, 3> kEnding = {SIGINT, SIGTERM, SIGHUP};

// What a signal's handler needs to leave the terminal as it was.
struct Held {
  termios terminal{};
  volatile std::sig_atomic_t changed = 0;
  std::array<struct sigaction, kEnding.size()> actions{};
};
Held& held() {
  static Held all;
  return all;
}

void give_back() {
  if (held().changed != 0) ::tcsetattr(STDIN_FILENO, TCSANOW, &held().terminal);
  held().changed = 0;
}

// Also in the middle of a request: nobody waits for its answer any more.
void end_program(int signal) {
  give_back();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

ScreenSize screen_size() {
  winsize size{};
  if (!is_terminal(STDOUT_FILENO) || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

LiveScreen::LiveScreen() : in_place_(can_redraw(STDOUT_FILENO)) {
  keys_ = is_terminal(STDOUT_FILENO) && ::tcgetattr(STDIN_FILENO, &held().terminal) == 0;
  struct sigaction action {};
  action.sa_handler = end_program;
  for (std::size_t i = 0; i < kEnding.size(); ++i) {
    auto& before = held().actions[i];
    ::sigaction(kEnding[i], nullptr, &before);
    // What is ignored (nohup) stays ignored.
    if (before.sa_handler != SIG_IGN) ::sigaction(kEnding[i], &action, nullptr);
  }
  take_keys();
}

LiveScreen::~LiveScreen() {
  give_back();
  for (std::size_t i = 0; i < kEnding.size(); ++i)
    ::sigaction(kEnding[i], &held().actions[i], nullptr);
}

// Each by itself, and not shown. Again and again: a shell that had the terminal meanwhile (Ctrl-Z)
// has set it as it likes.
void LiveScreen::take_keys() {
  if (!keys_ || ::tcgetpgrp(STDIN_FILENO) != ::getpgrp()) return;
  termios wanted = held().terminal;
  held().changed = 1;
  wanted.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &wanted);
}

bool LiveScreen::draw(const std::vector<std::string>& lines) {
  std::string text;
  take_keys();
  if (in_place_) {
    const auto columns = screen_size().columns;
    if (!first_ && columns != columns_) {
      text += "\x1B[2J\x1B[H";  // what was drawn is broken into other lines now
    } else if (drawn_ > 0) {
      text += "\x1B[" + std::to_string(drawn_) + "A\r";
    }
    columns_ = columns;
    for (const auto& line : lines) text += line + "\x1B[K\n";
    text += "\x1B[J";
    drawn_ = lines.size();
  } else {
    if (!first_) text += "\n";
    for (const auto& line : lines) text += line + "\n";
  }
  first_ = false;
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0;
}

bool LiveScreen::wait(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&input, keys_ ? 1 : 0, static_cast<int>(left.count()));
    if (ready <= 0) continue;
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) <= 0) {
      keys_ = false;  // nobody types any more
    } else if (key == 'q' || key == 'Q') {
      return false;
    }
  }
}

}  // namespace lambda::cli
