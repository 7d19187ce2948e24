#include "cli/table.h"

#include "cli/terminal.h"
#include "cli/text_width.h"

#include <algorithm>
#include <numeric>

namespace lambda::cli {
namespace {

constexpr std::size_t kGap = 2;
// A column that is cut keeps so much.
constexpr std::size_t kLeastWidth = 6;
constexpr std::size_t kLeastName = 12;
// At a terminal that is narrower still.
constexpr std::size_t kBarely = 2;

ListingStyle& style_in_use() {
  static ListingStyle style;
  return style;
}

// Takes from the widest of them, a column of the screen at a time. Returns what is still too much.
std::size_t shrink(std::vector<std::size_t>& widths, std::size_t begin, std::size_t end,
                   std::size_t least, std::size_t excess) {
  if (begin >= end) return excess;
  const auto first = widths.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = widths.begin() + static_cast<std::ptrdiff_t>(end);
  for (; excess > 0; --excess) {
    const auto widest = std::max_element(first, last);
    if (*widest <= least) break;
    --*widest;
  }
  return excess;
}

std::string joined(const std::vector<std::string>& row, std::size_t columns) {
  std::string line;
  for (std::size_t i = 0; i < std::min(columns, row.size()); ++i)
    line += (i == 0 ? "" : "\t") + row[i];
  return line + "\n";
}

}  // namespace

void set_listing_style(const ListingStyle& style) {
  style_in_use() = style;
}

Table::Table(std::vector<std::string> header, std::size_t names) : names_(names) {
  rows_.push_back(std::move(header));
}

void Table::add(std::vector<std::string> row) {
  for (auto& text : row) text = shown_safely(text);
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths(std::size_t room) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i]));
  }
  if (room == 0) return widths;
  const auto all = std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  if (all <= room) return widths;
  const auto names = std::min(names_, widths.size());
  auto left = shrink(widths, names, widths.size(), kLeastWidth, all - room);
  left = shrink(widths, 0, names, kLeastName, left);
  shrink(widths, names, widths.size(), kBarely, left);
  return widths;
}

std::string Table::text() const {
  return text(style_in_use());
}

std::string Table::text(const ListingStyle& style) const {
  std::string text;
  if (style.format != ListingStyle::Format::table) {
    const auto columns = style.format == ListingStyle::Format::names ? names_ : rows_[0].size();
    for (std::size_t i = 1; i < rows_.size(); ++i) text += joined(rows_[i], columns);
    return text;
  }
  const auto wide = widths(style.width);
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto shown = fitted(row[i], wide[i]);
      line += shown;
      if (i + 1 < row.size()) line.append(wide[i] - display_width(shown) + kGap, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    text += coloured(line, Colour::bold, style.colours && &row == &rows_[0]) + "\n";
  }
  return text;
}

}  // namespace lambda::cli
