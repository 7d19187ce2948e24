#include "cli/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace lambda::cli {
namespace {

// An eighth of a row to a whole one.
constexpr std::array<std::string_view, 9> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, 5> kAscii = {" ", ".", ":", "|", "#"};

std::vector<double> fitted_to(const std::vector<double>& values, std::size_t columns) {
  if (values.size() <= columns) {
    std::vector<double> all(columns - values.size(), 0.0);
    all.insert(all.end(), values.begin(), values.end());
    return all;
  }
  std::vector<double> fitted(columns, 0.0);
  if (columns == 0) return fitted;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto& column = fitted[i * columns / values.size()];
    column = std::max(column, values[i]);
  }
  return fitted;
}

}  // namespace

Glyphs glyphs_of(const std::function<const char*(const char*)>& get) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = get(name);
    if (value == nullptr || *value == '\0') continue;
    std::string locale(value);
    std::ranges::transform(locale, locale.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    const bool utf8 = locale.find("utf-8") != std::string::npos || locale.ends_with("utf8");
    return utf8 ? Glyphs::blocks : Glyphs::ascii;
  }
  return Glyphs::ascii;
}

std::vector<std::string> chart(const std::vector<double>& values, std::size_t columns,
                               std::size_t rows, Glyphs glyphs) {
  std::vector<std::string> lines(rows);
  const auto fitted = fitted_to(values, columns);
  const double most = fitted.empty() ? 0.0 : *std::ranges::max_element(fitted);
  const auto steps =
      static_cast<int>((glyphs == Glyphs::blocks ? kBlocks.size() : kAscii.size()) - 1);
  for (const double value : fitted) {
    // In steps, over all rows.
    int height = 0;
    if (value > 0.0 && most > 0.0) {
      height = std::max(1, static_cast<int>(std::lround(value / most * static_cast<double>(rows) *
                                                        static_cast<double>(steps))));
    }
    for (std::size_t row = 0; row < rows; ++row) {
      const auto below = static_cast<int>(rows - 1 - row) * steps;
      const auto here = static_cast<std::size_t>(std::clamp(height - below, 0, steps));
      lines[row] += glyphs == Glyphs::blocks ? kBlocks.at(here) : kAscii.at(here);
    }
  }
  return lines;
}

}  // namespace lambda::cli
