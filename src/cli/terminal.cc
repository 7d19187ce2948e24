#include "cli/terminal.h"

#include <cstdlib>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace lambda::cli {

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}

std::size_t terminal_width(int descriptor) {
  winsize size{};
  if (!is_terminal(descriptor) || ::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

bool can_redraw(int descriptor) {
  const char* kind = std::getenv("TERM");
  return is_terminal(descriptor) && kind != nullptr && *kind != '\0' &&
         std::string_view(kind) != "dumb";
}

bool wants_colour(int descriptor) {
  const char* unwanted = std::getenv("NO_COLOR");
  return can_redraw(descriptor) && (unwanted == nullptr || *unwanted == '\0');
}

std::string coloured(std::string_view text, Colour colour, bool wanted) {
  const auto in = [text](std::string_view code) {
    return "\x1B[" + std::string(code) + "m" + std::string(text) + "\x1B[0m";
  };
  if (!wanted) return std::string(text);
  switch (colour) {
    case Colour::none:
      break;
    case Colour::green:
      return in("32");
    case Colour::yellow:
      return in("33");
    case Colour::red:
      return in("31");
    case Colour::dim:
      return in("2");
    case Colour::bold:
      return in("1");
  }
  return std::string(text);
}

}  // namespace lambda::cli
