#include "access/signed_body.h"

#include "access/authenticator.h"
#include "access/sigv4.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "store/database.h"
#include "store/master_key.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace lambda::access {
namespace {

constexpr std::size_t kLimit = 10'000;

// Gives its bytes at once, and ends when it may.
class SlowBody final : public http::BodyReader {
 public:
  explicit SlowBody(std::string bytes) : bytes_(std::move(bytes)) {}
  Task<Result<std::string>> read_some() override {
    ++reads;
    if (!bytes_.empty()) co_return std::exchange(bytes_, {});
    co_await may_end.wait();
    co_return std::string();
  }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override { return std::nullopt; }

  AsyncEvent may_end;
  int reads = 0;

 private:
  std::string bytes_;
};

struct Reading {
  explicit Reading(std::string bytes) : body(std::move(bytes)) {}
  http::Request request;
  SlowBody body;
  std::optional<Result<SignedBody>> read;
  [[nodiscard]] ErrorCode code() const {
    return read && !*read ? read->error().code() : ErrorCode::internal;
  }
};

class SignedBodies : public testing::Test {
 public:
  SignedBodies() {
    database_ = std::move(*store::Database::open_in_memory());
    keys_ = std::move(*store::KeyTable::load(*database_, clock_, store::MasterKey::ephemeral(),
                                             "000000000000", "us-east-1"));
    key_ = **keys_->create("test", store::Grants::everything());
    authenticator_ = std::make_unique<Authenticator>(*keys_, clock_, Authenticator::Options());
  }

  // `change` spoils the request after it was signed.
  std::unique_ptr<Reading> ask(const std::string& body, bool with_hash,
                               const std::function<void(http::Request&)>& change = {},
                               const std::string& service = "lambda") {
    auto asked = std::make_unique<Reading>(body);
    auto& request = asked->request;
    request.method = "POST";
    request.target = "/2015-03-31/functions";
    request.peer.loopback = true;
    request.headers.add("Host", "localhost");
    if (with_hash) request.headers.add("X-Amz-Content-Sha256", hex_encode(sha256(body)));
    Signature signature;
    signature.key_id = key_.id;
    signature.date = "20260102";
    signature.region = "us-east-1";
    signature.service = service;
    signature.time = "20260102T030405Z";
    signature.signed_headers = {"host"};
    const auto text = string_to_sign(signature, canonical_request(request, signature, body));
    const auto value = hex_encode(hmac_sha256(signing_key(signature, key_.secret), text));
    request.headers.add("X-Amz-Date", signature.time);
    request.headers.add("Authorization",
                        fmt::format("AWS4-HMAC-SHA256 Credential={}/20260102/us-east-1/{}/"
                                    "aws4_request, SignedHeaders=host, Signature={}",
                                    key_.id, service, value));
    if (change) change(request);
    auto on_end = [it = asked.get()](const std::exception_ptr& thrown, Result<SignedBody> read) {
      EXPECT_FALSE(thrown);
      it->read = std::move(read);
    };
    asio::co_spawn(loop_, read_signed(*authenticator_, disk_, request, asked->body, kLimit),
                   on_end);
    poll();
    return asked;
  }
  void poll() {
    loop_.restart();
    loop_.poll();
  }

  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::KeyTable> keys_;
  store::Key key_;
  std::unique_ptr<Authenticator> authenticator_;
  Loop loop_{1};
  BlockingPool disk_{"disk", 1};
};

void spoil(http::Request& request) {
  request.headers.set("Host", "elsewhere");
}

TEST_F(SignedBodies, AreNotReadWhereTheHashIsNamedAndTheSignatureIsWrong) {
  const auto asked = ask("{}", true, spoil);
  EXPECT_EQ(asked->code(), ErrorCode::unauthenticated);
  EXPECT_EQ(asked->body.reads, 0);
}

TEST_F(SignedBodies, AreNotReadForAWrongScopeTimeOrKey) {
  const auto scope = ask("{}", false, {}, "s3");
  EXPECT_EQ(scope->code(), ErrorCode::unauthenticated);
  EXPECT_EQ(scope->body.reads, 0);
  const auto key = ask("{}", false, [this](http::Request& request) {
    auto words = std::string(request.headers.get("Authorization"));
    words.replace(words.find(key_.id), key_.id.size(), std::string(20, 'A'));
    request.headers.set("Authorization", words);
  });
  EXPECT_EQ(key->code(), ErrorCode::unauthenticated);
  EXPECT_EQ(key->body.reads, 0);
  clock_.advance(std::chrono::minutes(6));
  const auto late = ask("{}", false);
  EXPECT_EQ(late->code(), ErrorCode::unauthenticated);
  EXPECT_EQ(late->body.reads, 0);
}

TEST_F(SignedBodies, AreNotReadForARevokedKey) {
  ASSERT_TRUE(keys_->revoke(key_.id));
  const auto asked = ask("{}", false);
  EXPECT_EQ(asked->code(), ErrorCode::unauthenticated);
  EXPECT_EQ(asked->read->error().aws_type(), "UnrecognizedClientException");
  EXPECT_EQ(asked->body.reads, 0);
}

TEST_F(SignedBodies, TellWhatBecameOfAKeyOnlyToWhoShowedItsSecret) {
  ASSERT_TRUE(keys_->revoke(key_.id));
  EXPECT_EQ(ask("{}", false, spoil)->read->error().message(),
            "The security token included in the request is invalid.");
  EXPECT_NE(ask("{}", true)->read->error().message().find("was revoked at"), std::string::npos);
  auto ending = keys_->create("ending", key_.grants, clock_.now() + std::chrono::minutes(1));
  ASSERT_TRUE(ending);
  key_ = **ending;
  clock_.advance(std::chrono::minutes(2));
  const auto late = ask("{}", false, spoil);
  EXPECT_EQ(late->read->error().message(), "The security token included in the request is expired");
  EXPECT_EQ(late->read->error().aws_type(), "ExpiredTokenException");
  EXPECT_NE(ask("{}", true)->read->error().message().find("\"ending\" ended at"),
            std::string::npos);
}

TEST_F(SignedBodies, AreRefusedWhereTheKeyWasRevokedWhileTheyCame) {
  const auto asked = ask("{}", false);
  ASSERT_TRUE(keys_->revoke(key_.id));
  asked->body.may_end.set();
  poll();
  EXPECT_EQ(asked->code(), ErrorCode::unauthenticated);
}

TEST_F(SignedBodies, AWrongClockIsNoGuess) {
  clock_.advance(std::chrono::minutes(10));
  for (int i = 0; i < 2 * kFailuresAtOnce; ++i) {
    const auto late = ask("{}", false);
    EXPECT_EQ(late->read->error().aws_type(), "InvalidSignatureException");
    EXPECT_NE(late->read->error().message().find("It is 2026-01-02 03:14:05 UTC on the server"),
              std::string::npos);
  }
}

TEST_F(SignedBodies, AreReadWhereOnlyTheBodyCanTell) {
  const auto asked = ask(std::string(600, 'a'), false, spoil);
  EXPECT_FALSE(asked->read);
  EXPECT_GT(asked->body.reads, 0);
  asked->body.may_end.set();
  poll();
  EXPECT_EQ(asked->code(), ErrorCode::unauthenticated);
}

TEST_F(SignedBodies, ComeWithWhoSignedThem) {
  const auto known = ask(std::string(6000, 'a'), true);
  known->body.may_end.set();
  poll();
  ASSERT_TRUE(known->read && *known->read);
  EXPECT_EQ((*known->read)->bytes.size(), 6000u);
  EXPECT_EQ((*known->read)->caller.access_key, key_.id);
}

TEST_F(SignedBodies, MustBeWhatTheirHashSays) {
  const auto asked = ask("{}", true);
  asked->body.may_end.set();
  poll();
  EXPECT_TRUE(asked->read && *asked->read);
  http::Request of_other;
  const auto other = ask("{}", true, [&](http::Request& request) { of_other = request; });
  auto reading = std::make_unique<Reading>("{1}");
  reading->request = of_other;
  reading->body.may_end.set();
  auto on_end = [&](const std::exception_ptr&, Result<SignedBody> read) {
    reading->read = std::move(read);
  };
  asio::co_spawn(
      loop_, read_signed(*authenticator_, disk_, reading->request, reading->body, kLimit), on_end);
  poll();
  EXPECT_EQ(reading->code(), ErrorCode::unauthenticated);
  other->body.may_end.set();
  poll();
}

}  // namespace
}  // namespace lambda::access
