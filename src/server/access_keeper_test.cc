#include "server/access_keeper.h"

#include "base/loop_runner.h"
#include "store/database.h"

#include <gtest/gtest.h>

#include <memory>

namespace lambda::server {
namespace {

using namespace std::chrono_literals;

class Keeper : public testing::Test {
 public:
  void keep(std::chrono::days age, Task<void> (AccessKeeper::*step)()) {
    AccessKeeper keeper(*keys_, audit_, store_thread_, clock_, age);
    bool ended = false;
    asio::co_spawn(loop_, (keeper.*step)(), [&ended](const std::exception_ptr&) { ended = true; });
    ASSERT_TRUE(run_until(loop_, [&ended] { return ended; }));
  }
  void act() {
    store::AuditRow row;
    row.time = clock_.now();
    row.operation = "Deploy";
    ASSERT_TRUE(audit_.append(row));
  }

  FakeClock clock_;
  std::unique_ptr<store::Database> database_ = std::move(*store::Database::open_in_memory());
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<store::KeyTable> keys_ =
      std::move(*store::KeyTable::load(*database_, clock_, master_, "1", "r"));
  store::AuditTable audit_{*database_, master_, "1", "r"};
  Loop loop_{1};
  BlockingPool store_thread_{"store", 1};
};

TEST_F(Keeper, SavesUses) {
  const auto key = keys_->create("ci", store::Grants::everything()).value();
  keys_->note_use(key->id, "192.0.2.1");
  keep(std::chrono::days(0), &AccessKeeper::save_uses);
  const auto again = store::KeyTable::load(*database_, clock_, master_, "1", "r");
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->list()[0].address, "192.0.2.1");
}

TEST_F(Keeper, LetsGoWhatIsOlderThanItMayBe) {
  act();
  clock_.advance(10 * 24h);
  act();
  keep(std::chrono::days(0), &AccessKeeper::expire_audit);
  keep(std::chrono::days(11), &AccessKeeper::expire_audit);
  EXPECT_EQ(audit_.verify()->first, 1);
  keep(std::chrono::days(9), &AccessKeeper::expire_audit);
  EXPECT_EQ(audit_.verify()->first, 2);
  EXPECT_EQ(audit_.verify()->problem, "");
}

}  // namespace
}  // namespace lambda::server
