#include "cli/progress_bar.h"

#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/text_width.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace lambda::cli {
namespace {

constexpr std::size_t kBarWidth = 20;

struct sigaction& usual_action() {
  static struct sigaction action {};
  return action;
}

void end_line_and_program(int signal) {
  const auto written = ::write(STDERR_FILENO, "\n", 1);
  static_cast<void>(written);
  // Blocked until this returns; then it ends the program as if nobody had listened.
  ::sigaction(signal, &usual_action(), nullptr);
  ::raise(signal);
}

int per_cent(std::uint64_t done, std::uint64_t size) {
  return size == 0 ? 100 : static_cast<int>(done * 100 / size);
}

}  // namespace

void OpenLine::begin() {
  if (begun_) return;
  struct sigaction ending {};
  ending.sa_handler = end_line_and_program;
  ::sigaction(SIGINT, &ending, &usual_action());
  begun_ = true;
}

void OpenLine::end() {
  if (begun_) ::sigaction(SIGINT, &usual_action(), nullptr);
  begun_ = false;
}

std::size_t room_for_bar() {
  constexpr std::size_t kMargin = 6;
  const auto columns = terminal_width(STDERR_FILENO);
  // The last column stays free: a terminal wraps there, or does not.
  return columns == 0 ? 0 : columns > kMargin + 2 ? columns - kMargin - 1 : 1;
}

ProgressBar::ProgressBar(std::string what, std::uint64_t size, bool wanted)
    : what_(std::move(what)), size_(size), wanted_(wanted) {}

ProgressBar::~ProgressBar() {
  close();
}

void ProgressBar::advance(std::uint64_t bytes) {
  done_ = std::min(size_, done_ + bytes);
  const auto now = per_cent(done_, size_);
  if (!wanted_ || now == shown_) return;
  line_.begin();
  shown_ = now;
  std::fprintf(stderr, "\r      %s", bar_text(what_, done_, size_, room_for_bar()).c_str());
  if (done_ >= size_) close();
}

void ProgressBar::close() {
  if (wanted_ && shown_ >= 0) {
    std::fputc('\n', stderr);
    line_.end();
  }
  wanted_ = false;
}

std::string bar_text(const std::string& what, std::uint64_t done, std::uint64_t size,
                     std::size_t width) {
  const auto full = size == 0 ? kBarWidth : static_cast<std::size_t>(done * kBarWidth / size);
  auto text =
      fmt::format("{} [{}{}] {:3}% of {}", what, std::string(full, '#'),
                  std::string(kBarWidth - full, ' '), per_cent(done, size), size_text(size));
  if (width == 0 || display_width(text) <= width) return text;
  return fitted(fmt::format("{} {:3}%", what, per_cent(done, size)), width);
}

}  // namespace lambda::cli
