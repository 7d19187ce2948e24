// A whole file as text; "" where it cannot be read. Blocking.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace lambda::cli {

[[nodiscard]] inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace lambda::cli
