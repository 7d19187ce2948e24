#include "sandbox/uplink/netlink.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <sys/socket.h>
#include <sys/time.h>

namespace lambda::sandbox::uplink {
namespace {

constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr int kSocketBytes = 4 * 1024 * 1024;
// The kernel answers while it is asked; who asks does nothing else until then.
constexpr timeval kLongestWait = {1, 0};

std::size_t aligned(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

// False: nothing waits.
enum class Taken { some, none, lost, failed };
Taken take_datagram(int fd, int flags, const std::function<void(const nlmsghdr&)>& take) {
  alignas(nlmsghdr) std::array<char, kReceiveBytes> buffer;
  const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), flags);
  if (size < 0 && errno == ENOBUFS) return Taken::lost;
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return errno == EINTR ? Taken::some : Taken::none;
  if (size <= 0) return Taken::failed;
  auto left = static_cast<unsigned>(size);
  for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
       NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
    take(*message);
  return Taken::some;
}

// Of an answer: 0 where it is an acknowledgement, nothing where it is none.
std::optional<int> error_of(const nlmsghdr& message) {
  if (message.nlmsg_type != NLMSG_ERROR) return std::nullopt;
  return -static_cast<const nlmsgerr*>(NLMSG_DATA(&message))->error;
}

}  // namespace

void NetlinkMessages::append(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  bytes_.insert(bytes_.end(), bytes, bytes + size);
  bytes_.resize(aligned(bytes_.size()));
}

// The message is as long as it is by now.
void NetlinkMessages::finish() {
  const auto length = static_cast<std::uint32_t>(bytes_.size() - message_);
  std::memcpy(bytes_.data() + message_, &length, sizeof(length));
}

void NetlinkMessages::begin_bytes(std::uint16_t type, std::uint16_t flags, const void* header,
                                  std::size_t size) {
  message_ = bytes_.size();
  nlmsghdr own{};
  own.nlmsg_type = type;
  own.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  append(&own, sizeof(own));
  append(header, size);
  finish();
}

void NetlinkMessages::put(std::uint16_t attribute, const void* data, std::size_t size) {
  const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + size), attribute};
  append(&head, sizeof(head));
  append(data, size);
  finish();
}

void NetlinkMessages::put_big_endian(std::uint16_t attribute, std::uint32_t number) {
  put_number(attribute, htonl(number));
}

void NetlinkMessages::put_text(std::uint16_t attribute, std::string_view text) {
  const std::string terminated(text);
  put(attribute, terminated.c_str(), terminated.size() + 1);
}

std::size_t NetlinkMessages::open(std::uint16_t attribute) {
  const auto opened = bytes_.size();
  const nlattr head{sizeof(nlattr), static_cast<std::uint16_t>(attribute | NLA_F_NESTED)};
  append(&head, sizeof(head));
  finish();
  return opened;
}

void NetlinkMessages::close(std::size_t opened) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - opened);
  std::memcpy(bytes_.data() + opened, &length, sizeof(length));
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  NetlinkSocket socket;
  socket.fd_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket.fd_) return fail(Error::from_errno("make a netlink socket"));
  // What has no number of its own hears of no changes.
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0)
    return fail(Error::from_errno("bind a netlink socket"));
  // As many packet rules, and as many changes of addresses, as there may be at once.
  const int size = kSocketBytes;
  for (const int direction : {SO_SNDBUFFORCE, SO_RCVBUFFORCE})
    ::setsockopt(socket.fd(), SOL_SOCKET, direction, &size, sizeof(size));
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &kLongestWait, sizeof(kLongestWait));
  const int on = 1;
  ::setsockopt(socket.fd(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
  ::setsockopt(socket.fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  return socket;
}

Result<Done> NetlinkSocket::carry_out(const NetlinkMessages& messages) {
  return carry_out(messages, {});
}

Result<Done> NetlinkSocket::carry_out(const NetlinkMessages& messages,
                                      std::span<const int> harmless) {
  const auto bytes = messages.bytes();
  if (::send(fd(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail(Error::from_errno("speak to the kernel's network"));
  // The kernel has worked them off by now: what it says to them is here.
  bool answered = false;
  int refused = 0;
  const auto look = [&](const nlmsghdr& message) {
    const auto error = error_of(message);
    if (!error) return;
    answered = true;
    if (*error == 0 || std::ranges::find(harmless, *error) != harmless.end()) return;
    if (refused == 0) refused = *error;
  };
  Taken taken = Taken::some;
  while (taken == Taken::some) taken = take_datagram(fd(), MSG_DONTWAIT, look);
  if (refused != 0) return fail(Error::from_errno("the kernel's network refuses it", refused));
  if (!answered || taken != Taken::none)
    return fail(ErrorCode::unavailable, "the kernel's network did not answer");
  return Done{};
}

Result<Done> NetlinkSocket::list(const NetlinkMessages& request,
                                 const std::function<void(const nlmsghdr&)>& take) {
  // The rest of an answer that was given up is no answer to this.
  while (take_datagram(fd(), MSG_DONTWAIT, [](const nlmsghdr&) {}) == Taken::some) continue;
  std::vector<char> bytes(request.bytes().begin(), request.bytes().end());
  const std::uint32_t sequence = ++sequence_;
  std::memcpy(bytes.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof(sequence));
  if (::send(fd(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail(Error::from_errno("ask the kernel's network"));
  bool done = false;
  bool torn = false;
  int refused = 0;
  const auto look = [&](const nlmsghdr& message) {
    if (message.nlmsg_seq != sequence) return;
    if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) torn = true;
    if (message.nlmsg_type == NLMSG_DONE) {
      done = true;
    } else if (const auto error = error_of(message)) {
      refused = *error;
      done = true;
    } else {
      take(message);
    }
  };
  while (!done) {
    const auto taken = take_datagram(fd(), 0, look);
    if (taken != Taken::some)
      return fail(ErrorCode::unavailable, "the kernel's network did not answer");
  }
  // Of a family that this kernel does not have there is nothing to list.
  if (refused == EOPNOTSUPP || refused == EAFNOSUPPORT) return Done{};
  if (refused != 0) return fail(Error::from_errno("the kernel's network refuses it", refused));
  if (torn) return fail(ErrorCode::conflict, "the list changed while it was read");
  return Done{};
}

bool NetlinkSocket::drain(const std::function<void(const nlmsghdr&)>& take) {
  bool whole = true;
  while (true) {
    const auto taken = take_datagram(fd(), MSG_DONTWAIT, take);
    if (taken == Taken::none || taken == Taken::failed) return whole && taken == Taken::none;
    if (taken == Taken::lost) whole = false;
  }
}

void for_attributes(const nlmsghdr& message, std::size_t header_size,
                    const std::function<void(std::uint16_t, std::span<const char>)>& take) {
  const auto* base = reinterpret_cast<const char*>(&message);
  std::size_t at = NLMSG_HDRLEN + aligned(header_size);
  while (at + sizeof(nlattr) <= message.nlmsg_len) {
    nlattr head{};
    std::memcpy(&head, base + at, sizeof(head));
    if (head.nla_len < sizeof(nlattr) || at + head.nla_len > message.nlmsg_len) return;
    take(static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK),
         {base + at + sizeof(nlattr), head.nla_len - sizeof(nlattr)});
    at += aligned(head.nla_len);
  }
}

}  // namespace lambda::sandbox::uplink
