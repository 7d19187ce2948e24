// UidBlock: which user each sandbox is outside of its user namespace. No two living ones are the
// same, and one that ended is not followed by another of its id until the whole block was used: no
// quota, lock or leftover of the one meets the other.
// Threads: lambda-spawn's only one.
#pragma once

#include <optional>
#include <set>
#include <sys/types.h>

namespace lambda::sandbox::native {

class UidBlock {
 public:
  explicit UidBlock(uid_t first = 0, uid_t size = 0) : first_(first), size_(size) {}

  // Nothing: all are in use.
  std::optional<uid_t> take();
  void give_back(uid_t uid) { used_.erase(uid); }

 private:
  uid_t first_;
  uid_t size_;
  uid_t next_ = 0;
  std::set<uid_t> used_;
};

}  // namespace lambda::sandbox::native
