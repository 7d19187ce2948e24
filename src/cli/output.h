// What people read: tables, sizes, times ago; and whether there is a person at all. Pure but for
// is_terminal().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

// Columns as wide as their widest cell (in characters, not bytes), two spaces apart.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

[[nodiscard]] std::string size_text(std::uint64_t bytes);  // "1.2 KB"
// "2026-01-02T03:04:05.678Z" -> "3 minutes ago"; `now` in seconds since 1970.
[[nodiscard]] std::string ago_text(std::string_view iso, std::int64_t now);
[[nodiscard]] std::int64_t seconds_of(std::string_view iso);
[[nodiscard]] bool is_terminal(int descriptor);
// The nearest of `words` where it is near enough to be meant, else "".
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& words);

}  // namespace lambda::cli
