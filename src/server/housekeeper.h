// Housekeeper: deletes what versions left behind once nothing can use it any more: code packages,
// images and their exported file systems. A version that is gone may still serve its last calls, so
// its things are kept for as long as the invoker has an instance of it. Threads: leaving() from the
// store's thread; run() on one loop, its work on the disk's thread.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "function/catalog.h"
#include "function/package_store.h"
#include "invoke/invoker.h"
#include "sandbox/image/image_builder.h"

#include <mutex>
#include <vector>

namespace lambda::server {

class Housekeeper {
 public:
  // `images` may be null. All outlive it.
  Housekeeper(function::Catalog& catalog, invoke::Invoker& invoker,
              function::PackageStore& packages, sandbox::ImageBuilder* images, BlockingPool& disk,
              const Clock& clock);

  // Before readers of the catalog miss them (Catalog::on_leaving).
  void leaving(const std::vector<function::VersionPtr>& versions);
  // Once at the start, when nothing can be in use.
  void clean_at_start();
  // Every few minutes, until the loop ends.
  Task<void> run();
  // One round of it.
  Task<void> clean();
  // Of a version that is in the catalog, or that left it and may still run. Any thread.
  [[nodiscard]] bool uses_image(const std::string& image);

 private:
  struct Left {
    function::VersionPtr version;
    SteadyTime since;
  };
  Task<std::vector<Left>> take_due();
  Task<void> remove_images(std::vector<Left> due);

  function::Catalog& catalog_;
  invoke::Invoker& invoker_;
  function::PackageStore& packages_;
  sandbox::ImageBuilder* images_;
  BlockingPool& disk_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<Left> left_;
};

}  // namespace lambda::server
