#include "deploy/dependencies/dependency_cache.h"

#include "base/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lambda::deploy {
namespace {

namespace fs = std::filesystem;

class DependencyCacheTest : public ::testing::Test {
 protected:
  void open(std::uint64_t bytes = 1000) {
    auto opened = DependencyCache::open(directory(), bytes);
    ASSERT_TRUE(opened) << opened.error().message();
    cache_ = std::move(*opened);
  }
  [[nodiscard]] fs::path directory() const { return data_.path() / "dependencies"; }
  static std::string key(char letter) { return std::string(64, letter); }
  void keep(char letter, const std::string& bytes) {
    const auto file = data_.path() / "fresh";
    std::ofstream(file) << bytes;
    const auto kept = cache_->keep(key(letter), file);
    ASSERT_TRUE(kept) << kept.error().message();
  }
  std::string find(char letter) {
    const auto found = cache_->find(key(letter));
    if (!found) return "nothing";
    std::string bytes(2000, '\0');
    bytes.resize(static_cast<std::size_t>(
        std::max<ssize_t>(0, ::pread(found->get(), bytes.data(), bytes.size(), 0))));
    return bytes;
  }
  [[nodiscard]] std::vector<fs::path> entries() const {
    return {fs::directory_iterator(directory()), {}};
  }
  // So that the order of use does not hang on the clock's ticks.
  void used_at(char letter, std::time_t moment) {
    for (const auto& entry : entries()) {
      if (!entry.filename().string().starts_with(key(letter))) continue;
      const std::array<timespec, 2> times{timespec{moment, 0}, timespec{moment, 0}};
      ASSERT_EQ(::utimensat(AT_FDCWD, entry.c_str(), times.data(), 0), 0);
    }
  }

  TemporaryDirectory data_;
  std::unique_ptr<DependencyCache> cache_;
};

TEST_F(DependencyCacheTest, KeepsWhatItIsGivenOverARestart) {
  open();
  EXPECT_EQ(find('a'), "nothing");
  keep('a', "one");
  keep('b', "two");
  EXPECT_EQ(find('a'), "one");
  open();
  EXPECT_EQ(find('a'), "one");
  EXPECT_EQ(find('b'), "two");
  EXPECT_EQ(find('c'), "nothing");
}

TEST_F(DependencyCacheTest, ANewEntryReplacesTheOld) {
  open();
  keep('a', "one");
  keep('a', "other");
  EXPECT_EQ(find('a'), "other");
  EXPECT_EQ(entries().size(), 1u);
}

TEST_F(DependencyCacheTest, WhatWasDamagedIsNotThere) {
  open();
  keep('a', "whole");
  std::ofstream(entries().front()) << "whale";
  EXPECT_EQ(find('a'), "nothing");
  EXPECT_TRUE(entries().empty());
  keep('a', "whole");
  fs::resize_file(entries().front(), 2);
  EXPECT_EQ(find('a'), "nothing");
}

TEST_F(DependencyCacheTest, TheEntriesUsedLongestAgoGo) {
  open(10);
  keep('a', "aaaa");
  keep('b', "bbbb");
  used_at('a', 100);
  used_at('b', 200);
  EXPECT_EQ(find('a'), "aaaa");  // used now
  keep('c', "cccc");
  EXPECT_EQ(find('b'), "nothing");
  EXPECT_EQ(find('a'), "aaaa");
  EXPECT_EQ(find('c'), "cccc");
}

TEST_F(DependencyCacheTest, WhatIsLargerThanAllOfItIsNotKept) {
  open(10);
  keep('a', "aaaa");
  keep('b', std::string(11, 'b'));
  EXPECT_EQ(find('b'), "nothing");
  EXPECT_EQ(find('a'), "aaaa");
  open(0);
  EXPECT_EQ(find('a'), "nothing");
  keep('c', "c");
  EXPECT_EQ(find('c'), "nothing");
}

TEST_F(DependencyCacheTest, WhatACrashLeftGoesAtTheStart) {
  fs::create_directories(directory() / "half");
  std::ofstream(directory() / "half/x") << "x";
  std::ofstream(directory() / "stray") << "x";
  open();
  EXPECT_TRUE(entries().empty());
}

TEST_F(DependencyCacheTest, AnEntryThatIsReadMayGo) {
  open(10);
  keep('a', "aaaa");
  const auto reading = cache_->find(key('a'));
  ASSERT_TRUE(reading);
  keep('b', "bbbbbbbbbb");
  EXPECT_EQ(find('a'), "nothing");
  std::string bytes(4, '\0');
  EXPECT_EQ(::pread(reading->get(), bytes.data(), 4, 0), 4);
  EXPECT_EQ(bytes, "aaaa");
}

}  // namespace
}  // namespace lambda::deploy
