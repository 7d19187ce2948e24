// Zips: what is kept of a good one, and how each evil one is refused.
#include "function/archive.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "function/package_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace lambda::function {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace lambda::function
