#include "store/key_table.h"

#include "base/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <regex>
#include <sys/stat.h>

namespace lambda::store {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

Grants grants_of(std::string_view scopes, std::vector<std::string> patterns = {}) {
  return std::move(*Grants::make(scopes, std::move(patterns)));
}

class KeysOnDisk : public testing::Test {
 public:
  KeysOnDisk() { open(); }
  void open() {
    keys_.reset();
    database_.reset();
    database_ = std::move(*Database::open(directory_.path()));
    auto loaded = KeyTable::load(*database_, clock_, directory_.path(), "1", "r");
    ASSERT_TRUE(loaded) << loaded.error().message();
    keys_ = std::move(*loaded);
  }
  Result<std::unique_ptr<KeyTable>> load_again() {
    return KeyTable::load(*database_, clock_, directory_.path(), "1", "r");
  }

  const TemporaryDirectory directory_;
  FakeClock clock_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<KeyTable> keys_;
};

TEST_F(KeysOnDisk, SurviveARestartAndAreNotInTheClear) {
  const auto expires = clock_.now() + 24h;
  const auto key =
      keys_->create("ci", grants_of("deploy,invoke", {"greet*", "job-?"}), expires).value();
  EXPECT_TRUE(std::regex_match(key->id, std::regex("[A-Z0-9]{20}")));
  EXPECT_TRUE(std::regex_match(key->secret, std::regex("[A-Za-z0-9]{40}")));
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(bytes.find(key->secret), std::string::npos) << entry.path();
  }
  open();
  const auto found = keys_->find(key->id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->secret, key->secret);
  EXPECT_EQ(found->name, "ci");
  EXPECT_EQ(found->created, clock_.now());
  EXPECT_EQ(found->expires, expires);
  EXPECT_EQ(found->grants.scopes().text(), "invoke,deploy");
  EXPECT_EQ(found->grants.patterns(), (std::vector<std::string>{"greet*", "job-?"}));
  EXPECT_FALSE(keys_->find("NOSUCHKEYNOSUCHKEY00"));
}

TEST_F(KeysOnDisk, AnEndIsTheMomentFromWhichTheKeyIsNoMore) {
  const auto key = keys_->create("ci", grants_of("read"), clock_.now() + 1s).value();
  EXPECT_TRUE(key->is_live(clock_.now()));
  EXPECT_FALSE(key->is_live(clock_.now() + 1s));
  EXPECT_FALSE(keys_->create("late", grants_of("read"), clock_.now()));
}

TEST_F(KeysOnDisk, ARevokedKeyIsKnownAsRevoked) {
  const auto key = keys_->create("first", grants_of("admin")).value();
  EXPECT_TRUE(keys_->revoke(key->id));
  EXPECT_TRUE(keys_->revoke(key->id));
  EXPECT_TRUE(keys_->find(key->id)->revoked);
  EXPECT_FALSE(keys_->find_named("first"));
  EXPECT_TRUE(keys_->find_named(key->id));
  open();
  ASSERT_EQ(keys_->list().size(), 1u);
  EXPECT_TRUE(keys_->list()[0].key->revoked);
  EXPECT_EQ(keys_->revoke("X").error().code(), ErrorCode::not_found);
}

TEST_F(KeysOnDisk, WhoWatchesAKeyIsToldOfItsRevocationAndOfNoOther) {
  const auto key = keys_->create("a", grants_of("read")).value();
  const auto other = keys_->create("b", grants_of("read")).value();
  int first = 0;
  int second = 0;
  auto watch = keys_->watch(key->id, [&first] { ++first; });
  const auto stays = keys_->watch(key->id, [&second] { ++second; });
  ASSERT_TRUE(keys_->revoke(other->id));
  EXPECT_EQ(first + second, 0);
  watch.reset();
  ASSERT_TRUE(keys_->revoke(key->id));
  ASSERT_TRUE(keys_->revoke(key->id));
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST_F(KeysOnDisk, ANameIsThatOfOneLiveKey) {
  const auto first = keys_->create("ci", grants_of("read"), clock_.now() + 1h).value();
  const auto second = keys_->create("ci", grants_of("read"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::conflict);
  EXPECT_THAT(second.error().message(), HasSubstr(first->id));
  clock_.advance(1h);
  const auto after_its_end = keys_->create("ci", grants_of("read")).value();
  EXPECT_EQ(keys_->find_named("ci"), after_its_end);
  EXPECT_TRUE(keys_->revoke(after_its_end->id));
  EXPECT_TRUE(keys_->create("ci", grants_of("read")));
}

TEST_F(KeysOnDisk, WhatIsNoNameIsRefused) {
  for (const char* name : {"", "a b", "-x", "ABCDEFGHIJKLMNOPQRST", "a\n", "a/b"})
    EXPECT_EQ(keys_->create(name, grants_of("read")).error().code(), ErrorCode::invalid) << name;
  EXPECT_FALSE(keys_->create(std::string(65, 'a'), grants_of("read")));
  EXPECT_TRUE(keys_->create("ci-1.deploy_me@example.org", grants_of("read")));
}

TEST_F(KeysOnDisk, UsesAreKeptWhenTheyAreSaved) {
  const auto key = keys_->create("ci", grants_of("read")).value();
  EXPECT_FALSE(keys_->list()[0].used);
  keys_->note_use(key->id, "192.0.2.1");
  EXPECT_EQ(keys_->list()[0].used, clock_.now());
  open();
  EXPECT_FALSE(keys_->list()[0].used);
  keys_->note_use(key->id, "192.0.2.1");
  clock_.advance(1s);
  keys_->note_use(key->id, "2001:db8::1");
  keys_->note_use("NOSUCHKEYNOSUCHKEY00", "192.0.2.1");
  EXPECT_TRUE(keys_->save_uses());
  EXPECT_TRUE(keys_->save_uses());
  open();
  EXPECT_EQ(keys_->list()[0].used, clock_.now());
  EXPECT_EQ(keys_->list()[0].address, "2001:db8::1");
}

TEST_F(KeysOnDisk, AnotherMasterKeyIsNotTaken) {
  const auto key = keys_->create("ci", grants_of("read")).value();
  const auto path = directory_.path() / "master.key";
  std::ofstream(path) << std::string(64, 'a') << "\n";
  const auto wrong = load_again();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::invalid);
  EXPECT_THAT(wrong.error().message(), HasSubstr("Restore master.key from a backup"));
  EXPECT_THAT(wrong.error().message(), HasSubstr(key->id));
  fs::remove(path);
  EXPECT_THAT(load_again().error().message(), HasSubstr("restore it from a backup"));
  EXPECT_FALSE(fs::exists(path));
  std::ofstream(path) << "short\n";
  ::chmod(path.c_str(), 0600);
  EXPECT_THAT(load_again().error().message(), HasSubstr("is not a master key"));
  ::chmod(path.c_str(), 0640);
  EXPECT_EQ(load_again().error().code(), ErrorCode::denied);
}

TEST(KeyTable, TokensReadBack) {
  Key key;
  key.id = "ABCDEFGHIJ0123456789";
  key.secret = std::string(40, 'x');
  const auto parsed = KeyTable::parse_token(key.token());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->first, key.id);
  EXPECT_EQ(parsed->second, key.secret);
  EXPECT_FALSE(KeyTable::parse_token("lam_short"));
  EXPECT_FALSE(KeyTable::parse_token(key.token() + "y"));
  EXPECT_FALSE(KeyTable::parse_token(""));
}

}  // namespace
}  // namespace lambda::store
