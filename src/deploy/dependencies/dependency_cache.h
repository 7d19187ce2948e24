// DependencyCache: what installations brought, as tar files below <data>/dependencies, each under
// the key of what it was made from. Whole or not there, also after a crash; one that was damaged is
// as one that is not there. Past its size the entries used longest ago go. Blocking; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::deploy {

class DependencyCache {
 public:
  // Makes the directory, and removes what a crash left half-done. Errors: denied, internal.
  static Result<std::unique_ptr<DependencyCache>> open(std::filesystem::path directory,
                                                       std::uint64_t bytes);

  // An entry, open for reading, its content checked; its time is set to now. Nothing: there is
  // none.
  std::optional<UniqueFd> find(std::string_view key);
  // Takes the file over (of the same file system, with all its bytes), in place of an older entry.
  // One that is larger than the whole cache is not kept. Errors: internal (disk full).
  Result<Done> keep(std::string_view key, const std::filesystem::path& file);

 private:
  DependencyCache(std::filesystem::path directory, std::uint64_t bytes)
      : directory_(std::move(directory)), bytes_(bytes) {}
  // "<key>.<SHA-256 of the content>": that of the key, if there is one.
  [[nodiscard]] std::optional<std::filesystem::path> entry_of(std::string_view key) const;
  void make_room(std::uint64_t wanted);

  const std::filesystem::path directory_;
  const std::uint64_t bytes_;
  std::mutex mutex_;  // held while names appear or go
};

}  // namespace lambda::deploy
