// Listings, for people, for scripts, and as bare names. Pure but for the style, which is set once
// from the options before a command runs: main thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lambda::cli {

struct ListingStyle {
  enum class Format {
    table,  // columns with a header
    plain,  // `-o plain`: tabs between cells, no header, nothing cut
    names,  // `-q`: only what names each row
  };
  Format format = Format::table;
  std::size_t width = 0;  // of the terminal that it must fit; 0: as wide as it is
  bool colours = false;
};

// How `text()` prints from now on.
void set_listing_style(const ListingStyle& style);

// Columns as wide as their widest cell, two spaces apart. Where they do not fit, the widest are
// cut, those that name the row last.
class Table {
 public:
  // The first `names` columns name a row.
  explicit Table(std::vector<std::string> header, std::size_t names = 1);
  void add(std::vector<std::string> row);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string text(const ListingStyle& style) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t room) const;
  std::vector<std::vector<std::string>> rows_;
  std::size_t names_;
};

}  // namespace lambda::cli
