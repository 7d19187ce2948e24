// How the fields of a message between lambdad and lambda-spawn are written: numbers little-endian,
// texts with their length, every length checked by whoever reads it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lambda::sandbox::spawn {

class Encoder {
 public:
  void number(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes_.push_back(static_cast<char>((value >> shift) & 0xFF));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads fields one after the other. After a field that does not fit, ok() is false and every value
// empty.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool ok() const { return ok_; }
  std::uint32_t number() {
    if (!ok_ || rest_.size() < 4) {
      ok_ = false;
      return 0;
    }
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i)
      value |= static_cast<std::uint32_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    rest_.remove_prefix(4);
    return value;
  }
  std::string text() {
    const auto length = number();
    if (!ok_ || rest_.size() < length) {
      ok_ = false;
      return {};
    }
    std::string value(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return value;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace lambda::sandbox::spawn
