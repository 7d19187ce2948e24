// What the tests of the catalog share: one over a database in memory, which can be loaded anew, and
// deploys into it. For tests alone; one thread.
#pragma once

#include "base/clock.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "function/catalog.h"
#include "store/database.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::function {

inline constexpr std::string_view kArn = "arn:aws:lambda:us-east-1:000000000000:function:";

inline Code code_of(const std::string& text) {
  Code code;
  code.sha256 = base64_encode(sha256(text));
  code.package_digest = hex_encode(sha256(text));
  code.size = text.size();
  return code;
}

inline Configuration python() {
  Configuration configuration;
  configuration.runtime = "python3.11";
  configuration.handler = "app.handler";
  return configuration;
}

class CatalogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = std::move(*store::Database::open_in_memory());
    reload();
  }
  // What a restart of the server would find.
  void reload() {
    auto loaded = Catalog::load(*database_, clock_, Tenant{}, master_);
    ASSERT_TRUE(loaded) << loaded.error().message();
    catalog_ = std::move(*loaded);
    auto remember = [this](const std::vector<VersionPtr>& gone, const SnapshotPtr&) {
      gone_.clear();
      for (const auto& version : gone) gone_.push_back(version->label());
    };
    catalog_->on_change(remember);
  }
  DeployOutcome deploy(const std::string& text, const std::string& name = "greet") {
    DeployCommit commit;
    commit.function = name;
    commit.configuration = python();
    commit.code = code_of(text);
    commit.message = "deploy of " + text;
    return deploy(std::move(commit));
  }
  DeployOutcome deploy(DeployCommit commit) {
    clock_.advance(std::chrono::seconds(1));
    commit.expected_revision = draft_of(commit.function);
    auto outcome = catalog_->commit_deploy(std::move(commit));
    EXPECT_TRUE(outcome) << outcome.error().message();
    return outcome ? *outcome : DeployOutcome{};
  }
  // Its revision; "" where there is no function.
  std::string draft_of(const std::string& name) {
    const auto snapshot = catalog_->snapshot();
    const auto found = snapshot->functions.find(name);
    return found == snapshot->functions.end() ? "" : found->second->latest->revision_id;
  }
  FunctionPtr get(const std::string& name = "greet") {
    return catalog_->snapshot()->functions.at(name);
  }
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> all;
    for (const auto& [number, version] : get()->versions) all.push_back(number);
    return all;
  }
  std::uint64_t live() { return get()->live()->version; }

  FakeClock clock_;
  store::MasterKey master_ = store::MasterKey::ephemeral();
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Catalog> catalog_;
  std::vector<std::string> gone_;
};

}  // namespace lambda::function
