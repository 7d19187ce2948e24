#include "gateway/json_text.h"

#include "base/encoding.h"

#include <spdlog/fmt/fmt.h>

#include <cstddef>

namespace lambda::gateway {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text.substr(kept, i - kept));
    kept = i + 1;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += fmt::format("\\u{:04x}", byte);
    }
  }
  out.append(text.substr(kept));
}

std::size_t length_by_first_byte(unsigned char byte) {
  if (byte < 0x80) return 1;
  if (byte < 0xE0) return 2;
  return byte < 0xF0 ? 3 : 4;
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  out += '"';
  if (is_valid_utf8(text)) {
    append_escaped(out, text);
  } else {
    while (!text.empty()) {
      const auto length = length_by_first_byte(static_cast<unsigned char>(text.front()));
      const auto one = text.substr(0, length);
      const bool whole = one.size() == length && is_valid_utf8(one);
      if (whole) {
        append_escaped(out, one);
      } else {
        out += "\xEF\xBF\xBD";
      }
      text.remove_prefix(whole ? length : 1);
    }
  }
  out += '"';
}

std::string utf8_or_latin1(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | (byte >> 6));
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

}  // namespace lambda::gateway
