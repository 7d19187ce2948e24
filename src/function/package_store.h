// Code packages on disk, content-addressed: <data>/packages/<hex sha256>.zip as uploaded, and
// <data>/code/<hex sha256>/ unpacked, read-only (files 0444 or 0555, folders 0555), what a sandbox
// mounts at /var/task.
//
// A package is received into a temporary name, checked, unpacked beside it, synced (files and
// directories) and renamed: whatever the moment of a crash, a digest either is there whole or is
// not. An upload of what is there already costs its hash. Blocking: call it on worker threads, any
// number of them at once.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::function {

inline constexpr std::uint64_t kMaxUnpackedBytes = 262'144'000;  // AWS: unzipped, with layers
inline constexpr std::uint64_t kMaxZippedBytes =
    262'144'000;  // for /_lambda/ uploads; AWS's 50 MB counts at the AWS operations

struct Package {
  std::string digest;         // hex SHA-256 of the zip bytes
  std::string sha256_base64;  // AWS's CodeSha256
  std::uint64_t size = 0;     // of the zip
  std::uint64_t unpacked_size = 0;
  std::size_t files = 0;
};

// One upload in progress: bytes go to a temporary file and through SHA-256 as they come, in
// constant memory. Destroyed without finish(): nothing is left.
class PackageUpload {
 public:
  virtual ~PackageUpload() = default;
  // Errors: too_large, internal (disk full; says so).
  virtual Result<Done> append(std::string_view bytes) = 0;
  // Checks and unpacks (the rules stand in function/archive.h and function/program_check.h), then
  // makes it permanent; once. Errors: invalid with the entry's name (not a zip, `../`, absolute
  // path, a link that leaves the package, an entry through a link, more than 250 MB unpacked,
  // duplicate names that differ, a program for another system), internal (disk full).
  virtual Result<Package> finish() = 0;
};

class PackageStore {
 public:
  struct Impl;  // the inside, of package_store.cc alone
  // Makes the directories; removes temporary leftovers of a crash. Errors: denied, internal. The
  // store outlives its uploads.
  static Result<std::unique_ptr<PackageStore>> open(std::filesystem::path data_directory);
  ~PackageStore();

  Result<std::unique_ptr<PackageUpload>> begin_upload();
  [[nodiscard]] bool has(std::string_view digest) const;
  // The unpacked, read-only tree.
  [[nodiscard]] std::filesystem::path code_directory(std::string_view digest) const;
  [[nodiscard]] std::filesystem::path zip_path(std::string_view digest) const;
  // Error: not_found.
  Result<UniqueFd> open_zip(std::string_view digest) const;

  // Adds files (compiled bytecode) to an unpacked tree that nobody uses yet; paths are checked like
  // a zip's entries and never replace an existing file (which is left as it is). Synced when it
  // returns. The package's digest stays that of the zip. Several callers for one package take
  // turns.
  struct ExtraFile {
    std::string path;
    std::string bytes;
  };
  Result<Done> add_derived_files(std::string_view digest, const std::vector<ExtraFile>& files);

  // Deletes every package not named in `used` whose last upload is at least `age` ago: a deploy in
  // progress has uploaded its package and no version uses it yet. Zero is right where no deploy can
  // be in progress (at the start). Returns how many.
  Result<std::size_t> collect_garbage(const std::vector<std::string>& used,
                                      std::chrono::seconds age = std::chrono::hours(1));

 private:
  explicit PackageStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lambda::function
