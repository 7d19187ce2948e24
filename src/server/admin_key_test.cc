#include "server/admin_key.h"

#include "base/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

namespace lambda::server {
namespace {

class AdminKey : public testing::Test {
 public:
  AdminKey() { ensure(); }
  void ensure() { ASSERT_TRUE(ensure_admin_key(*keys_, audit_, clock_, directory_.path())); }
  [[nodiscard]] store::KeyPtr in_file() const {
    std::ifstream file(directory_.path() / "admin.key");
    std::string token;
    std::getline(file, token);
    const auto parsed = store::KeyTable::parse_token(token);
    return parsed ? keys_->find(parsed->first) : nullptr;
  }
  void write(const std::string& token) {
    std::ofstream(directory_.path() / "admin.key") << token << "\n";
  }
  std::string audited() {
    std::string text;
    const auto entries = audit_.list({});
    for (const auto& entry : *entries) text += entry.row.operation + " ";
    return text;
  }

  const TemporaryDirectory directory_;
  FakeClock clock_;
  std::unique_ptr<store::Database> database_ = std::move(*store::Database::open_in_memory());
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<store::KeyTable> keys_ =
      std::move(*store::KeyTable::load(*database_, clock_, master_, "1", "r"));
  store::AuditTable audit_{*database_, master_, "1", "r"};
};

TEST_F(AdminKey, IsMadeOnceAndAudited) {
  const auto first = in_file();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->grants.is_whole_admin());
  ensure();
  EXPECT_EQ(in_file(), first);
  EXPECT_EQ(audited(), "CreateKey ");
}

TEST_F(AdminKey, IsNotOneThatMayLess) {
  const auto admin = in_file();
  const auto reader = *keys_->create("reader", *store::Grants::make("read", {}));
  write(reader->token());
  ensure();
  EXPECT_EQ(in_file(), admin);
  const auto other = *keys_->create("boss", store::Grants::everything());
  write(other->token());
  ensure();
  EXPECT_EQ(in_file(), other);
}

TEST_F(AdminKey, AfterItWasRevokedThereIsAnother) {
  const auto admin = in_file();
  ASSERT_TRUE(keys_->revoke(admin->id));
  ensure();
  EXPECT_NE(in_file(), admin);
  EXPECT_TRUE(in_file()->is_live(clock_.now()));
}

TEST_F(AdminKey, ReplacingRevokesAllAndIsAudited) {
  const auto admin = in_file();
  const auto reader = *keys_->create("reader", *store::Grants::make("read", {}));
  ASSERT_TRUE(replace_keys(*keys_, audit_, clock_, directory_.path()));
  EXPECT_TRUE(keys_->find(admin->id)->revoked);
  EXPECT_TRUE(keys_->find(reader->id)->revoked);
  EXPECT_TRUE(in_file()->grants.is_whole_admin());
  EXPECT_EQ(audited(), "CreateKey ReplaceKeys CreateKey ");
}

}  // namespace
}  // namespace lambda::server
