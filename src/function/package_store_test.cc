// Packages in the store: what is added, what goes, and what a crash, a full disk or several at once
// leave.
#include "function/package_store.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "function/package_fixture.h"

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <sys/mount.h>
#include <sys/resource.h>
#include <thread>

namespace lambda::function {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(PackageTest, AnIdenticalUploadFindsWhatIsThere) {
  const std::vector<Entry> entries{{"a", "1"}};
  const auto first = upload(entries).value();
  struct stat before {};
  ASSERT_EQ(::stat(code(first, "a").c_str(), &before), 0);
  const auto second = upload(entries).value();
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(second.files, 1u);
  EXPECT_EQ(second.unpacked_size, 1u);
  struct stat after {};
  ASSERT_EQ(::stat(code(first, "a").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(PackageTest, DerivedFilesAreAddedAndReplaceNothing) {
  const auto package = upload({{"app.py", "original"}, {"l", "app.py", 0120777}}).value();
  auto added = store_->add_derived_files(
      package.digest, {{"__pycache__/app.pyc", "code"}, {"app.py", "changed"}, {"x/y/z.pyc", "z"}});
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(read(code(package, "app.py")), "original");
  EXPECT_EQ(read(code(package, "__pycache__/app.pyc")), "code");
  EXPECT_EQ(mode(code(package, "__pycache__/app.pyc")), 0444u);
  for (const auto* folder : {"", "__pycache__", "x", "x/y"}) {
    EXPECT_EQ(mode(code(package, folder)), 0555u) << folder;
  }
  EXPECT_FALSE(store_->add_derived_files(package.digest, {{"../evil", ""}}));
  EXPECT_FALSE(store_->add_derived_files(package.digest, {{"/evil", ""}}));
  EXPECT_FALSE(store_->add_derived_files(package.digest, {{"l/x", ""}}));
  EXPECT_FALSE(store_->add_derived_files(std::string(64, '0'), {{"x", ""}}));
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(code(package, ""))) {
    if (entry.is_regular_file() && !entry.is_symlink()) ++files;
  }
  EXPECT_EQ(files, 3u);
}

TEST_F(PackageTest, GarbageGoesAndWhatIsUsedOrNewStays) {
  const auto used = upload({{"a", "1"}}).value();
  const auto unused = upload({{"d/e/f", "2"}, {"l", "d", 0120777}}).value();
  EXPECT_EQ(store_->collect_garbage({used.digest}).value(), 0u);
  EXPECT_TRUE(store_->has(unused.digest));
  EXPECT_EQ(store_->collect_garbage({used.digest}, std::chrono::seconds(0)).value(), 1u);
  EXPECT_FALSE(store_->has(unused.digest));
  EXPECT_TRUE(store_->has(used.digest));
  EXPECT_EQ(names("code"), std::vector<std::string>{used.digest});
  EXPECT_EQ(names("packages").size(), 2u);
}

TEST_F(PackageTest, WhoIsNotRootCanDeleteToo) {
  as_nobody([](PackageStore& store, const fs::path& data) {
    auto upload = store.begin_upload();
    if (!(*upload)->append(make_zip({{"d/e/f", "1"}}))) return 2;
    auto package = (*upload)->finish();
    if (!package) return 3;
    if (!store.add_derived_files(package->digest, {{"d/g", "1"}})) return 4;
    if (store.collect_garbage({}, std::chrono::seconds(0)).value_or(0) != 1) return 5;
    return fs::is_empty(data / "code") ? 0 : 6;
  });
}

TEST_F(PackageTest, DerivedFilesOfOnePackageFromSeveralSidesDoNotDisturbEachOther) {
  // root would not notice that a folder is closed again under its hands.
  as_nobody([](PackageStore& store, const fs::path&) {
    auto upload = store.begin_upload();
    if (!(*upload)->append(make_zip({{"app.py", "1"}}))) return 2;
    auto package = (*upload)->finish();
    if (!package) return 3;
    std::atomic<int> failures{0};
    auto add = [&store, &package, &failures](int who) {
      for (int i = 0; i < 6; ++i) {
        const auto own = fmt::format("d{}/{}-{}", i, who, i);
        if (!store.add_derived_files(package->digest, {{own, "1"}, {"top", "2"}})) ++failures;
      }
    };
    std::vector<std::thread> threads;
    for (int who = 0; who < 4; ++who) threads.emplace_back(add, who);
    for (auto& thread : threads) thread.join();
    if (failures != 0) return 4;
    struct stat status {};
    const bool closed = ::stat(store.code_directory(package->digest).c_str(), &status) == 0 &&
                        (status.st_mode & 07777) == 0555;
    return closed ? 0 : 5;
  });
}

TEST_F(PackageTest, LeftoversOfACrashGoAtTheNextStart) {
  const auto package = upload({{"a", "1"}}).value();
  std::ofstream(data_.path() / "packages" / ".incoming-1") << "half";
  fs::create_directories(data_.path() / "code" / ".incoming-2" / "d");
  ::chmod((data_.path() / "code" / ".incoming-2").c_str(), 0555);
  reopen();
  EXPECT_EQ(names("code").size(), 1u);
  EXPECT_EQ(names("packages").size(), 2u);
  // Between the two renames: the tree is there, the zip is not.
  fs::remove(store_->zip_path(package.digest));
  EXPECT_FALSE(store_->has(package.digest));
  EXPECT_TRUE(upload({{"a", "1"}}));
  EXPECT_TRUE(store_->has(package.digest));
}

TEST_F(PackageTest, AnUploadThatIsGivenUpLeavesNothing) {
  {
    auto upload = store_->begin_upload();
    ASSERT_TRUE((*upload)->append("PK"));
  }
  EXPECT_THAT(names("packages"), IsEmpty());
}

TEST_F(PackageTest, KillsAtAnyMomentLeaveAllOrNothing) {
  const auto zip = make_zip({{"a", std::string(100'000, 'x')}, {"d/b", "y"}, {"l", "a", 0120777}});
  const std::string digest = hex_encode(sha256(zip));
  for (int delay = 0; delay < 3000; delay += 100) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = PackageStore::open(data_.path());
      auto upload = (*store)->begin_upload();
      (void)(*upload)->append(zip);
      (void)(*upload)->finish();
      ::pause();
    }
    ::usleep(static_cast<useconds_t>(delay));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    reopen();
    if (store_->has(digest)) {
      EXPECT_EQ(read(store_->code_directory(digest) / "a").size(), 100'000u);
      EXPECT_EQ(read(store_->code_directory(digest) / "d/b"), "y");
    }
    ASSERT_TRUE(upload(zip));
    ASSERT_TRUE(store_->collect_garbage({}, std::chrono::seconds(0)));
    ASSERT_THAT(names("code"), IsEmpty());
    ASSERT_THAT(names("packages"), IsEmpty());
  }
}

TEST_F(PackageTest, IdenticalUploadsSideBySide) {
  const auto zip = make_zip({{"a", std::string(10'000, 'x')}, {"b", "y"}});
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5; ++k) {
        if (upload(zip)) ++good;
        (void)store_->collect_garbage({}, std::chrono::seconds(0));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 20);
}

TEST(PackageStoreOnASmallDisk, AFullDiskIsSaidAndNothingIsKept) {
  const TemporaryDirectory directory;
  const bool mounted =
      ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=1m,nr_inodes=200") == 0;
  struct rlimit before {};
  if (!mounted) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before);
    const struct rlimit small { 1 << 20, before.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  {
    auto store = PackageStore::open(directory.path());
    ASSERT_TRUE(store);
    // Too large already as a zip, and only when unpacked.
    for (const auto& zip :
         {make_zip({{"a", std::string(2'000'000, 'x')}}),
          make_deflated_zip({{"a", std::string(2'000'000, 'x')}}, "zip:!zip64")}) {
      auto upload = (*store)->begin_upload();
      ASSERT_TRUE(upload);
      auto done = (*upload)->append(zip);
      std::string message = done ? "" : done.error().message();
      if (done) {
        auto package = (*upload)->finish();
        ASSERT_FALSE(package);
        EXPECT_EQ(package.error().code(), ErrorCode::internal);
        message = package.error().message();
      }
      EXPECT_THAT(message, HasSubstr("is full"));
      upload->reset();
      EXPECT_TRUE(fs::is_empty(directory.path() / "packages"));
      EXPECT_TRUE(fs::is_empty(directory.path() / "code"));
    }
    auto upload = (*store)->begin_upload();
    ASSERT_TRUE((*upload)->append(make_zip({{"a", "1"}})));
    EXPECT_TRUE((*upload)->finish());
  }
  if (mounted) {
    ::umount2(directory.path().c_str(), MNT_DETACH);
  } else {
    ::setrlimit(RLIMIT_FSIZE, &before);
  }
}

}  // namespace
}  // namespace lambda::function
