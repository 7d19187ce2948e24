// What lambda-spawn says to the kernel about interfaces, routes and packet rules: messages, and the
// socket that they go through. A socket belongs to the network namespace that it was made in, for
// good. One thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <linux/netlink.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::uplink {

// One or more messages, one behind the other. Each starts with begin(), and takes its attributes.
class NetlinkMessages {
 public:
  // `header`: the struct that follows nlmsghdr (ifinfomsg, nfgenmsg ...).
  template <class Header>
  void begin(std::uint16_t type, std::uint16_t flags, const Header& header) {
    begin_bytes(type, flags, &header, sizeof(header));
  }
  void put(std::uint16_t attribute, const void* data, std::size_t size);
  template <class Number>
  void put_number(std::uint16_t attribute, Number number) {
    put(attribute, &number, sizeof(number));
  }
  // As nftables has its numbers: big-endian.
  void put_big_endian(std::uint16_t attribute, std::uint32_t number);
  void put_text(std::uint16_t attribute, std::string_view text);  // with its '\0'
  // What is put until close() lies inside this attribute.
  [[nodiscard]] std::size_t open(std::uint16_t attribute);
  void close(std::size_t opened);
  // A struct inside an attribute, before its attributes (VETH_INFO_PEER).
  template <class Header>
  void put_header(const Header& header) {
    append(&header, sizeof(header));
    finish();
  }

  [[nodiscard]] std::span<const char> bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  void begin_bytes(std::uint16_t type, std::uint16_t flags, const void* header, std::size_t size);
  void append(const void* data, std::size_t size);
  void finish();

  std::vector<char> bytes_;
  std::size_t message_ = 0;  // where the last one begins
};

class NetlinkSocket {
 public:
  NetlinkSocket() = default;
  // Of this process's network namespace.
  static Result<NetlinkSocket> open(int protocol);
  [[nodiscard]] int fd() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }

  // Sends them; the kernel does what they say before this returns. Fails with the first that it
  // refused.
  Result<Done> carry_out(const NetlinkMessages& messages);
  // The same, where what is refused with one of these is no failure.
  Result<Done> carry_out(const NetlinkMessages& messages, std::span<const int> harmless);
  // Sends a request for a list and hands out its messages. Waits a second at most.
  Result<Done> list(const NetlinkMessages& request,
                    const std::function<void(const nlmsghdr&)>& take);
  // Every message that waits. False: some were lost.
  bool drain(const std::function<void(const nlmsghdr&)>& take);

 private:
  UniqueFd fd_;
  std::uint32_t sequence_ = 0;  // of the last list
};

// The attributes behind a message's header of `header_size` bytes.
void for_attributes(const nlmsghdr& message, std::size_t header_size,
                    const std::function<void(std::uint16_t, std::span<const char>)>& take);

}  // namespace lambda::sandbox::uplink
