// One message with descriptors over a SOCK_SEQPACKET socket. Used on both sides, and by
// lambda-spawn.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::spawn {

inline constexpr std::size_t kMaxDescriptors = 8;

// Sends one message; the descriptors stay the caller's. False with errno set (EAGAIN where the
// socket is non-blocking).
bool send_message(int socket, std::string_view bytes, const std::vector<int>& descriptors = {});

struct Received {
  enum class Kind { message, end, again, failed } kind = Kind::failed;
  std::string bytes;
  std::vector<int> descriptors;  // close-on-exec; the caller's to close
};
// Receives one message of at most `limit` bytes; a longer one is `failed`, its descriptors closed.
Received receive_message(int socket, std::size_t limit);

}  // namespace lambda::sandbox::spawn
