#include "server/housekeeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <functional>

namespace lambda::server {
namespace {

// The longest call takes 15 minutes.
constexpr std::chrono::minutes kLastCalls{20};
constexpr std::chrono::minutes kPause{5};

}  // namespace

Housekeeper::Housekeeper(function::Catalog& catalog, function::PackageStore& packages,
                         sandbox::ImageBuilder* images, BlockingPool& disk, const Clock& clock)
    : catalog_(catalog), packages_(packages), images_(images), disk_(disk), clock_(clock) {}

void Housekeeper::gone(const std::vector<function::VersionPtr>& versions) {
  const std::lock_guard lock(mutex_);
  for (const auto& version : versions) left_.push_back({version, clock_.steady_now()});
}

void Housekeeper::clean_at_start() {
  auto removed = packages_.collect_garbage(catalog_.used_packages(), std::chrono::seconds(0));
  if (!removed) spdlog::warn("delete unused packages: {}", removed.error().message());
}

Task<void> Housekeeper::run() {
  while (co_await sleep_for(kPause)) {
    try {
      co_await clean();
    } catch (const std::exception& error) {
      // The next round may do better.
      spdlog::error("delete what versions left behind: {}", error.what());
    }
  }
}

Task<void> Housekeeper::clean() {
  std::vector<Left> due;
  auto used = catalog_.used_packages();
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.steady_now();
    const auto old = std::ranges::partition(
        left_, [now](const Left& item) { return now - item.since < kLastCalls; });
    due.assign(old.begin(), old.end());
    left_.erase(old.begin(), left_.end());
    for (const auto& item : left_) used.push_back(item.version->code.package_digest);
  }
  auto collect = [this, used = std::move(used)] { return packages_.collect_garbage(used); };
  auto removed = co_await run_blocking(disk_, std::move(collect));
  if (!removed) spdlog::warn("delete unused packages: {}", removed.error().message());
  co_await remove_images(std::move(due));
}

Task<void> Housekeeper::remove_images(std::vector<Left> due) {
  if (images_ == nullptr) co_return;
  for (auto& item : due) {
    const auto& image = item.version->code.image_id;
    if (image.empty()) continue;
    std::function<bool()> in_use = [this, image] { return catalog_.uses_image(image); };
    auto forgotten = co_await images_->forget(image, std::move(in_use));
    if (forgotten) continue;
    if (forgotten.error().code() != ErrorCode::conflict) {
      spdlog::warn("delete what is left of an image: {}", forgotten.error().message());
      continue;
    }
    // A deploy may just come to use it: the next round sees what it came to.
    const std::lock_guard lock(mutex_);
    left_.push_back(std::move(item));
  }
}

}  // namespace lambda::server
