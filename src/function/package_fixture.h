// What the tests of packages share: zips written byte for byte, and a store that they are uploaded
// to. For tests alone; one thread.
#pragma once

#include "base/temporary_directory.h"
#include "function/package_store.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::function {

namespace fs = std::filesystem;

// What one entry of a zip says, byte for byte, so that a zip may lie.
struct Entry {
  std::string name;
  std::string content;
  unsigned mode = 0100644;      // unix mode in the external attributes
  std::uint8_t system = 3;      // 3: unix, 0: Windows
  std::uint16_t flags = 0x800;  // UTF-8 names; 1: encrypted
};

inline void put16(std::string& out, std::size_t value) {
  out += static_cast<char>(value & 0xFF);
  out += static_cast<char>(value >> 8 & 0xFF);
}
inline void put32(std::string& out, std::size_t value) {
  put16(out, value & 0xFFFF);
  put16(out, value >> 16 & 0xFFFF);
}

inline std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xEDB88320 & (0 - (crc & 1)));
  }
  return ~crc;
}

// A zip of stored entries.
inline std::string make_zip(const std::vector<Entry>& entries) {
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
inline std::string make_deflated_zip(const std::vector<Entry>& entries, const char* options,
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
    EXPECT_THAT(names("packages"), ::testing::IsEmpty());
    EXPECT_THAT(names("code"), ::testing::IsEmpty());
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

}  // namespace lambda::function
