#include "sandbox/native/cgroup_stock.h"

#include <utility>

namespace lambda::sandbox::native {
namespace {

constexpr std::chrono::seconds kMakeAgainAfter{5};

}  // namespace

std::string CgroupStock::next_name() {
  return fmt::format("sandbox-{}", ++last_);
}

Result<Cgroup> CgroupStock::take(const std::string& id, const CgroupLimits& limits) {
  if (ready_.empty()) {
    if (auto made = cgroups_.make(next_name())) {
      ready_.push_back(std::move(*made));
    } else {
      return made;
    }
  }
  auto taken = std::move(ready_.front());
  ready_.pop_front();
  taken.mark(id);
  if (auto limited = taken.set_limits(limits); !limited) {
    [[maybe_unused]] const bool gone = taken.remove();
    return fail(std::move(limited.error()));
  }
  return taken;
}

bool CgroupStock::make_one() {
  if (!lacks() || std::chrono::steady_clock::now() < not_before_) return false;
  auto made = cgroups_.make(next_name());
  if (!made) {
    // Whoever takes one is told why.
    not_before_ = std::chrono::steady_clock::now() + kMakeAgainAfter;
    return false;
  }
  ready_.push_back(std::move(*made));
  return true;
}

void CgroupStock::clear() {
  most_ = 0;
  for (auto& one : ready_) [[maybe_unused]] const bool gone = one.remove();
  ready_.clear();
}

}  // namespace lambda::sandbox::native
