#include "sandbox/native/uid_block.h"

namespace lambda::sandbox::native {

std::optional<uid_t> UidBlock::take() {
  if (used_.size() >= size_) return std::nullopt;
  while (true) {
    const uid_t uid = first_ + next_;
    next_ = (next_ + 1) % size_;
    if (used_.insert(uid).second) return uid;
  }
}

}  // namespace lambda::sandbox::native
