// Small bar charts of text: a column a value, blocks where the terminal has them, else ASCII. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lambda::cli {

enum class Glyphs { blocks, ascii };
// Blocks where the environment names an UTF-8 locale. `get` is std::getenv, or a test's.
[[nodiscard]] Glyphs glyphs_of(const std::function<const char*(const char*)>& get);

// One line a row, the top row first. The largest value fills its column; what is above zero is
// seen. Where there are more values than columns, a column has the largest of its values, and of
// fewer the columns on the right stay; oldest first, as the values.
[[nodiscard]] std::vector<std::string> chart(const std::vector<double>& values, std::size_t columns,
                                             std::size_t rows, Glyphs glyphs);

}  // namespace lambda::cli
