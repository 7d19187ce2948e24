// Messages of unix sockets that carry descriptors (SCM_RIGHTS). Any thread.
#pragma once

#include "base/unique_fd.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <sys/socket.h>
#include <vector>

namespace lambda {

// Takes them out of what recvmsg() filled in: each is owned at once, whatever the rest of the
// message is worth. There may be more than the room was made for: what holds one, rounded up, holds
// two. MSG_CTRUNC says that some found no place.
inline std::vector<UniqueFd> take_descriptors(msghdr& message) {
  std::vector<UniqueFd> taken;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
      taken.emplace_back(fd);
    }
  }
  return taken;
}

inline constexpr std::size_t kMostSentDescriptors = 16;

// Sends one message, without waiting, with copies of these descriptors, at most
// kMostSentDescriptors. 0, or why not (errno).
inline int send_with_descriptors(int socket, const void* data, std::size_t size,
                                 std::span<const int> descriptors) {
  if (descriptors.size() > kMostSentDescriptors) return EINVAL;
  iovec part{const_cast<void*>(data), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostSentDescriptors * sizeof(int))> ancillary{};
  if (!descriptors.empty()) {
    message.msg_control = ancillary.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  while (::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace lambda
