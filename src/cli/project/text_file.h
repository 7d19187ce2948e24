// Files that people write, as text. Blocking.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace lambda::cli {

// Editors on Windows begin a file in UTF-8 with one; it belongs to no name and no value.
inline void drop_byte_order_mark(std::string& text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.erase(0, kMark.size());
}

// A whole file, without a byte order mark; "" where it cannot be read.
[[nodiscard]] inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  auto text = std::move(bytes).str();
  drop_byte_order_mark(text);
  return text;
}

}  // namespace lambda::cli
