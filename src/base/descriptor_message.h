// The descriptors that came with a message of a unix socket (SCM_RIGHTS). Any thread.
#pragma once

#include "base/unique_fd.h"

#include <cstddef>
#include <cstring>
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

}  // namespace lambda
