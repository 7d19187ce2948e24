#include "base/background.h"

#include <spdlog/spdlog.h>

namespace lambda {

void InBackground::operator()(const std::exception_ptr& thrown) const {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    spdlog::error("{} ended by an exception: {}", name_, error.what());
  } catch (...) {
    spdlog::error("{} ended by an unknown exception", name_);
  }
}

}  // namespace lambda
