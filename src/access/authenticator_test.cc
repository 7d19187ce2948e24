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
  http::Peer peer;
  peer.unix_uid = 0;
  const auto root = authenticator_->find_socket_peer(peer);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->name, "root");
  EXPECT_FALSE(root->has_key);
  EXPECT_TRUE(root->grants.is_whole_admin());
}

class Holders : public testing::Test {
 public:
  Holders() {
    database_ = std::move(*store::Database::open_in_memory());
    keys_ = std::move(*store::KeyTable::load(*database_, clock_, store::MasterKey::ephemeral(),
                                             "000000000000", "us-east-1"));
    Authenticator::Options options;
    options.account = "000000000000";
    authenticator_ = std::make_unique<Authenticator>(*keys_, clock_, options);
    auto grants = store::Grants::make("invoke", {"greet*"});
    key_ = *keys_->create("ci", std::move(*grants), clock_.now() + std::chrono::hours(1));
  }
  Result<Caller> show(const std::string& token, const std::string& address = "192.0.2.1") {
    http::Request request;
    request.peer.address = address;
    request.peer.tls = true;
    return authenticator_->check_key(request, token);
  }
  std::string wrong_token() { return "lam_" + key_->id + "_" + std::string(40, 'x'); }

  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::KeyTable> keys_;
  std::unique_ptr<Authenticator> authenticator_;
  store::KeyPtr key_;
};

TEST_F(Holders, MayWhatTheirKeyMayAndAreSeen) {
  const auto caller = show(key_->token());
  ASSERT_TRUE(caller);
  EXPECT_TRUE(caller->has_key);
  EXPECT_EQ(caller->name, "ci");
  EXPECT_EQ(caller->user_arn, "arn:aws:iam::000000000000:user/" + key_->id);
  EXPECT_TRUE(caller->grants.covers("greeting"));
  EXPECT_FALSE(caller->grants.covers("other"));
  EXPECT_FALSE(caller->grants.may(store::Scope::deploy));
  EXPECT_EQ(caller->expires, key_->expires);
  EXPECT_EQ(keys_->list()[0].address, "192.0.2.1");
  EXPECT_EQ(keys_->list()[0].used, clock_.now());
}

TEST_F(Holders, AnUnknownKeyAndAWrongSecretAreToldAlike) {
  const auto unknown = show("lam_" + std::string(20, 'A') + "_" + std::string(40, 'x'));
  const auto wrong = show(wrong_token());
  ASSERT_FALSE(unknown);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(unknown.error().message(), wrong.error().message());
  EXPECT_EQ(unknown.error().aws_type(), "UnrecognizedClientException");
  EXPECT_FALSE(keys_->list()[0].used);
}

TEST_F(Holders, OfARevokedOrExpiredKeyAreToldSoWhereTheirSecretIsRight) {
  clock_.advance(std::chrono::hours(1));
  auto late = show(key_->token());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().aws_type(), "ExpiredTokenException");
  EXPECT_NE(late.error().message().find("the key \"ci\" ended at 2026-01-02T04:04:05"),
            std::string::npos);
  ASSERT_TRUE(keys_->revoke(key_->id));
  const auto revoked = show(key_->token());
  ASSERT_FALSE(revoked);
  EXPECT_EQ(revoked.error().aws_type(), "UnrecognizedClientException");
  EXPECT_NE(revoked.error().message().find("\"ci\" was revoked"), std::string::npos);
  EXPECT_EQ(show(wrong_token()).error().message(),
            "The security token included in the request is invalid.");
}

TEST_F(Holders, OfARightKeyAreNotKeptWaitingByThoseOfWrongOnes) {
  for (int i = 0; i < kFailuresAtOnce; ++i)
    EXPECT_EQ(show(wrong_token()).error().code(), ErrorCode::unauthenticated);
  const auto one_too_many = show(wrong_token());
  EXPECT_EQ(one_too_many.error().code(), ErrorCode::overloaded);
  EXPECT_EQ(one_too_many.error().aws_type(), kTooManyFailures);
  EXPECT_TRUE(show(key_->token()));
  EXPECT_EQ(show(wrong_token(), "192.0.2.2").error().code(), ErrorCode::unauthenticated);
  clock_.advance(kFailurePause);
  EXPECT_EQ(show(wrong_token()).error().code(), ErrorCode::unauthenticated);
}

}  // namespace
}  // namespace lambda::access
