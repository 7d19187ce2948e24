#include "cli/build_bar.h"

#include "cli/terminal.h"
#include "cli/text_width.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace lambda::cli {

void BuildBar::read(std::string_view text) {
  // What begins a step is short; no line needs to be kept whole.
  constexpr std::size_t kKept = 64;
  for (const char c : text) {
    if (c != '\n') {
      if (line_.size() < kKept) line_ += c;
      continue;
    }
    int step = 0;
    int steps = 0;
    if (std::sscanf(line_.c_str(), "Step %d/%d", &step, &steps) == 2 && step > 0 && step <= steps) {
      step_ = step;
      steps_ = steps;
    }
    line_.clear();
  }
}

void BuildBar::show() {
  if (!wanted_ || shown_ || steps_ == 0) return;
  open_.begin();
  std::fprintf(stderr, "      %s", build_text(step_, steps_, room_for_bar()).c_str());
  shown_ = true;
}

void BuildBar::hide() {
  if (!shown_) return;
  std::fputs("\r\x1B[K", stderr);
  open_.end();
  shown_ = false;
}

std::string build_text(int step, int steps, std::size_t width) {
  constexpr int kBarWidth = 20;
  const auto full = static_cast<std::size_t>((step - 1) * kBarWidth / std::max(1, steps));
  const auto text = fmt::format("Building [{}{}] step {} of {}", std::string(full, '#'),
                                std::string(kBarWidth - full, ' '), step, steps);
  return width == 0 || display_width(text) <= width
             ? text
             : fitted(fmt::format("Building {}/{}", step, steps), width);
}

}  // namespace lambda::cli
