#include "sandbox/native/route_dump.h"

#include "base/blocking.h"
#include "base/unique_fd.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace lambda::sandbox::native {
namespace {

bool has(const std::vector<std::uint16_t>& types, std::uint16_t type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

// The settings of an interface (all of net.ipv4.conf.NAME and net.ipv6.conf.NAME) stand beside its
// counters.
void append_settings(const rtattr* all, std::string& to) {
  auto length = static_cast<int>(RTA_PAYLOAD(all));
  for (auto* family = static_cast<const rtattr*>(RTA_DATA(all)); RTA_OK(family, length);
       family = RTA_NEXT(family, length)) {
    auto left = static_cast<int>(RTA_PAYLOAD(family));
    for (auto* one = static_cast<const rtattr*>(RTA_DATA(family)); RTA_OK(one, left);
         one = RTA_NEXT(one, left)) {
      const int settings =
          family->rta_type == AF_INET6 ? int{IFLA_INET6_CONF} : int{IFLA_INET_CONF};
      if (one->rta_type != settings) continue;
      to.append(reinterpret_cast<const char*>(one), one->rta_len);
    }
  }
}

std::string entry_of(const nlmsghdr* message, const RouteList& list) {
  const auto* body = static_cast<const char*>(NLMSG_DATA(message));
  std::string entry(body, list.header);
  auto left = static_cast<int>(message->nlmsg_len - NLMSG_SPACE(list.header));
  const auto* first = reinterpret_cast<const rtattr*>(body + NLMSG_ALIGN(list.header));
  for (const auto* attribute = first; RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    const auto type = static_cast<std::uint16_t>(attribute->rta_type & NLA_TYPE_MASK);
    if (list.get == RTM_GETLINK && type == IFLA_AF_SPEC) append_settings(attribute, entry);
    if ((!list.only.empty() && !has(list.only, type)) || has(list.but, type)) continue;
    entry.append(reinterpret_cast<const char*>(attribute), attribute->rta_len);
  }
  return entry;
}

Result<UniqueFd> ask(int protocol, std::uint16_t type, unsigned char family, std::size_t header) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket) return fail(Error::from_errno("make a netlink socket"));
  // A kernel that says nothing must not hold up everything else.
  const timeval limit{5, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  alignas(nlmsghdr) std::array<char, 64> request{};
  auto* head = reinterpret_cast<nlmsghdr*>(request.data());
  head->nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(header));
  head->nlmsg_type = type;
  head->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request[NLMSG_HDRLEN] = static_cast<char>(family);
  if (::send(socket.get(), request.data(), head->nlmsg_len, 0) < 0)
    return fail(Error::from_errno("ask the kernel over netlink"));
  return socket;
}

// Calls `take` with every entry until the kernel says that it was the last. Errors: unsupported (it
// has no such list), conflict (try again).
template <typename Take>
Result<Done> for_each_entry(const UniqueFd& socket, Take take) {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  while (true) {
    const ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (count < 0) return fail(Error::from_errno("read the kernel's answer over netlink"));
    if (static_cast<std::size_t>(count) > buffer.size())
      return fail(ErrorCode::internal, "the kernel's answer over netlink has {} bytes", count);
    auto left = static_cast<unsigned>(count);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        return fail(ErrorCode::conflict, "the kernel's list changed while it was read");
      if (message->nlmsg_type == NLMSG_DONE) return Done{};
      if (message->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
        auto failed = Error::from_errno("read a list of the kernel's over netlink", error);
        if (error == EINVAL || error == EOPNOTSUPP)
          return fail(std::move(failed).as(ErrorCode::unsupported));
        return fail(std::move(failed));
      }
      take(message);
    }
  }
}

}  // namespace

Result<std::vector<std::string>> dump_routes(const RouteList& list) {
  auto socket = ask(NETLINK_ROUTE, list.get, list.family, list.header);
  if (!socket) return fail(std::move(socket.error()));
  std::vector<std::string> entries;
  auto done = for_each_entry(*socket, [&](const nlmsghdr* message) {
    if (message->nlmsg_len >= NLMSG_SPACE(list.header)) entries.push_back(entry_of(message, list));
  });
  if (!done) return fail(std::move(done.error()));
  std::sort(entries.begin(), entries.end());
  return entries;
}

Result<std::size_t> count_nftables() {
  auto socket = ask(NETLINK_NETFILTER, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, AF_UNSPEC,
                    sizeof(nfgenmsg));
  if (!socket) return std::size_t{0};  // no netfilter in this kernel
  std::size_t count = 0;
  auto done = for_each_entry(*socket, [&](const nlmsghdr*) { ++count; });
  // No nftables in this kernel, or not yet: then there is no table either.
  if (!done && done.error().code() == ErrorCode::unsupported) return std::size_t{0};
  if (!done) return fail(std::move(done.error()));
  return count;
}

}  // namespace lambda::sandbox::native
