// Receiving what a deploy uploads, in constant memory: a zip into the package store, a build
// context into a file.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "function/package_store.h"
#include "http/body.h"

#include <cstdint>
#include <filesystem>

namespace lambda::deploy {

// The largest build context: as much as the largest unpacked package.
inline constexpr std::uint64_t kMaxContextBytes = 1024ull * 1024 * 1024;

// Errors: the package store's, and those of the connection.
Task<Result<function::Package>> receive_package(function::PackageStore& store, BlockingPool& disk,
                                                http::BodyReader& body);

// A file that is removed with its owner. Any thread.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
  TemporaryFile(TemporaryFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Errors: too_large, internal (disk full; says so).
Task<Result<std::shared_ptr<TemporaryFile>>> receive_file(std::filesystem::path directory,
                                                          BlockingPool& disk,
                                                          http::BodyReader& body,
                                                          std::uint64_t limit);

}  // namespace lambda::deploy
