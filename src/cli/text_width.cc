#include "cli/text_width.h"

#include <algorithm>
#include <utf8proc.h>

namespace lambda::cli {
namespace {

constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Marks, embeddings, overrides and isolates of the writing direction.
bool turns_direction(utf8proc_int32_t character) {
  return character == 0x200E || character == 0x200F || character == 0x061C ||
         (character >= 0x202A && character <= 0x202E) ||
         (character >= 0x2066 && character <= 0x2069);
}

struct Character {
  std::string_view bytes;
  utf8proc_int32_t code = -1;  // -1: no UTF-8
};

// The next one of `text`, which is not empty; it is taken off.
Character take(std::string_view& text) {
  Character next;
  auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                               static_cast<utf8proc_ssize_t>(text.size()), &next.code);
  if (size <= 0) {
    next.code = -1;
    size = 1;
  }
  next.bytes = text.substr(0, static_cast<std::size_t>(size));
  text.remove_prefix(next.bytes.size());
  return next;
}

std::size_t width_of(const Character& character) {
  if (character.code < 0) return 1;
  return static_cast<std::size_t>(std::max(0, utf8proc_charwidth(character.code)));
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) width += width_of(take(text));
  return width;
}

std::string fitted(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::string made;
  std::size_t left = width - 1;
  while (!text.empty()) {
    const auto next = take(text);
    if (width_of(next) > left) break;
    left -= width_of(next);
    made += next.bytes;
  }
  return made.append(kEllipsis);
}

std::string shown_safely(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const auto next = take(text);
    if (next.code < 0) {
      safe += kReplacement;
    } else if (utf8proc_category(next.code) == UTF8PROC_CATEGORY_CC || turns_direction(next.code) ||
               next.code == 0x2028 || next.code == 0x2029) {
      safe += ' ';
    } else {
      safe += next.bytes;
    }
  }
  return safe;
}

}  // namespace lambda::cli
