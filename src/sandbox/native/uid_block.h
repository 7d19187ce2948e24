// UidBlock: which user each sandbox is outside of its user namespace. No two living ones are the
// same, and one that ended is not followed by another of its id until the whole block was used: no
// quota, lock or leftover of the one meets the other.
// Blocks are claimed, so that no two servers of a machine have one in common.
// Threads: lambda-spawn's only one.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <optional>
#include <set>
#include <string>
#include <sys/types.h>

namespace lambda::sandbox::native {

// Ids for sandboxes: from 1,900,000,000 up to 2^31, in blocks, one block a server.
inline constexpr uid_t kFirstUid = 1'900'000'000;
inline constexpr uid_t kUidBlock = 65'536;
inline constexpr uid_t kUidBlocks = 3'700;
// The last of a block is for who carries sandboxes' packets out.
inline constexpr uid_t kSandboxUids = kUidBlock - 1;

// A block that is its owner's alone for as long as `lock` is open. It ends with its process,
// however that ends.
struct UidClaim {
  uid_t first = 0;
  UniqueFd lock;
};

// The block `wanted` (of `blocks`), or the next that nobody has. `directory` holds a file for each
// block that was ever claimed; it is made, for this user alone, where it is not there.
// Errors: unavailable (the directory cannot be used, or is not this user's alone), conflict (every
// block is claimed).
Result<UidClaim> claim_uid_block(const std::string& directory, uid_t wanted,
                                 uid_t blocks = kUidBlocks);

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
