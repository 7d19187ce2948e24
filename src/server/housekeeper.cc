#include "server/housekeeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <functional>

namespace lambda::server {
namespace {

// A call that has a version already comes to the invoker with it, and is seen there, but for how
// long its event takes to arrive: 6 MB at the least rate that the server takes are 26 minutes.
constexpr std::chrono::minutes kOnTheWay{30};
constexpr std::chrono::minutes kPause{5};

}  // namespace

Housekeeper::Housekeeper(function::Catalog& catalog, invoke::Invoker& invoker,
                         function::PackageStore& packages, sandbox::ImageBuilder* images,
                         BlockingPool& disk, const Clock& clock)
    : catalog_(catalog),
      invoker_(invoker),
      packages_(packages),
      images_(images),
      disk_(disk),
      clock_(clock) {}

void Housekeeper::leaving(const std::vector<function::VersionPtr>& versions) {
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

// Those that no call can come to any more, and that no instance runs.
Task<std::vector<Housekeeper::Left>> Housekeeper::take_due() {
  std::vector<Left> old;
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.steady_now();
    const auto begin = std::ranges::partition(
        left_, [now](const Left& item) { return now - item.since < kOnTheWay; });
    old.assign(begin.begin(), begin.end());
  }
  std::vector<Left> due;
  for (auto& item : old) {
    if (!co_await invoker_.runs(item.version)) due.push_back(std::move(item));
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(left_, [&due](const Left& item) {
    return std::ranges::find(due, item.version, &Left::version) != due.end();
  });
  co_return due;
}

Task<void> Housekeeper::clean() {
  auto due = co_await take_due();
  auto collect = [this] {
    // The catalog first: what is not in it any more is in the list.
    auto used = catalog_.used_packages();
    {
      const std::lock_guard lock(mutex_);
      for (const auto& item : left_) used.push_back(item.version->code.package_digest);
    }
    return packages_.collect_garbage(used);
  };
  auto removed = co_await run_blocking(disk_, std::move(collect));
  if (!removed) spdlog::warn("delete unused packages: {}", removed.error().message());
  co_await remove_images(std::move(due));
}

bool Housekeeper::uses_image(const std::string& image) {
  if (catalog_.uses_image(image)) return true;
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(
      left_, [&image](const Left& item) { return item.version->code.image_id == image; });
}

Task<void> Housekeeper::remove_images(std::vector<Left> due) {
  if (images_ == nullptr) co_return;
  for (auto& item : due) {
    const auto& image = item.version->code.image_id;
    if (image.empty()) continue;
    std::function<bool()> in_use = [this, image] { return uses_image(image); };
    auto forgotten = co_await images_->forget(image, std::move(in_use));
    if (forgotten) continue;
    if (forgotten.error().code() != ErrorCode::conflict) {
      spdlog::warn("delete what is left of an image: {}", forgotten.error().message());
      continue;
    }
    // A deploy may just come to use it, or another version that left does: the next round sees what
    // it came to.
    const std::lock_guard lock(mutex_);
    left_.push_back(std::move(item));
  }
}

}  // namespace lambda::server
