#include "cli/canvas.h"

#include "cli/terminal.h"

#include <cstdlib>

namespace lambda::cli {

Canvas canvas_of(int descriptor, std::size_t otherwise) {
  Canvas canvas;
  const auto columns = terminal_width(descriptor);
  canvas.width = columns == 0 ? otherwise : columns;
  canvas.glyphs = glyphs_of([](const char* name) { return std::getenv(name); });
  return canvas;
}

}  // namespace lambda::cli
