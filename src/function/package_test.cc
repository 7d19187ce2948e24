// Packages: what is kept of a good zip, and how each evil one is refused.
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/temporary_directory.h"
#include "function/archive.h"
#include "function/package_store.h"
#include "function/program_check.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define LAMBDA_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LAMBDA_UNDER_TSAN 1
#endif
#endif
#ifdef LAMBDA_UNDER_TSAN
// libarchive calls mktime, whose lock inside of the C library ThreadSanitizer does not see.
extern "C" const char* __tsan_default_suppressions() {
  return "race:tzset_internal\n";
}
#endif

namespace lambda::function {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What one entry of a zip says, byte for byte, so that a zip may lie.
struct Entry {
  std::string name;
  std::string content;
  unsigned mode = 0100644;      // unix mode in the external attributes
  std::uint8_t system = 3;      // 3: unix, 0: Windows
  std::uint16_t flags = 0x800;  // UTF-8 names; 1: encrypted
};

void put16(std::string& out, std::size_t value) {
  out += static_cast<char>(value & 0xFF);
  out += static_cast<char>(value >> 8 & 0xFF);
}
void put32(std::string& out, std::size_t value) {
  put16(out, value & 0xFFFF);
  put16(out, value >> 16 & 0xFFFF);
}

std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xEDB88320 & (0 - (crc & 1)));
  }
  return ~crc;
}

// A zip of stored entries.
std::string make_zip(const std::vector<Entry>& entries) {
  std::string zip;
  std::string directory;
  for (const auto& entry : entries) {
    const std::size_t offset = zip.size();
    std::string common;
    put16(common, entry.flags);
    put16(common, 0);           // stored
    put32(common, 0x5A215A21);  // time and date
    put32(common, crc32_of(entry.content));
    put32(common, entry.content.size());
    put32(common, entry.content.size());
    put16(common, entry.name.size());
    put16(common, 0);
    zip += "PK\x03\x04";
    put16(zip, 20);
    zip += common + entry.name + entry.content;
    directory += "PK\x01\x02";
    put16(directory, static_cast<std::size_t>(entry.system) << 8 | 20);
    put16(directory, 20);
    directory += common;
    put16(directory, 0);
    put16(directory, 0);
    put16(directory, 0);
    put32(directory, entry.system == 3 ? static_cast<std::size_t>(entry.mode) << 16 : 0);
    put32(directory, offset);
    directory += entry.name;
  }
  const std::size_t start = zip.size();
  zip += directory;
  zip += "PK\x05\x06";
  put32(zip, 0);
  put16(zip, entries.size());
  put16(zip, entries.size());
  put32(zip, directory.size());
  put32(zip, start);
  put16(zip, 0);
  return zip;
}

// A deflated zip as libarchive writes it: with data descriptors, and zip64 where asked for.
std::string make_deflated_zip(const std::vector<Entry>& entries, const char* options,
                              bool streamed = false) {
  std::string bytes(8 * 1024 * 1024, '\0');
  std::size_t used = 0;
  struct archive* writer = ::archive_write_new();
  ::archive_write_set_format_zip(writer);
  EXPECT_EQ(::archive_write_set_options(writer, options), ARCHIVE_OK);
  EXPECT_EQ(::archive_write_open_memory(writer, bytes.data(), bytes.size(), &used), ARCHIVE_OK);
  for (const auto& entry : entries) {
    struct archive_entry* header = ::archive_entry_new();
    ::archive_entry_set_pathname(header, entry.name.c_str());
    ::archive_entry_set_mode(header, static_cast<mode_t>(entry.mode));
    ::archive_entry_set_mtime(header, 1'600'000'000, 0);
    // Without a size the writer streams, and the sizes follow in a data descriptor.
    if (!streamed) {
      ::archive_entry_set_size(header, static_cast<la_int64_t>(entry.content.size()));
    }
    EXPECT_EQ(::archive_write_header(writer, header), ARCHIVE_OK);
    ::archive_write_data(writer, entry.content.data(), entry.content.size());
    ::archive_entry_free(header);
  }
  ::archive_write_close(writer);
  ::archive_write_free(writer);
  bytes.resize(used);
  return bytes;
}

class PackageTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    auto opened = PackageStore::open(data_.path());
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(*opened);
  }
  // As somebody who is not root, with a store of theirs, in a process of its own; what `work`
  // returns is to be 0.
  void as_nobody(const std::function<int(PackageStore& store, const fs::path& data)>& work) const {
    const fs::path data = data_.path() / "theirs";
    fs::create_directory(data);
    ASSERT_EQ(::chmod(data_.path().c_str(), 0755), 0);
    if (::geteuid() == 0) {
      ASSERT_EQ(::chown(data.c_str(), 65534, 65534), 0);
    }
    const pid_t child = ::fork();
    if (child == 0) {
      if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(9);
      auto store = PackageStore::open(data);
      ::_exit(store ? work(**store, data) : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  Result<Package> upload(const std::string& bytes) {
    auto upload = store_->begin_upload();
    if (!upload) return fail(std::move(upload.error()));
    // In pieces, as they come from a connection.
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) {
      const auto piece = std::string_view(bytes).substr(at, 100'000);
      if (auto done = (*upload)->append(piece); !done) return fail(std::move(done.error()));
    }
    return (*upload)->finish();
  }
  Result<Package> upload(const std::vector<Entry>& entries) { return upload(make_zip(entries)); }
  // The message of a refusal, after which nothing may be left.
  std::string refusal(const std::string& bytes) {
    auto package = upload(bytes);
    EXPECT_THAT(names("packages"), IsEmpty());
    EXPECT_THAT(names("code"), IsEmpty());
    if (package) return "accepted";
    EXPECT_EQ(package.error().code(), ErrorCode::invalid);
    return package.error().message();
  }
  std::string refusal(const std::vector<Entry>& entries) { return refusal(make_zip(entries)); }
  std::vector<std::string> names(const std::string& folder) {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(data_.path() / folder)) {
      all.push_back(entry.path().filename().string());
    }
    return all;
  }
  fs::path code(const Package& package, const std::string& path) {
    return store_->code_directory(package.digest) / path;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static unsigned mode(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  TemporaryDirectory data_;
  std::unique_ptr<PackageStore> store_;
};

TEST_F(PackageTest, AGoodZipIsUnpackedReadOnly) {
  const auto zip = make_zip({{"app.py", "print()\n"},
                             {"lib/", "", 040755},
                             {"lib/tool.sh", "#!/bin/sh\n", 0100700},
                             {"deep/er/däta.txt", "x", 0100600}});
  auto package = upload(zip);
  ASSERT_TRUE(package) << package.error().message();
  EXPECT_EQ(package->digest, hex_encode(sha256(zip)));
  EXPECT_EQ(package->sha256_base64, base64_encode(sha256(zip)));
  EXPECT_EQ(package->size, zip.size());
  EXPECT_EQ(package->files, 3u);
  EXPECT_EQ(package->unpacked_size, 19u);
  EXPECT_EQ(read(code(*package, "app.py")), "print()\n");
  EXPECT_EQ(mode(code(*package, "app.py")), 0444u);
  EXPECT_EQ(mode(code(*package, "lib/tool.sh")), 0555u);
  EXPECT_EQ(mode(code(*package, "deep/er/däta.txt")), 0444u);
  for (const auto* folder : {"", "lib", "deep", "deep/er"}) {
    EXPECT_EQ(mode(code(*package, folder)), 0555u) << folder;
  }
  EXPECT_EQ(read(store_->zip_path(package->digest)), zip);
  EXPECT_TRUE(store_->open_zip(package->digest));
  EXPECT_EQ(store_->open_zip("../../etc/passwd").error().code(), ErrorCode::not_found);
}

TEST_F(PackageTest, ZipsFromWindowsGetModes) {
  auto package = upload({{"bootstrap", "#!/bin/sh\n", 0, 0}, {"lib\\x.py", "x", 0, 0}});
  ASSERT_TRUE(package) << package.error().message();
  EXPECT_EQ(mode(code(*package, "bootstrap")), 0555u);
  EXPECT_EQ(mode(code(*package, "lib/x.py")), 0444u);
}

TEST_F(PackageTest, DeflatedZip64AndDataDescriptorsWork) {
  const std::string text(300'000, 'x');
  int kind = 0;
  for (const bool streamed : {false, true}) {
    for (const auto* options : {"zip:zip64", "zip:!zip64"}) {
      const std::string number = std::to_string(++kind);
      auto package = upload(make_deflated_zip({{"a.txt", text}, {"b", number}}, options, streamed));
      ASSERT_TRUE(package) << options << package.error().message();
      EXPECT_EQ(read(code(*package, "a.txt")), text);
      EXPECT_EQ(read(code(*package, "b")), number);
      struct stat status {};
      ASSERT_EQ(::stat(code(*package, "b").c_str(), &status), 0);
      EXPECT_EQ(status.st_mtime, 1'600'000'000);
    }
  }
}

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

TEST_F(PackageTest, TheSameFileTwiceIsFineAnotherOfItsNameIsNot) {
  EXPECT_EQ(upload({{"a", "1"}, {"a", "1"}, {"d/", "", 040755}, {"d/", "", 040755}})->files, 1u);
  EXPECT_TRUE(store_->collect_garbage({}, std::chrono::seconds(0)));
  EXPECT_THAT(refusal({{"a", "1"}, {"a", "2"}}), HasSubstr("a is there twice, and different"));
  EXPECT_THAT(refusal({{"a", "12"}, {"./a", "1"}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"a", "1"}, {"a", "12"}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"a", "1"}, {"a/b", "2"}}), HasSubstr("both a file and a folder"));
  EXPECT_THAT(refusal({{"a/b", "2"}, {"a", "1"}}), HasSubstr("both a file and a folder"));
}

TEST_F(PackageTest, WhatIsNoZipIsRefused) {
  EXPECT_THAT(refusal(std::string()), HasSubstr("it is empty"));
  EXPECT_THAT(refusal("hello"), HasSubstr("Could not unzip uploaded file. Please check your file, "
                                          "then try to upload again."));
  EXPECT_THAT(refusal("\x1f\x8b\x08 and so on"), HasSubstr("gzip"));
  EXPECT_THAT(refusal(std::vector<Entry>{}), HasSubstr("non-empty zip"));
  EXPECT_THAT(refusal({{"d/", "", 040755}}), HasSubstr("non-empty zip"));
  const auto good = make_zip({{"a", std::string(1000, 'x')}});
  EXPECT_THAT(refusal(good.substr(0, good.size() / 2)), HasSubstr("Could not unzip"));
  EXPECT_THAT(refusal(good.substr(0, good.size() - 30)), HasSubstr("Could not unzip"));
  auto damaged = good;
  damaged[100] = 'y';
  EXPECT_THAT(refusal(damaged), HasSubstr("Could not unzip"));
}

TEST_F(PackageTest, PathsThatLeaveThePackageAreRefused) {
  for (const auto* name : {"../x", "a/../../x", "a/..", "..", "/etc/passwd", "C:/x", "C:\\x",
                           "..\\x", "a\\..\\..\\x", "\\x"}) {
    std::string shown = name;  // libarchive turns Windows' separators round
    std::ranges::replace(shown, '\\', '/');
    EXPECT_THAT(refusal({{"ok", "1"}, {name, "evil"}}),
                AllOf(HasSubstr(fmt::format("the zip holds \"{}\", a", shown)),
                      HasSubstr("must lie inside the package")))
        << name;
  }
  EXPECT_THAT(refusal({{"a\nb", "1"}}), HasSubstr("control character"));
  EXPECT_THAT(refusal({{std::string(256, 'a'), "1"}}), HasSubstr("longer than 255"));
  EXPECT_THAT(refusal({{"ok", ""}, {"", "1"}}), HasSubstr("Could not unzip"));
}

TEST_F(PackageTest, LinksThatStayInsideAreKept) {
  auto package = upload({{"bin/tool", "../lib/tool.js", 0120777},
                         {"lib/tool.js", "x"},
                         {"current", "lib", 0120777},
                         {"self", ".", 0120777},
                         {"dangling", "lib/none", 0120777},
                         {"via", "current/tool.js", 0120777}});
  ASSERT_TRUE(package) << package.error().message();
  EXPECT_EQ(fs::read_symlink(code(*package, "bin/tool")), "../lib/tool.js");
  EXPECT_EQ(read(code(*package, "via")), "x");
  EXPECT_EQ(package->files, 1u);
}

TEST_F(PackageTest, LinksThatLeaveAreRefused) {
  const std::vector<std::vector<Entry>> evil = {
      {{"a", "1"}, {"l", "/etc/passwd", 0120777}},
      {{"a", "1"}, {"l", "../x", 0120777}},
      {{"a", "1"}, {"d/l", "../../x", 0120777}},
      {{"a", "1"}, {"l", "missing/../../x", 0120777}},
      // Lexically inside, and outside by way of another link.
      {{"a/b/f", "1"}, {"a/b/up", "../..", 0120777}, {"l", "a/b/up/../etc/passwd", 0120777}},
      {{"f", "1"}, {"x", "y", 0120777}, {"y", "..", 0120777}},
  };
  for (const auto& entries : evil) {
    EXPECT_THAT(refusal(entries), HasSubstr("leaves the package")) << entries.back().name;
  }
}

TEST_F(PackageTest, CirclesOfLinksAreHarmlessAndEntanglementsRefused) {
  EXPECT_TRUE(upload({{"f", "1"}, {"a", "b", 0120777}, {"b", "a", 0120777}}));
  Links links;
  const std::string many = [] {
    std::string text;
    for (int i = 0; i < 500; ++i) text += "x/";
    return text;
  }();
  for (int i = 0; i < 20000; ++i) links["l" + std::to_string(i)] = many;
  auto checked = check_links(links);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), HasSubstr("entangled"));
}

TEST_F(PackageTest, NothingIsWrittenThroughALink) {
  EXPECT_THAT(refusal({{"d", "/tmp", 0120777}, {"d/x", "evil"}}),
              HasSubstr("through the symlink d"));
  EXPECT_THAT(refusal({{"d", "e", 0120777}, {"e/f", "1"}, {"d/x", "evil"}}),
              HasSubstr("through the symlink d"));
  EXPECT_THAT(refusal({{"d/x", "1"}, {"d", "/tmp", 0120777}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"d", "e", 0120777}, {"d", "evil"}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"f", "1"}, {"d", "e", 0120777}, {"d", "f", 0120777}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"d", "e", 0120777}, {"d/", "", 040755}, {"f", "1"}}),
              HasSubstr("through the symlink d"));
}

TEST_F(PackageTest, SpecialFilesAndEncryptedOnesAreRefused) {
  // Not so a FIFO: Info-ZIP marks with its mode what it read from a pipe, an ordinary file.
  EXPECT_THAT(refusal({{"f", "1"}, {"socket", "", 0140644}}), HasSubstr("neither a file"));
  EXPECT_THAT(refusal({{"f", "1"}, {"device", "", 0020644}}), HasSubstr("neither a file"));
  EXPECT_THAT(refusal({{"secret", "123456789012345", 0100644, 3, 0x801}}), HasSubstr("encrypted"));
}

TEST_F(PackageTest, BombsAreRefusedBeforeTheyFillTheDisk) {
  const auto zip = make_deflated_zip({{"zeros", std::string(3'000'000, '\0')}}, "zip:!zip64");
  EXPECT_LT(zip.size(), 100'000u);
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "zip", std::ios::binary) << zip;
  const UniqueFd file(::open((directory.path() / "zip").c_str(), O_RDONLY | O_CLOEXEC));
  const fs::path target = directory.path() / "out";
  fs::create_directory(target);
  UnpackLimits limits;
  limits.bytes = 1'000'000;
  auto unpacked = unpack_zip(file.get(), target, limits);
  ASSERT_FALSE(unpacked);
  EXPECT_THAT(unpacked.error().message(), HasSubstr("Unzipped size must be smaller than 1000000"));
  EXPECT_LE(fs::file_size(target / "zeros"), 1'000'000u);
}

TEST_F(PackageTest, ABombOfTheRealSizeIsRefused) {
  // 300 MB of zeros.
  std::vector<Entry> entries;
  const std::string zeros(5'000'000, '\0');
  for (int i = 0; i < 60; ++i) entries.push_back({"z" + std::to_string(i), zeros});
  EXPECT_THAT(refusal(make_deflated_zip(entries, "zip:!zip64")),
              HasSubstr("Unzipped size must be smaller than 262144000 bytes"));
}

TEST_F(PackageTest, TooManyEntriesAreRefusedEvenIfOnlyImplied) {
  const TemporaryDirectory directory;
  UnpackLimits limits;
  limits.entries = 100;
  auto unpack = [&](const std::vector<Entry>& entries, const std::string& name) {
    std::ofstream(directory.path() / name, std::ios::binary) << make_zip(entries);
    const UniqueFd file(::open((directory.path() / name).c_str(), O_RDONLY | O_CLOEXEC));
    const fs::path target = directory.path() / (name + ".out");
    fs::create_directory(target);
    auto unpacked = unpack_zip(file.get(), target, limits);
    return unpacked ? "accepted" : unpacked.error().message();
  };
  std::vector<Entry> many;
  for (int i = 0; i < 101; ++i) many.push_back({"f" + std::to_string(i), ""});
  EXPECT_THAT(unpack(many, "many"), HasSubstr("more than 100 files and folders"));
  std::string deep;
  for (int i = 0; i < 101; ++i) deep += "d/";
  EXPECT_THAT(unpack({{deep + "f", ""}}, "deep"), HasSubstr("more than 100 files and folders"));
  EXPECT_EQ(unpack({{"a", "1"}}, "good"), "accepted");
}

TEST_F(PackageTest, ProgramsForOtherSystemsAreRefused) {
  const std::string mach("\xCF\xFA\xED\xFE\x0C\x00\x00\x01", 8);
  const auto message = refusal({{"bootstrap", mach + std::string(100, 'x')}});
  EXPECT_THAT(message, HasSubstr("bootstrap is built for macOS (Mach-O arm64)"));
  EXPECT_THAT(message, HasSubstr("rebuild it on Linux"));
  EXPECT_THAT(refusal({{"node_modules/x/build/a.node", "MZ\x90"}}), HasSubstr("Windows (PE)"));
  EXPECT_THAT(refusal({{"bootstrap", "#!/bin/sh\r\necho"}}), HasSubstr("Windows line endings"));
  EXPECT_TRUE(upload({{"x/prebuilds/win32-x64/a.node", "MZ\x90"}, {"readme.exe", "MZ"}}));
}

TEST(ProgramCheck, TellsMachines) {
  auto elf = [](char bits, char endian, std::uint8_t high, std::uint8_t low) {
    std::string head =
        "\x7F"
        "ELF";
    head += bits;
    head += endian;
    head.resize(18, '\0');
    head += static_cast<char>(low);
    head += static_cast<char>(high);
    head.resize(64, '\0');
    return head;
  };
  const auto x86 = check_program("a.so", elf(2, 1, 0, 62));
  const auto arm = check_program("a.so", elf(2, 1, 0, 183));
  EXPECT_NE(x86.has_value(), arm.has_value());
  EXPECT_FALSE(check_program("a.so", elf(1, 1, 0, 3)));
  EXPECT_FALSE(check_program("a.so", elf(1, 1, 0, 40)));
  EXPECT_FALSE(check_program("a.so", elf(2, 2, 22, 0)));
  EXPECT_TRUE(check_program("a.so", "INPUT(-lfoo)"));
  EXPECT_TRUE(check_program("bootstrap", "#!/bin/sh\nexec x"));
  EXPECT_TRUE(check_program("bootstrap", ""));
}

TEST(ProgramCheck, LooksAtBootstrapAndLibrariesOnly) {
  for (const auto* path : {"bootstrap", "a.so", "x/y.node", "lib/libz.so.1.2.3"}) {
    EXPECT_TRUE(is_program_path(path)) << path;
  }
  for (const auto* path : {"lib/bootstrap", "a.so.txt", "a.py", "prebuilds/linux-x64/a.node",
                           "m/prebuilds/darwin-x64/a.node", "so", "a.so."}) {
    EXPECT_FALSE(is_program_path(path)) << path;
  }
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
