#include "sandbox/native/seqpacket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace lambda::sandbox::spawn {

bool send_message(int socket, std::string_view bytes, const std::vector<int>& descriptors) {
  iovec part{};
  part.iov_base = const_cast<char*>(bytes.data());
  part.iov_len = bytes.size();
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  if (!descriptors.empty()) {
    if (descriptors.size() > kMaxDescriptors) {
      errno = E2BIG;
      return false;
    }
    const std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

Received receive_message(int socket, std::size_t limit) {
  Received received;
  received.bytes.resize(limit);
  iovec part{};
  part.iov_base = received.bytes.data();
  part.iov_len = limit;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t count = 0;
  do {
    count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    received.kind = errno == EAGAIN       ? Received::Kind::again
                    : errno == ECONNRESET ? Received::Kind::end
                                          : Received::Kind::failed;
    received.bytes.clear();
    return received;
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < fds; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      received.descriptors.push_back(fd);
    }
  }
  received.bytes.resize(static_cast<std::size_t>(count));
  received.kind = count == 0 ? Received::Kind::end : Received::Kind::message;
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    for (const int fd : received.descriptors) ::close(fd);
    received.descriptors.clear();
    received.kind = Received::Kind::failed;
    errno = EMSGSIZE;
  }
  return received;
}

}  // namespace lambda::sandbox::spawn
