// Look-ups against names that a test lets hang.
#include "egress/name_lookup.h"

#include "base/loop_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace lambda::egress {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Address address(const char* text) {
  return boost::asio::ip::make_address(text);
}

// "dead..." hangs until it is let go, and then fails like "fails..."; whatever else is 1.2.3.4.
class Dns {
 public:
  Result<Addresses> ask(const std::string& host) {
    std::unique_lock lock(mutex_);
    asked_.push_back(host);
    if (host.starts_with("dead") || hanging_.contains(host))
      let_go_.wait(lock, [this] { return over_; });
    if (host.starts_with("dead") || host.starts_with("fails"))
      return fail(ErrorCode::unavailable, "look up {}: no answer", host);
    return Addresses{address("1.2.3.4")};
  }
  void let_hang(const std::string& host) {
    const std::lock_guard lock(mutex_);
    hanging_.insert(host);
  }
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    let_go_.notify_all();
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable let_go_;
  bool over_ = false;
  std::set<std::string> hanging_;
  std::vector<std::string> asked_;
};

class NameLookupTest : public testing::Test {
 public:
  using Finding = std::shared_ptr<Begun<Result<NameLookup::Found>>>;

  ~NameLookupTest() override {
    if (dns_) dns_->let_go();
    if (lookup_) lookup_->finish();
  }

  void make(unsigned threads) {
    AddressSystem system;
    system.host = [dns = dns_](const std::string& host) { return dns->ask(host); };
    system.own = [this] {
      ++own_read_;
      return Result<Addresses>(Addresses{address("10.0.0.1")});
    };
    lookup_ = std::make_unique<NameLookup>(clock_, threads, system);
  }
  Finding begin(const std::string& host, std::chrono::seconds time = 60s) {
    return begin_on(loop_, lookup_->find(host, std::chrono::steady_clock::now() + time));
  }
  Result<NameLookup::Found> find(const std::string& host, std::chrono::milliseconds time = 10s) {
    return run_on(loop_, lookup_->find(host, std::chrono::steady_clock::now() + time));
  }
  void wait_until_asked(std::size_t count) {
    const auto asked = [this, count] { return dns_->asked().size() >= count; };
    EXPECT_TRUE(run_until(loop_, asked));
  }
  // Lets what may begin begin.
  void turn() { EXPECT_TRUE(find("127.0.0.1")); }

 protected:
  FakeClock clock_;
  std::shared_ptr<Dns> dns_ = std::make_shared<Dns>();  // with look-ups that are left behind
  std::atomic<int> own_read_{0};
  std::unique_ptr<NameLookup> lookup_;
  Loop loop_;
};

TEST_F(NameLookupTest, WhatNeedsNoDnsWaitsForNoThread) {
  make(1);
  begin("dead0");
  wait_until_asked(1);
  for (const char* host : {"127.0.0.1", "::1", "localhost", "x.localhost"}) {
    const auto found = find(host);
    ASSERT_TRUE(found) << host << found.error().message();
    EXPECT_TRUE(found->addresses.at(0).is_loopback()) << host;
    EXPECT_THAT(found->own, ElementsAre(address("10.0.0.1"))) << host;
  }
  EXPECT_THAT(dns_->asked(), ElementsAre("dead0"));
}

TEST_F(NameLookupTest, ANameThatNobodyWaitsForAnyMoreIsNotLookedUp) {
  make(1);
  begin("dead0");
  wait_until_asked(1);
  const auto late = find("late", 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::timeout);
  EXPECT_THAT(late.error().message(), HasSubstr("look up late: not begun in time"));
  dns_->let_go();
  EXPECT_TRUE(find("good"));
  EXPECT_THAT(dns_->asked(), ElementsAre("dead0", "good"));
}

TEST_F(NameLookupTest, ANameThatSomebodyStillWaitsForStaysInLine) {
  make(1);
  begin("dead0");
  wait_until_asked(1);
  const auto patient = begin("good");
  ASSERT_FALSE(find("good", 50ms));
  dns_->let_go();
  EXPECT_TRUE(run_until(loop_, [&patient] { return patient->done(); }));
  EXPECT_TRUE(*patient->value);
}

TEST_F(NameLookupTest, ManyWhoWaitForANameTakeOneThread) {
  make(4);
  dns_->let_hang("good");
  std::vector<Finding> findings;
  for (int i = 0; i < 10; ++i) findings.push_back(begin("good"));
  wait_until_asked(1);
  turn();
  dns_->let_go();
  for (const auto& finding : findings) {
    EXPECT_TRUE(run_until(loop_, [&finding] { return finding->done(); }));
    EXPECT_TRUE(*finding->value);
  }
  EXPECT_THAT(dns_->asked(), ElementsAre("good"));
}

TEST_F(NameLookupTest, ANameIsKnownForAMinuteAndTheMachinesOwnAddressesAreReadEachTime) {
  make(1);
  for (int i = 0; i < 3; ++i) {
    const auto found = find("good");
    ASSERT_TRUE(found);
    EXPECT_THAT(found->addresses, ElementsAre(address("1.2.3.4")));
    EXPECT_THAT(found->own, ElementsAre(address("10.0.0.1")));
  }
  EXPECT_EQ(dns_->asked().size(), 1u);
  EXPECT_EQ(own_read_, 3);
  clock_.advance(60s);
  EXPECT_TRUE(find("good"));
  EXPECT_EQ(dns_->asked().size(), 2u);
  lookup_->forget("good");
  EXPECT_TRUE(find("good"));
  EXPECT_EQ(dns_->asked().size(), 3u);
}

TEST_F(NameLookupTest, AFailureIsNotRemembered) {
  make(1);
  for (std::size_t i = 1; i <= 2; ++i) {
    EXPECT_EQ(find("fails").error().code(), ErrorCode::unavailable);
    EXPECT_EQ(dns_->asked().size(), i);
  }
}

// Of 8 threads: 4 for those that are bad, 6 for those and the new.
TEST_F(NameLookupTest, NewNamesFindAThreadBesideTheBadAndGoodOnesBesideThemAll) {
  make(8);
  EXPECT_TRUE(find("good"));
  clock_.advance(60s);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(find("fails" + std::to_string(i)));
  const auto before = dns_->asked().size();
  for (int i = 0; i < 20; ++i) {
    dns_->let_hang("fails" + std::to_string(i));
    begin("fails" + std::to_string(i));
  }
  turn();
  wait_until_asked(before + 4);
  EXPECT_TRUE(find("new"));
  EXPECT_EQ(dns_->asked().size(), before + 5) << "4 bad ones and the new one";
  for (int i = 0; i < 20; ++i) begin("dead" + std::to_string(i));
  turn();
  wait_until_asked(before + 7);
  EXPECT_TRUE(find("good"));
  EXPECT_EQ(dns_->asked().size(), before + 8) << "2 new ones and the good one";
}

TEST_F(NameLookupTest, ThoseInLineHaveTheirTurnWhenAThreadIsFree) {
  make(2);
  std::vector<Finding> findings;
  for (int i = 0; i < 20; ++i) findings.push_back(begin("dead" + std::to_string(i)));
  wait_until_asked(1);
  dns_->let_go();
  for (const auto& finding : findings)
    EXPECT_TRUE(run_until(loop_, [&finding] { return finding->done(); }));
  EXPECT_EQ(dns_->asked().size(), 20u);
}

TEST_F(NameLookupTest, ItsEndWaitsForNoNameThatIsLookedUp) {
  make(2);
  for (const char* host : {"dead0", "dead1", "dead2"}) begin(host);
  wait_until_asked(1);
  auto end = std::async(std::launch::async, [this] { lookup_->finish(); });
  EXPECT_EQ(end.wait_for(10s), std::future_status::ready);
  loop_.abandon();
  // What is left behind ends by itself, and has the look-up to itself.
  const std::weak_ptr<Dns> left = std::exchange(dns_, nullptr);
  left.lock()->let_go();
  end.wait();
  lookup_.reset();
  while (!left.expired()) std::this_thread::yield();
}

}  // namespace
}  // namespace lambda::egress
