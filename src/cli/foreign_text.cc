#include "cli/foreign_text.h"

#include "base/encoding.h"
#include "cli/terminal.h"

#include <algorithm>

namespace lambda::cli {
namespace {

// Bytes of the colour sequence that begins the text: ESC [ digits and semicolons m.
std::size_t colour_length(std::string_view text) {
  if (!text.starts_with("\x1B[")) return 0;
  const auto end = text.find_first_not_of("0123456789;", 2);
  return end == std::string_view::npos || text[end] != 'm' ? 0 : end + 1;
}

std::string with_escapes(std::string_view text, bool colours, std::string_view kept) {
  std::string shown;
  while (!text.empty()) {
    if (const auto length = colour_length(text); length > 0) {
      if (colours) shown += text.substr(0, length);
      text.remove_prefix(length);
    } else if (kept.find(text.front()) != std::string_view::npos) {
      shown += text.front();
      text.remove_prefix(1);
    } else {
      const auto end = std::min(text.find('\x1B', 1), text.find_first_of(kept, 1));
      shown += escape_controls(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end);
    }
  }
  return shown;
}

}  // namespace

std::string tamed(std::string_view text, bool colours) {
  return with_escapes(text, colours, "\t\n");
}

std::string tamed_line(std::string_view text, bool colours) {
  return with_escapes(text, colours, "\t");
}

std::string for_person(std::string_view text, int descriptor) {
  return is_terminal(descriptor) ? tamed(text, wants_colour(descriptor)) : std::string(text);
}

}  // namespace lambda::cli
