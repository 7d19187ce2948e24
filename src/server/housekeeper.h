// Housekeeper: deletes what versions left behind once nothing can use it any more: code packages,
// images and their exported file systems. A version that is gone may still serve its last calls, so
// its things are kept for a while. Threads: gone() from the store's thread; run() on one loop, its
// work on the disk's thread.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "function/catalog.h"
#include "function/package_store.h"
#include "sandbox/image/image_builder.h"

#include <mutex>
#include <vector>

namespace lambda::server {

class Housekeeper {
 public:
  // `images` may be null. All outlive it.
  Housekeeper(function::Catalog& catalog, function::PackageStore& packages,
              sandbox::ImageBuilder* images, BlockingPool& disk, const Clock& clock);

  void gone(const std::vector<function::VersionPtr>& versions);
  // Once at the start, when nothing can be in use.
  void clean_at_start();
  // Every few minutes, until the loop ends.
  Task<void> run();

 private:
  struct Left {
    function::VersionPtr version;
    SteadyTime since;
  };
  Task<void> clean();
  Task<void> remove_images(std::vector<Left> due);

  function::Catalog& catalog_;
  function::PackageStore& packages_;
  sandbox::ImageBuilder* images_;
  BlockingPool& disk_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<Left> left_;
};

}  // namespace lambda::server
