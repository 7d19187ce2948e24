#include "access/authenticator.h"

#include "store/database.h"
#include "store/master_key.h"

#include <gtest/gtest.h>

#include <pwd.h>
#include <unistd.h>

namespace lambda::access {
namespace {

constexpr gid_t kGroup = 1'234'567'890;        // nobody's
constexpr uid_t kUnknownUser = 1'234'567'890;  // of no entry

class SocketPeers : public testing::Test {
 public:
  SocketPeers() {
    database_ = std::move(*store::Database::open_in_memory());
    keys_ = std::move(*store::KeyTable::load(*database_, clock_, store::MasterKey::ephemeral(),
                                             "000000000000", "us-east-1"));
    Authenticator::Options options;
    options.group = kGroup;
    authenticator_ = std::make_unique<Authenticator>(*keys_, clock_, options);
  }
  [[nodiscard]] bool admits(uid_t uid, gid_t gid) const {
    http::Peer peer;
    peer.unix_uid = uid;
    peer.unix_gid = gid;
    return authenticator_->admit_socket_peer(peer).has_value();
  }

  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::KeyTable> keys_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(SocketPeers, AreMembersByTheMachinesDatabaseAndNotByTheGroupTheyRunIn) {
  const auto* nobody = ::getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  ASSERT_NE(nobody->pw_uid, ::geteuid());
  EXPECT_FALSE(admits(nobody->pw_uid, kGroup)) << "as a member who was removed would run";
  EXPECT_FALSE(admits(nobody->pw_uid, 0));
}

TEST_F(SocketPeers, OfNoEntryAreWhatTheyRunAs) {
  ASSERT_EQ(::getpwuid(kUnknownUser), nullptr);
  EXPECT_TRUE(admits(kUnknownUser, kGroup));
  EXPECT_FALSE(admits(kUnknownUser, 0));
}

TEST_F(SocketPeers, AreRootAndTheServersOwnUser) {
  EXPECT_TRUE(admits(0, 0));
  EXPECT_TRUE(admits(::geteuid(), ::getegid()));
}

}  // namespace
}  // namespace lambda::access
