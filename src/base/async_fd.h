// Gives a descriptor to an object of Asio's. The object's loop watches it from then on, which can
// fail (no memory, no descriptor, too many watches): then it is closed, and nothing is thrown.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <boost/system/error_code.hpp>

#include <string_view>

namespace lambda {

// On the object's loop. Errors: internal, "watch <what>: <why not>".
template <class Object>
[[nodiscard]] Result<Done> give_to(Object& object, UniqueFd fd, std::string_view what) {
  boost::system::error_code error;
  object.assign(fd.get(), error);
  if (error) return fail(ErrorCode::internal, "watch {}: {}", what, error.message());
  [[maybe_unused]] const int owned = fd.release();
  return Done{};
}

}  // namespace lambda
