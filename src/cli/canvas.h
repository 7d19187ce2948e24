// What can be drawn on.
#pragma once

#include "cli/chart.h"

#include <cstddef>

namespace lambda::cli {

struct Canvas {
  std::size_t width = 80;  // columns
  std::size_t height = 0;  // lines; 0: no end
  Glyphs glyphs = Glyphs::ascii;
};
// As wide as the terminal is, and `otherwise` where it is none; blocks where its locale is UTF-8.
// Main thread.
[[nodiscard]] Canvas canvas_of(int descriptor, std::size_t otherwise);

}  // namespace lambda::cli
