#include "sandbox/uplink/netlink.h"

#include <gtest/gtest.h>

#include <linux/rtnetlink.h>
#include <set>
#include <sys/socket.h>

namespace lambda::sandbox::uplink {
namespace {

template <class Header>
NetlinkMessages all_of(std::uint16_t type) {
  NetlinkMessages request;
  request.begin(type, NLM_F_DUMP, Header{});
  return request;
}

TEST(Netlink, AnAnswerThatWasGivenUpIsNoneToTheNextQuestion) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  ASSERT_TRUE(socket);
  const auto links = all_of<ifinfomsg>(RTM_GETLINK);
  ASSERT_GT(::send(socket->fd(), links.bytes().data(), links.bytes().size(), 0), 0);
  std::set<int> types;
  ASSERT_TRUE(socket->list(all_of<ifaddrmsg>(RTM_GETADDR), [&types](const nlmsghdr& message) {
    types.insert(message.nlmsg_type);
  }));
  EXPECT_EQ(types, std::set<int>{RTM_NEWADDR});
}

TEST(Netlink, AQuestionThatNobodyAnswersEnds) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  ASSERT_TRUE(socket);
  // Less than the kernel takes for a question.
  EXPECT_FALSE(socket->list(all_of<char>(0), [](const nlmsghdr&) {}));
}

}  // namespace
}  // namespace lambda::sandbox::uplink
