// What lambdad and lambda-init say to each other: one SOCK_SEQPACKET message each, little-endian,
// every length checked by whoever reads it. Shared by the static init program and the server, so it
// uses nothing but the standard library.
//
//   server -> init   start     argv, environment, working directory, open files: starts the
//   runtime's process, once
//                    connect   id, port: asks for a socket connected to 127.0.0.1:port inside
//                    terminate SIGTERM for the runtime's process group
//   init -> server   hello     version; with two descriptors: the Runtime API's listening socket,
//   the log pipe's read end
//                    started   pid (inside)
//                    connected id; with one descriptor
//                    refused   id, errno
//                    exited    how (exit, signal, could not be started), value, text
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::init {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kMaxMessage = 192 * 1024;

enum class Type : std::uint8_t {
  start = 1,
  connect = 2,
  terminate = 3,
  hello = 16,
  started = 17,
  connected = 18,
  refused = 19,
  exited = 20,
};

enum class Ending : std::uint8_t { exit = 0, signal = 1, not_started = 2 };

class Encoder {
 public:
  explicit Encoder(Type type) { bytes_.push_back(static_cast<char>(type)); }
  void number(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes_.push_back(static_cast<char>((value >> shift) & 0xFF));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value);
  }
  void texts(const std::vector<std::string>& values) {
    number(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) text(value);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads fields one after the other. After a field that does not fit, ok() is false and every value
// empty.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {
    if (rest_.empty()) {
      ok_ = false;
    } else {
      type_ = static_cast<Type>(rest_.front());
      rest_.remove_prefix(1);
    }
  }
  [[nodiscard]] Type type() const { return type_; }
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
  std::vector<std::string> texts() {
    std::vector<std::string> values;
    const auto count = number();
    for (std::uint32_t i = 0; i < count && ok_; ++i) values.push_back(text());
    return values;
  }

 private:
  std::string_view rest_;
  Type type_{};
  bool ok_ = true;
};

}  // namespace lambda::sandbox::init
